"""outgate.stores.logs"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from receipts_made import KEY, NOW, decision, open_journal, outcome

from outgate.errors import EvidenceError, UnavailableError
from outgate.policy.effect import Effect
from outgate.stores.logs import (
    LogTail,
    all_receipts,
    check_log,
    check_logs,
    is_running,
    log_folder,
    may_grow,
    new_writer,
    receipts_of,
    size_of,
    writers,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_writers_are_named_in_the_order_of_time() -> None:
    times = [NOW + timedelta(milliseconds=40 * n) for n in range(200)]
    names = [new_writer(at, b"\xff\xff\xff\xff") for at in times]
    assert names == sorted(set(names))
    assert all(len(name) == 12 and name.isalnum() for name in names)


def test_writers_that_begin_together_are_told_apart() -> None:
    assert new_writer(NOW, bytes(4)) != new_writer(NOW, b"\0\0\0\1")


def test_a_place_without_logs_has_no_writers(tmp_path: Path) -> None:
    assert writers(tmp_path / "log") == []


def test_a_writer_that_has_no_name_yet_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".w1").mkdir()
    assert writers(tmp_path) == []


async def test_who_holds_its_lock_runs(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert is_running(journal.folder)
    await journal.close()
    assert not is_running(journal.folder)


async def test_a_log_may_grow_until_its_end_is_told(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert may_grow(journal.folder)
    await journal.close()
    assert may_grow(journal.folder)
    (journal.folder / "closed").touch()
    assert not may_grow(journal.folder)


def test_a_copied_log_without_its_lock_does_not_run(tmp_path: Path) -> None:
    assert not is_running(tmp_path)


async def test_receipts_of_all_writers_come_in_the_order_of_time(tmp_path: Path) -> None:
    first = open_journal(tmp_path, new_writer(NOW, b"aaaa"))
    second = open_journal(tmp_path, new_writer(NOW, b"zzzz"))
    later = open_journal(tmp_path, new_writer(NOW + timedelta(hours=1), b"aaaa"))
    for n, journal in enumerate([first, second, first, second, later, first, later]):
        await journal.append(decision(Effect.BLOCK, at=NOW + timedelta(minutes=20 * n), why=f"n{n}"))
    for journal in (first, second, later):
        await journal.close()
    assert [receipt.fields["why"] for receipt in all_receipts(log_folder(tmp_path))] == [f"n{n}" for n in range(7)]


async def test_a_log_is_opened_only_when_its_time_comes(tmp_path: Path) -> None:
    for n in range(5):
        journal = open_journal(tmp_path, new_writer(NOW + timedelta(hours=n), b"aaaa"))
        await journal.append(decision(at=NOW + timedelta(hours=n, seconds=1)))
        await journal.close()
    reading = all_receipts(log_folder(tmp_path))
    next(reading)
    (writers(log_folder(tmp_path))[-1] / "000000000000.jsonl").write_bytes(b"no receipt\n" + b"x")
    assert sum(1 for _ in reading) == 3


async def test_what_no_signature_covers_is_not_read(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.append(decision())
    await journal.close()
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes().split(b"\n")[0])
    assert [receipt.seq for receipt in receipts_of(journal.folder)] == [0]


async def test_a_line_that_is_no_receipt_is_an_error_or_told(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for _ in range(3):
        await journal.append(decision())
    await journal.close()
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seq":1,', b'"seq":1.'))
    with pytest.raises(EvidenceError, match=r"log w1 has a line .* run outgate verify"):
        list(receipts_of(journal.folder))
    told: list[str] = []
    assert [receipt.seq for receipt in receipts_of(journal.folder, told.append)] == [0, 2]
    assert len(told) == 1


async def test_a_tail_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    tail = LogTail(journal.folder)
    assert list(tail.receipts()) == []
    for n in range(3):
        await journal.append(decision())
        assert [receipt.seq for receipt in tail.receipts()] == [n]
    await journal.close()
    tail.close()


async def test_a_tail_can_begin_with_the_newest_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outgate.stores.files.MOST_SEGMENT", 3000)
    journal = open_journal(tmp_path)
    for _ in range(9):
        await journal.append(decision())
    await journal.close()
    newest = max(int(path.stem) for path in journal.folder.glob("*.jsonl"))
    assert newest > 0
    tail = LogTail(journal.folder, newest=True)
    assert [receipt.seq for receipt in tail.receipts()] == list(range(newest, 9))
    tail.close()


async def test_a_log_that_is_there_but_can_not_be_read_is_unavailable(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.close()
    (journal.folder / "000000000000.jsonl").unlink()
    (journal.folder / "000000000000.jsonl").mkdir()
    with pytest.raises(UnavailableError, match="can't be read"):
        check_log(journal.folder, KEY.public)


async def test_an_open_decision_of_a_running_writer_is_open_and_of_a_dead_one_unknown(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.append(outcome(await journal.append(decision())))
    await journal.append(decision())
    assert check_logs(writers(log_folder(tmp_path)), KEY.public).open == ("w1-2",)
    await journal.close()
    verdict = check_logs(writers(log_folder(tmp_path)), KEY.public)
    assert verdict.good
    assert (verdict.open, verdict.unknown) == ((), ("w1-2",))


async def test_progress_counts_every_byte(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for _ in range(5):
        await journal.append(decision())
    await journal.close()
    read: list[int] = []
    check_log(journal.folder, KEY.public, read.append)
    assert sum(read) == size_of(journal.folder) > 0
