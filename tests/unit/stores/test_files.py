"""outgate.stores.files"""

from __future__ import annotations

import asyncio
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from receipts_made import KEY, checked, decision, open_journal, outcome, settle, split

from outgate.disk import Disk, try_lock
from outgate.errors import UnavailableError
from outgate.keys.ed25519 import SigningKey
from outgate.policy.effect import Effect
from outgate.ports import Stamp
from outgate.stores import files
from outgate.stores.files import FileJournal
from outgate.stores.logs import LogTail, check_log, is_running, log_folder, segment_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Counting(Disk):
    """A real disk that counts, and can be held up."""

    def __init__(self) -> None:
        self.writes = self.syncs = 0
        self.open = threading.Event()
        self.open.set()

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self.open.wait()
        self.writes += 1
        return Disk.write(self, fd, data)

    def sync(self, fd: int) -> None:
        self.syncs += 1
        Disk.sync(self, fd)


async def test_all_that_wait_share_one_write_one_sync_and_one_signature(tmp_path: Path) -> None:
    disk = Counting()
    journal = open_journal(tmp_path, disk=disk)
    disk.open.clear()
    first = journal.append(decision())
    waiting = [journal.append(decision()) for _ in range(64)]
    disk.open.set()
    await settle(first, *waiting)
    assert (disk.writes, disk.syncs) in {(1, 1), (2, 2)}
    await journal.close()
    assert check_log(log_folder(tmp_path) / "w1", KEY.public).size == 65


async def test_outcomes_are_written_with_a_decision_or_together_by_themselves(tmp_path: Path) -> None:
    disk = Counting()
    journal = open_journal(tmp_path, disk=disk)
    of = await journal.append(decision())
    carried = journal.append(outcome(of))
    await settle(carried, journal.append(decision()))
    assert disk.syncs == 2
    await settle(*(journal.append(outcome(of)) for _ in range(3)))
    assert disk.syncs == 3
    await settle(journal.append(outcome(of)))
    assert disk.syncs == 4
    await journal.close()


async def test_appending_never_waits_for_the_disk(tmp_path: Path) -> None:
    disk = Counting()
    journal = open_journal(tmp_path, disk=disk)
    disk.open.clear()
    future = journal.append(decision())
    await asyncio.sleep(0)
    assert not future.done()
    disk.open.set()
    assert await future == Stamp(writer="w1", seq=0)
    await journal.close()


async def test_when_the_disk_is_too_slow_nothing_new_is_decided_but_outcomes_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_WAITING", 3000)
    disk = Counting()
    journal = open_journal(tmp_path, disk=disk)
    disk.open.clear()
    waiting = [journal.append(decision()) for _ in range(4)]
    with pytest.raises(UnavailableError, match="too slow"):
        journal.append(decision())
    waiting.append(journal.append(outcome(Stamp(writer="w1", seq=0))))
    disk.open.set()
    stamps = await settle(*waiting)
    assert stamps == [Stamp(writer="w1", seq=n) for n in range(len(waiting))]
    assert (await journal.append(decision())).seq == len(waiting)
    await journal.close()


async def test_a_full_segment_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_SEGMENT", 4000)
    journal = open_journal(tmp_path)
    for _ in range(12):
        await journal.append(decision())
    await journal.close()
    names = sorted(path.name for path in journal.folder.glob("*.jsonl"))
    assert len(names) > 2
    assert names[0] == "000000000000.jsonl"
    assert check_log(journal.folder, KEY.public).size == 12


async def test_a_missing_segment_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_SEGMENT", 4000)
    journal = open_journal(tmp_path)
    for _ in range(12):
        await journal.append(decision())
    await journal.close()
    segments = sorted(journal.folder.glob("*.jsonl"))
    segments[1].unlink()
    bad = check_log(journal.folder, KEY.public).bad
    assert bad is not None
    assert bad.seq == int(segments[1].stem)


