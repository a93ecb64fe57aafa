"""outgate.stores.desk_sqlite: what the contract of every desk does not say."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from stored import NOW, approval, vote

from outgate.errors import UnavailableError
from outgate.stores import database, desk_sqlite
from outgate.stores.desk_sqlite import SqliteDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = timedelta(days=1)
LONG = 60.0


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[SqliteDesk]:
    made = SqliteDesk.open(tmp_path / "desk")
    yield made
    await made.close()


async def test_all_of_it_outlives_a_restart(tmp_path: Path) -> None:
    first = SqliteDesk.open(tmp_path / "desk")
    asked = await first.ask(approval())
    await first.vote(asked.id, vote())
    await first.use(asked.id, NOW)
    await first.close()
    second = SqliteDesk.open(tmp_path / "desk")
    found = await second.get(asked.id)
    assert found is not None
    assert (found.statement, found.votes, found.used) == (asked.statement, (vote(),), NOW)
    assert not await second.use(asked.id, NOW)
    await second.close()


async def test_nobody_else_can_read_it(desk: SqliteDesk, tmp_path: Path) -> None:
    await desk.ask(approval())
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


async def test_everything_is_on_the_disk_before_it_is_answered(desk: SqliteDesk) -> None:
    await desk.ask(approval())
    assert desk._db._db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert desk._db._db.execute("pragma synchronous").fetchone() == (2,)


async def test_who_waits_is_woken_by_what_another_desk_does(desk: SqliteDesk, tmp_path: Path) -> None:
    asked = await desk.ask(approval())
    other = SqliteDesk.open(tmp_path / "desk")
    for votes, act in ((0, other.vote(asked.id, vote())), (1, other.use(asked.id, NOW))):
        waiting = asyncio.create_task(desk.changed(asked.id, votes, LONG))
        while desk._watching is None:
            await asyncio.sleep(0)
        await act
        await waiting
    await other.close()


async def test_all_who_wait_share_one_look_and_none_is_taken_when_nobody_waits(desk: SqliteDesk) -> None:
    await desk.ask(approval())
    looks = 0
    state = desk._state

    def counted(db: sqlite3.Connection) -> tuple[int, int]:
        nonlocal looks
        looks += 1
        return state(db)

    desk._state = counted  # type: ignore[method-assign]
    waiting = [asyncio.create_task(desk.changed("aaaa-bbbb-cccc", 0, LONG)) for _ in range(100)]
    while looks < 3:
        await asyncio.sleep(0)
    looking = desk._watching
    assert looking is not None
    await desk.vote("aaaa-bbbb-cccc", vote())
    await asyncio.gather(*waiting)
    assert desk._watching is None
    assert desk._watched == set()
    await asyncio.wait({looking})
    assert looks < 100


async def test_a_desk_that_is_lost_is_told_to_those_who_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    desk = SqliteDesk.open(tmp_path / "desk")
    await desk.ask(approval())
    waiting = asyncio.create_task(desk.changed("aaaa-bbbb-cccc", 0, LONG))
    while desk._watching is None:
        await asyncio.sleep(0)
    desk._db._db.execute("drop table votes")
    with pytest.raises(UnavailableError, match=r"the desk .* fails .no such table"):
        await waiting
    await desk.close()


async def test_what_expired_a_month_ago_is_forgotten_with_its_votes(desk: SqliteDesk) -> None:
    old = await desk.ask(approval())
    await desk.vote(old.id, vote())
    last = old.expires + 30 * DAY
    await desk.ask(approval("dddd-eeee-ffff", request="sha256:01", asked=last, expires=last + DAY))
    assert await desk.get(old.id) is not None
    later = last + timedelta(microseconds=1)
    await desk.ask(approval("gggg-hhhh-iiii", request="sha256:02", asked=later, expires=later + DAY))
    assert await desk.get(old.id) is None
    assert desk._db._db.execute("select count(*) from votes").fetchone() == (0,)
    assert len(await desk.recent(9)) == 2


async def test_no_agent_fills_the_desk(desk: SqliteDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_sqlite, "MOST_OPEN", 3)
    for n in range(3):
        await desk.ask(approval(f"aaaa-bbbb-ccc{n}", request=f"sha256:{n}"))
    with pytest.raises(UnavailableError, match="agent coder has 3 approvals that wait"):
        await desk.ask(approval("dddd-eeee-ffff", request="sha256:9"))
    assert (await desk.ask(approval("dddd-eeee-ffff", request="sha256:1"))).id == "aaaa-bbbb-ccc1"
    await desk.ask(approval("dddd-eeee-ffff", request="sha256:9", agent="mailer"))
    await desk.use("aaaa-bbbb-ccc0", NOW)
    await desk.ask(approval("dddd-eeee-fff2", request="sha256:8"))


@pytest.mark.parametrize("panels", ["", "{}", "[]", "7", '[{"name":"ops"}]', "[1]", '[{"of":null}]'])
async def test_an_approval_that_was_changed_in_the_file_is_no_approval(desk: SqliteDesk, panels: str) -> None:
    asked = await desk.ask(approval())
    desk._db._db.execute("update approvals set panels = ?", (panels,))
    with pytest.raises(UnavailableError, match="approval aaaa-bbbb-cccc was changed on the desk"):
        await desk.find(asked.request, NOW)


async def test_a_full_disk_is_named_and_what_was_asked_is_not_there(desk: SqliteDesk) -> None:
    pages = desk._db._db.execute("pragma page_count").fetchone()[0]
    desk._db._db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(UnavailableError, match="the disk is full"):
        await desk.ask(approval(statement=b"x" * 60_000))
    assert await desk.find("sha256:00", NOW) is None


async def test_a_damaged_desk_says_what_is_lost(tmp_path: Path) -> None:
    (tmp_path / "desk").write_bytes(b"this is no database" * 100)
    with pytest.raises(UnavailableError, match=r"damaged.*what waits for approval must be asked for again"):
        SqliteDesk.open(tmp_path / "desk")


async def test_a_desk_that_another_keeps_locked_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    desk = SqliteDesk.open(tmp_path / "desk")
    other = sqlite3.connect(tmp_path / "desk", isolation_level=None)
    other.execute("begin immediate")
    for call in (desk.ask(approval()), desk.use("a", NOW), desk.restore("a"), desk.vote("a", vote())):
        with pytest.raises(UnavailableError, match="kept it locked"):
            await call
    assert await desk.find("sha256:00", NOW) is None, "who only reads needs nobody's leave"
    other.execute("rollback")
    other.close()
    await desk.close()
