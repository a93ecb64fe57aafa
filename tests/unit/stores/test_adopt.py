"""outgate.stores.adopt"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from receipts_made import KEY, NOW, decision, open_journal, outcome

from outgate.errors import UnavailableError
from outgate.policy.effect import Effect
from outgate.receipts.receipt import Result
from outgate.stores.adopt import adopt
from outgate.stores.logs import check_log, check_logs, log_folder, receipts_of, writers

if TYPE_CHECKING:
    from pathlib import Path

    from outgate.receipts.verify import Verdict
    from outgate.stores.files import FileJournal


async def died(state: Path, writer: str, *, open_decisions: int = 1) -> FileJournal:
    """A writer whose process ended with decisions open."""
    journal = open_journal(state, writer)
    await journal.append(outcome(await journal.append(decision())))
    await journal.append(decision(Effect.BLOCK))
    for _ in range(open_decisions):
        await journal.append(decision())
    await journal.close()
    return journal


async def adopted(state: Path, writer: str) -> int:
    journal = open_journal(state, writer)
    try:
        return await adopt(journal, log_folder(state), own=writer, key=KEY.public, now=NOW)
    finally:
        await journal.close()


def verdict(state: Path) -> Verdict:
    return check_logs(writers(log_folder(state)), KEY.public)


async def test_the_next_writer_says_what_nobody_knows_the_outcome_of(tmp_path: Path) -> None:
    await died(tmp_path, "w1", open_decisions=2)
    assert verdict(tmp_path).unknown == ("w1-3", "w1-4")
    assert await adopted(tmp_path, "w2") == 2
    said = list(receipts_of(log_folder(tmp_path) / "w2"))
    assert [receipt.type for receipt in said] == ["log-closed", "outcome", "outcome"]
    assert said[1].fields["of"] == {"writer": "w1", "seq": 3}
    assert said[1].fields["result"] == Result.UNKNOWN
    assert verdict(tmp_path).good
    assert verdict(tmp_path).unknown == ()


async def test_the_dead_log_itself_is_left_as_it_is(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    before = (journal.folder / "000000000000.jsonl").read_bytes()
    torn = before + b'{"at":"2026'
    (journal.folder / "000000000000.jsonl").write_bytes(torn)
    await adopted(tmp_path, "w2")
    assert (journal.folder / "000000000000.jsonl").read_bytes() == torn
    assert verdict(tmp_path).good


async def test_it_is_said_once(tmp_path: Path) -> None:
    await died(tmp_path, "w1")
    assert await adopted(tmp_path, "w2") == 1
    assert await adopted(tmp_path, "w3") == 0
    assert [receipt.fields["about"]["writer"] for receipt in receipts_of(log_folder(tmp_path) / "w3")] == ["w2"]  # type: ignore[index,call-overload]


async def test_a_writer_that_died_while_telling_repeats_nothing(tmp_path: Path) -> None:
    await died(tmp_path, "w1", open_decisions=3)
    await adopted(tmp_path, "w2")
    (log_folder(tmp_path) / "w1" / "closed").unlink()
    assert await adopted(tmp_path, "w3") == 0
    assert verdict(tmp_path).good


async def test_a_running_writers_log_is_not_touched(tmp_path: Path) -> None:
    running = open_journal(tmp_path, "w1")
    await running.append(decision())
    assert await adopted(tmp_path, "w2") == 0
    assert verdict(tmp_path).open == ("w1-0",)
    await running.close()


async def test_a_log_cut_after_it_was_closed_is_found(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    await adopted(tmp_path, "w2")
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in path.read_bytes().split(b"\n")[:4]))
    assert check_log(journal.folder, KEY.public).bad is None
    assert verdict(tmp_path).problems == ("log w1 was cut or replaced: it has 2 receipts, w2-0 saw 4",)


async def test_a_log_removed_after_it_was_closed_is_found(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    await adopted(tmp_path, "w2")
    for path in journal.folder.iterdir():
        path.unlink()
    journal.folder.rmdir()
    assert verdict(tmp_path).problems == ("log w1 is missing: w2-0 saw 4 receipts in it",)


async def test_a_log_that_was_changed_is_said_to_be_bad(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b"block", b"allow", 1))
    await adopted(tmp_path, "w2")
    about = next(iter(receipts_of(log_folder(tmp_path) / "w2"))).fields["about"]
    assert "receipt 2" in about["bad"]  # type: ignore[index,operator,call-overload]


async def test_where_the_telling_fails_nothing_is_marked(tmp_path: Path) -> None:
    await died(tmp_path, "w1")
    journal = open_journal(tmp_path, "w2")
    await journal.close()
    with pytest.raises(UnavailableError):
        await adopt(journal, log_folder(tmp_path), own="w2", key=KEY.public, now=NOW + timedelta(days=1))
    assert not (log_folder(tmp_path) / "w1" / "closed").exists()
    assert await adopted(tmp_path, "w3") == 1