async def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "state")
    await journal.append(decision())
    await journal.close()
    for path in [*(tmp_path / "state").rglob("*"), tmp_path / "state"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_its_lock_is_held_while_it_lives(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert try_lock(journal.folder / "lock") is None
    await journal.close()
    assert try_lock(journal.folder / "lock") is not None


async def test_two_writers_never_share_a_log(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.append(decision())
    with pytest.raises(UnavailableError):
        open_journal(tmp_path)
    assert (await journal.append(decision())).seq == 1
    await journal.close()


def test_a_state_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(UnavailableError, match="no log can be kept in"):
        open_journal(tmp_path / "state")


async def test_a_short_write_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Short(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            return Disk.write(self, fd, data[:100])

    journal = open_journal(tmp_path, disk=Short())
    await settle(*[journal.append(decision()) for _ in range(5)])
    await journal.close()
    data = b"".join(path.read_bytes() for path in journal.folder.glob("*.jsonl"))
    assert checked(split(data), writer="w1").size == 5


async def test_whatever_goes_wrong_in_the_writer_nobody_waits_for_ever(tmp_path: Path) -> None:
    class Broken(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            raise MemoryError

    journal = open_journal(tmp_path, disk=Broken())
    with pytest.raises(UnavailableError, match="MemoryError"):
        await journal.append(decision())
    with pytest.raises(UnavailableError):
        journal.append(decision())
    await journal.close()


def test_what_waited_when_the_loop_ended_is_written(tmp_path: Path) -> None:
    async def leave() -> FileJournal:
        journal = open_journal(tmp_path)
        for _ in range(3):
            journal.append(decision())
        return journal

    journal = asyncio.run(leave())
    asyncio.run(journal.close())
    assert check_log(journal.folder, KEY.public).size == 3


async def test_a_reader_beside_a_writer_sees_whole_covered_receipts_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_SEGMENT", 3000)

    class Slow(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            seen.extend(receipt.seq for receipt in tail.receipts())
            return Disk.write(self, fd, data[:333])

    seen: list[int] = []
    journal = open_journal(tmp_path, disk=Slow())
    tail = LogTail(journal.folder)
    for n in range(20):
        await journal.append(decision())
        assert max(seen, default=0) <= n
    await journal.close()
    seen.extend(receipt.seq for receipt in tail.receipts())
    tail.close()
    assert seen == list(range(20))


async def left(state: Path, receipts: int = 3) -> Path:
    """A log that its writer has ended."""
    journal = open_journal(state)
    for _ in range(receipts):
        await journal.append(decision(Effect.BLOCK))
    await journal.close()
    return journal.folder


async def test_a_log_is_gone_on_with_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    folder = await left(tmp_path)
    for size in (3, 5):
        journal = FileJournal.resume(folder, key=KEY)
        assert journal is not None
        assert journal.size == size
        assert [(await journal.append(decision(Effect.BLOCK))).seq for _ in range(2)] == [size, size + 1]
        await journal.close()
    report = check_log(folder, KEY.public)
    assert (report.size, report.bad, report.uncovered) == (7, None, 0)


async def test_a_log_is_gone_on_with_over_its_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_SEGMENT", 3000)
    folder = await left(tmp_path, 8)
    before = len(list(folder.glob("*.jsonl")))
    for _ in range(8):
        journal = FileJournal.resume(folder, key=KEY)
        assert journal is not None
        await journal.append(decision(Effect.BLOCK))
        await journal.close()
    assert len(list(folder.glob("*.jsonl"))) > before > 1
    assert (check_log(folder, KEY.public).size, check_log(folder, KEY.public).bad) == (16, None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "closed").touch(),
        lambda folder: (folder / segment_name(0)).write_bytes((folder / segment_name(0)).read_bytes() + b'{"type":'),
        lambda folder: (folder / segment_name(0)).write_bytes(
            (folder / segment_name(0)).read_bytes().replace(b"acme", b"amce", 1)
        ),
        lambda folder: (folder / segment_name(0)).write_bytes((folder / segment_name(0)).read_bytes() * 1000),
        lambda folder: (folder / segment_name(0)).write_bytes(
            b"".join((folder / segment_name(0)).read_bytes().splitlines(True)[:-1])
        ),
    ],
    ids=["told", "torn", "changed", "long", "uncovered"],
)
async def test_a_log_that_is_told_torn_changed_long_or_not_covered_is_left_alone(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    folder = await left(tmp_path)
    spoil(folder)
    before = (folder / segment_name(0)).read_bytes()
    assert FileJournal.resume(folder, key=KEY) is None
    assert (folder / segment_name(0)).read_bytes() == before
    assert not is_running(folder)


async def test_a_log_of_another_key_is_left_alone(tmp_path: Path) -> None:
    folder = await left(tmp_path)
    assert FileJournal.resume(folder, key=SigningKey.from_seed(b"j" * 32)) is None


async def test_a_log_that_is_written_is_left_alone(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.append(decision(Effect.BLOCK))
    assert FileJournal.resume(journal.folder, key=KEY) is None
    await journal.close()


@pytest.mark.parametrize("what", ["segment", "folder"])
async def test_a_log_that_is_moved_away_while_it_is_written_is_written_no_more(tmp_path: Path, what: str) -> None:
    journal = open_journal(tmp_path)
    await journal.append(decision())
    gone = journal.folder / segment_name(0) if what == "segment" else journal.folder
    gone.rename(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="was moved or removed meanwhile; restart to begin a new one"):
        await journal.append(decision())
    with pytest.raises(UnavailableError):
        journal.append(decision())
    assert journal.broken
    await journal.close()
