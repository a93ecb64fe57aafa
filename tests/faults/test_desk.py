"""Many processes and sudden deaths on one desk: a grant is used once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from faults.sharing import NOW, sharing, use_and_restore, use_at_once
from stored import approval

from outgate.stores.desk_sqlite import SqliteDesk

if TYPE_CHECKING:
    from pathlib import Path


def granted(path: Path, many: int) -> None:
    """Put that many approvals on a desk."""

    async def ask() -> None:
        desk = SqliteDesk.open(path)
        for n in range(many):
            await desk.ask(approval(f"grant-{n}", request=f"sha256:{n}", asked=NOW, expires=NOW + timedelta(days=1)))
        await desk.close()

    asyncio.run(ask())


def used(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        return {name for (name,) in db.execute("select id from approvals where used is not null")}


def test_of_fifty_that_race_in_five_processes_exactly_one_uses_a_grant(tmp_path: Path) -> None:
    granted(tmp_path / "desk", 20)
    with sharing(use_at_once, tmp_path / "desk") as processes:
        for _ in range(5):
            processes.start(20)
        processes.end()
        said = Counter(name for _, name in processes.said())
    assert said == {f"grant-{n}": 1 for n in range(20)}


def test_killed_fifty_times_no_grant_is_used_twice(tmp_path: Path) -> None:
    granted(tmp_path / "desk", 300)
    with sharing(use_and_restore, tmp_path / "desk") as processes:
        processes.kill_many(50, random.Random(12))
        processes.end()
        said = processes.said()
    times = Counter(name for word, name in said if word == "used")
    assert len(times) > 10
    assert set(times.values()) == {1}
    kept = used(tmp_path / "desk")
    assert set(times) <= kept
    assert len(kept - set(times)) <= 50, "a death keeps at most one grant from being told of"
    asyncio.run(never_again(tmp_path / "desk", kept))


async def never_again(path: Path, names: set[str]) -> None:
    desk = SqliteDesk.open(path)
    assert not any([await desk.use(name, NOW) for name in names])
    await desk.close()
