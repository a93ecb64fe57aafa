"""Many processes and sudden deaths on one ledger: never one too many, never one too few, nothing that was taken is lost."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from faults.sharing import AT_ONCE, KEYS, NOW, charges, sharing, take_and_settle, take_at_once

from outgate.stores.counting import microseconds
from outgate.stores.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES = 8


@pytest.mark.parametrize("size", [1, 137, PROCESSES * AT_ONCE, 1000])
def test_of_two_hundred_in_eight_processes_exactly_as_many_pass_as_there_is_room(tmp_path: Path, size: int) -> None:
    with sharing(take_at_once, tmp_path / "ledger") as processes:
        for _ in range(PROCESSES):
            processes.start(size)
        processes.end()
        taken = sum(int(many) for _, many in processes.said())
    assert taken == min(size, PROCESSES * AT_ONCE)
    assert counted(tmp_path / "ledger", size) == (taken, taken)


def counted(path: Path, size: int) -> tuple[int, int]:
    """What the file says was taken, of the quota and of the rate."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        (used,) = db.execute("select used from quotas where key = 'quota'").fetchone()
        (tat,) = db.execute("select tat from rates where key = 'rate'").fetchone()
    return used, round((tat - microseconds(NOW)) * size / 3_600_000_000)


async def test_killed_fifty_times_limits_hold_and_nothing_that_was_taken_is_lost(tmp_path: Path) -> None:
    with sharing(take_and_settle, tmp_path / "ledger") as processes:
        processes.kill_many(50, random.Random(11))
        processes.end()
        said = processes.said()
    taken = sum(int(many) for word, many in said if word == "took")
    assert taken > 0
    used, flowed = counted(tmp_path / "ledger", 6000)
    assert taken <= used <= 6000
    assert taken <= flowed <= 6000
    ledger = SqliteLedger.open(tmp_path / "ledger")
    left = 6000 - max(used, flowed)
    assert not (await ledger.reserve(charges(left + 1, 6000), NOW)).taken
    assert len((await ledger.reserve(charges(left, 6000), NOW)).taken) == len(KEYS)
    assert not (await ledger.reserve(charges(1, 6000), NOW)).taken
    await ledger.close()
