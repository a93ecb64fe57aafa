"""ports.Journal, on every store: order, durability, and what happens when it can't be kept."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from receipts_made import KEY, FaultyDisk, checked, decision, open_journal, outcome, settle, split

from outgate.errors import EvidenceError, UnavailableError
from outgate.policy.effect import Effect
from outgate.ports import Stamp
from outgate.receipts.chain import parse
from outgate.receipts.checkpoint import note_in
from outgate.stores import files
from outgate.stores.logs import log_folder
from outgate.stores.memory import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from receipts_made import Fault

    from outgate.receipts.verify import LogReport
    from outgate.stores.files import FileJournal


@dataclass
class Kept:
    """A journal, and what a reader finds of it."""

    journal: MemoryJournal | FileJournal
    state: Path

    @property
    def lines(self) -> list[bytes]:
        if isinstance(self.journal, MemoryJournal):
            return self.journal.lines
        return lines_in(self.state)

    @property
    def report(self) -> LogReport:
        return checked(self.lines, writer=self.journal.writer)


def lines_in(state: Path) -> list[bytes]:
    return [line for path in sorted(log_folder(state).glob("*/*.jsonl")) for line in split(path.read_bytes())]


@pytest.fixture(params=["memory", "files"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    journal = MemoryJournal(writer="w1", key=KEY) if request.param == "memory" else open_journal(tmp_path)
    yield Kept(journal=journal, state=tmp_path)
    await journal.close()


async def test_the_order_of_calls_is_the_order_of_receipts(kept: Kept) -> None:
    futures = [kept.journal.append(decision(Effect.BLOCK, why=f"n{i}")) for i in range(300)]
    assert await settle(*futures) == [Stamp(writer="w1", seq=i) for i in range(300)]
    receipts = [parse(line[:-1]) for line in kept.lines if note_in(line[:-1]) is None]
    assert [receipt.fields["why"] for receipt in receipts] == [f"n{i}" for i in range(300)]


async def test_what_is_done_is_covered_by_a_signature(kept: Kept) -> None:
    for n in range(5):
        stamp = await kept.journal.append(decision())
        assert stamp.seq == n
        assert kept.report.size == n + 1
        assert kept.report.bad is None


async def test_what_can_not_be_a_receipt_is_refused_and_leaves_no_trace(kept: Kept) -> None:
    for bad in ({"x": 1.5}, {"é": 1}, {"x": 2**60}, {"x": "y" * 70_000}):
        with pytest.raises(EvidenceError):
            kept.journal.append(bad)  # type: ignore[arg-type]
    assert await kept.journal.append(decision()) == Stamp(writer="w1", seq=0)
    assert kept.report.size == 1


async def test_a_closed_journal_refuses(kept: Kept) -> None:
    waiting = kept.journal.append(decision())
    await kept.journal.close()
    assert await waiting == Stamp(writer="w1", seq=0)
    with pytest.raises(UnavailableError, match="closed"):
        kept.journal.append(decision())
    await kept.journal.close()


async def test_a_caller_that_went_away_changes_nothing(kept: Kept) -> None:
    kept.journal.append(decision()).cancel()
    assert await kept.journal.append(decision()) == Stamp(writer="w1", seq=1)
    assert kept.report.size == 2


async def test_a_failed_memory_journal_refuses_all_that_follows() -> None:
    journal = MemoryJournal()
    journal.fail("the disk is full")
    for _ in range(2):
        with pytest.raises(UnavailableError, match="the disk is full"):
            journal.append(decision())


REQUESTS = 4


async def some_requests(journal: FileJournal) -> tuple[list[Stamp], int]:
    """Decide and conclude until the journal refuses: give what was let out, and how many appends raised."""
    let_out: list[Stamp] = []
    refused = 0
    for _ in range(REQUESTS):
        try:
            let_out.append(await journal.append(decision()))
            await journal.append(outcome(let_out[-1]))
        except UnavailableError:
            refused += 1
    return let_out, refused


@pytest.mark.parametrize("how", ["unsaved", "saved", "torn"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
async def test_whichever_operation_fails_nothing_that_took_effect_is_lost(
    tmp_path: Path, how: Fault, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop of SQLite's own tests: fail the first operation, the second, … until a run has no fault."""
    monkeypatch.setattr(files, "MOST_SEGMENT", 3000)
    kinds: set[str] = set()
    for n in range(1, 100):
        state = tmp_path / f"{n}"
        disk = FaultyDisk(fail_at=n, how=how, error=error)
        try:
            journal = open_journal(state, disk=disk)
        except UnavailableError:
            continue
        let_out, refused = await some_requests(journal)
        if len(disk.done) < n:
            assert (len(let_out), refused) == (REQUESTS, 0)
            assert kinds >= ({"write"} if how == "torn" else {"create", "write", "sync", "sync_folder"})
            await journal.close()
            return
        kinds.add(disk.done[-1])
        await refuses_for_good(journal, disk)
        report = checked(lines_in(state), writer="w1")
        assert report.bad is None
        assert all(stamp.seq < report.size for stamp in let_out)
    pytest.fail("no run was without a fault")


async def refuses_for_good(journal: FileJournal, disk: FaultyDisk) -> None:
    for _ in range(2):
        with pytest.raises(UnavailableError):
            journal.append(decision())
    await journal.close()
    assert len(disk.done) == disk.fail_at, "nothing is tried after an error, the failed call least of all"


async def test_all_that_wait_when_a_write_fails_are_refused(tmp_path: Path) -> None:
    disk = FaultyDisk(fail_at=0, how="unsaved", error=errno.ENOSPC)
    journal = open_journal(tmp_path, disk=disk)
    disk.fail_at = len(disk.done) + 1

    async def ask() -> Stamp:
        return await journal.append(decision())

    results = await asyncio.gather(*[ask() for _ in range(50)], return_exceptions=True)
    assert all(isinstance(result, UnavailableError) for result in results)
    await journal.close()
