"""A server whose stores fail under it: what needs them is refused, the rest goes on, and after the repair all is as it was."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults.served import World, proves

from outgate.stores.logs import log_folder, writers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from faults.served import Server

LIMIT = 20
RULES = (
    f'{{id: few, match: {{resource: "*/few/*"}}, limit: {LIMIT}/day, effect: throttle}}',
    '{id: ask, match: {resource: "*/ask/*"}, effect: escalate, to: ops}',
)
NEEDS = {"ledger": "few", "desk": "ask"}
"""What can't be decided without each store."""
WELL = {"few": 200, "ask": 403, "free": 200}
REFUSED = dict.fromkeys(WELL, 503)
needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nsenter") is None, reason="mounting a small disk needs root")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path, RULES, hold="0s") as made:
        yield made


async def status(server: Server, path: str, agent: str = "mailer") -> int:
    async with server.client(agent) as client:
        return await client.status(path)


async def each(server: Server, name: str) -> dict[str, int]:
    """What is answered where a limit must be known, where people must be asked, and where neither."""
    return {kind: await status(server, f"/{kind}/{name}") for kind in WELL}


async def without(server: Server, store: str, name: str) -> None:
    """Assert that what needs this store is refused, and nothing else."""
    assert await each(server, name) == {**WELL, NEEDS[store]: 503}
    assert not server.world.paths(f"/{NEEDS[store]}/{name}")


async def the_switch_works(server: Server) -> None:
    """Whatever else is gone: who is halted is refused at once, and others are not."""
    code, said = await server.world.outgate("halt", "payer")
    assert code == 0, said
    assert (await status(server, "/free/halted", "payer"), await status(server, "/free/going-on")) == (403, 200)
    code, said = await server.world.outgate("resume", "payer")
    assert code == 0, said
    assert await status(server, "/free/resumed", "payer") == 200


async def as_it_was(server: Server, before: Sequence[str] = ()) -> None:
    """After a restart the limit knows what was used, and nothing was ever let out unrecorded."""
    world = server.world
    await server.stop()
    await server.start(before)
    assert await each(server, "again") == WELL
    for number in range(LIMIT + 1):
        last = await status(server, f"/few/rest-{number}")
    assert last == 429
    assert await server.stop() == 0, server.said
    used = [one for one in await proves(world) if one.path.startswith("/few/") and one.may_have_left]
    assert len(used) == LIMIT, "what nobody knows the outcome of counts as well"
    assert world.paths("/few/").total() <= LIMIT


async def test_a_store_that_is_moved_away_is_missed_until_it_is_back(world: World) -> None:
    server = await world.server().start()
    assert await each(server, "before") == WELL
    for store in NEEDS:
        file = world.state / f"{store}.sqlite"
        file.rename(file.with_name("aside"))
        await without(server, store, f"without-{store}")
        await the_switch_works(server)
        assert not file.exists()
        file.with_name("aside").rename(file)
        assert await each(server, f"after-{store}") == WELL
    await as_it_was(server)


async def test_stores_that_somebody_keeps_locked_hold_up_nothing_else(world: World) -> None:
    server = await world.server().start()
    assert await each(server, "before") == WELL
    with closing(locked(world.state / "ledger.sqlite")), closing(locked(world.state / "desk.sqlite")):
        waiting = {asyncio.create_task(status(server, path)) for path in ("/few/locked", "/ask/locked")}
        assert [await status(server, f"/free/{number}") for number in range(20)] == [200] * 20
        await the_switch_works(server)
        assert all(not task.done() for task in waiting), "it was not waited for"
        assert await asyncio.gather(*waiting) == [503, 503]
    assert await each(server, "after") == WELL
    assert not world.paths("/few/locked")
    await as_it_was(server)


def locked(path: Path) -> sqlite3.Connection:
    """Somebody who begins to write, and does not end."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin immediate")
    return db


@needs_root
async def test_stores_on_a_disk_that_is_full_are_missed_until_it_is_not(world: World) -> None:
    async with small_disk(world) as (disk, inside):
        server = await world.server().start(inside)
        assert await each(server, "before") == WELL
        with pytest.raises(OSError, match="No space"):
            (disk / "filled").write_bytes(bytes(2 << 20))
        assert await each(server, "full") == {**WELL, "few": 503, "ask": 503}
        await the_switch_works(server)
        (disk / "filled").unlink()
        assert await each(server, "after") == WELL
        assert not world.paths("/few/full")
        await as_it_was(server, inside)


@asynccontextmanager
async def small_disk(world: World) -> AsyncIterator[tuple[Path, list[str]]]:
    """A disk of 1 MB that both stores are on; where it is found from outside, and what a server starts with to be inside."""
    there = world.folder / "disk"
    there.mkdir()
    world.state.mkdir(mode=0o700)
    for store in NEEDS:
        (world.state / f"{store}.sqlite").symlink_to(there / f"{store}.sqlite")
    mount = 'mount -t tmpfs -o size=1m outgate "$0" || exit 77; echo mounted; exec sleep infinity'
    holder = await asyncio.create_subprocess_exec("unshare", "-m", "sh", "-c", mount, there, stdout=asyncio.subprocess.PIPE)
    assert holder.stdout is not None
    try:
        if await holder.stdout.readline() != b"mounted\n":
            pytest.skip("this machine may not mount")
        yield Path(f"/proc/{holder.pid}/root{there}"), ["nsenter", "-t", str(holder.pid), "-m"]
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.wait()


@pytest.mark.parametrize("what", ["full", "moved"])
async def test_without_a_log_nothing_is_let_out_until_a_restart(world: World, what: str) -> None:
    server = await world.server().start()
    assert await each(server, "before") == WELL
    (segment,) = (writers(log_folder(world.state))[-1]).glob("*.jsonl")
    aside = world.folder / "aside"
    if what == "full":
        no_more_than(server, segment.stat().st_size + 100)
    else:
        segment.rename(aside)
    assert await each(server, "without") == REFUSED
    assert await each(server, "still") == REFUSED
    code, said = await world.outgate("halt", "payer")
    assert code == 0, said
    assert await status(server, "/free/halted", "payer") == 503
    code, said = await world.outgate("resume", "payer")
    assert code == 0, said
    assert not [path for kind in WELL for name in ("without", "still") for path in world.paths(f"/{kind}/{name}")]
    if what == "moved":
        aside.rename(segment)
    assert await server.stop() == 1, "the end of the log is missing, and that is said"
    assert "the log could not be written to its end" in server.said
    await server.start()
    await as_it_was(server)


def no_more_than(server: Server, size: int) -> None:
    """Have no file of a running server grow beyond this."""
    assert server.process is not None
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


async def test_with_a_damaged_store_no_server_starts_and_it_says_what_to_do(world: World) -> None:
    server = await world.server().start()
    assert await each(server, "before") == WELL
    assert await server.stop() == 0
    for store in NEEDS:
        file = world.state / f"{store}.sqlite"
        file.write_bytes(b"damaged " * 4096)
        code, said = await world.outgate("serve", "--config", str(server.config))
        assert code == 1
        assert f"the {store} {file}: it is damaged, restore it or move it away: without it, " in said
        file.unlink()
    await server.start()
    assert await each(server, "after") == WELL
    assert await server.stop() == 0
    await proves(world)
