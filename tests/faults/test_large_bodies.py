"""Large bodies through a real server: its memory stays flat, its readers may die, its disk may fill up, and it may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults.served import ALICE, GONE, Server, World, sign, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
RULES = (
    "{id: no-secrets, match: {data: [secret]}, effect: block}",
    '{id: asks, match: {resource: "*/ask/*"}, effect: escalate, to: ops}',
    '{id: plays, match: {resource: "*/play/*"}, effect: sandbox}',
)
SECRET = b" ghp_" + b"a1B2" * 9


def text(size: int, seed: int = 0) -> bytes:
    line = b"".join(b"%08x " % ((number + seed) * 2654435761 % 2**32) for number in range(4096))
    return (line * (size // len(line) + 1))[:size]


def status(pid: int, name: str) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines[name].split()[0])


def readers(server: Server) -> list[int]:
    """The processes that read bodies for it."""
    assert server.process is not None
    pid = server.process.pid
    found = (Path(f"/proc/{pid}/task/{task}/children").read_text().split() for task in os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208  # names
    return [int(child) for children in found for child in children]


def kept(server: Server) -> int:
    """How often it has a body open that lies in a file."""
    assert server.process is not None
    found = 0
    for file in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += "/spool/" in str(file.readlink())
    return found


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.01)


@pytest.fixture
async def world(tmp_path):
    async with World(tmp_path, RULES, hold="0s") as made:
        yield made


async def test_forty_mebibytes_are_searched_to_the_end_and_memory_stays_flat(world):
    """Ten take all the buffers there are, and how much memory that is depends on who gets how much time: four times that adds little."""
    server, content = await world.server().start(), text(40 * MIB)
    await world.trusted()
    async with server.client("mailer") as client:
        assert await client.status("/warm", method="POST", body=text(10 * MIB), secure=True) == 200
        before = status(server.process.pid, "VmHWM")
        assert await client.status("/bad", method="POST", body=content[: -len(SECRET)] + SECRET, secure=True) == 403
        assert not world.paths("/bad")
        assert await client.status("/good", method="POST", body=content, secure=True) == 200
        grown = status(server.process.pid, "VmHWM") - before
    (seen,) = [one for one in world.secure.seen if one.target == "/good"]
    assert hashlib.sha256(bytes(seen.body)).digest() == hashlib.sha256(content).digest()
    assert grown < 12 * 1024, f"{grown} KiB"
    assert not list((world.state / "spool").iterdir())
    assert await server.stop() == 0


async def test_a_reader_that_is_killed_refuses_one_request(world):
    server = await world.server().start()
    async with server.client("mailer") as client:
        assert await client.status("/a", method="POST", body=text(2 * MIB)) == 200
        (reader,) = readers(server)
        os.kill(reader, signal.SIGSTOP)
        waits = asyncio.create_task(client.status("/b", method="POST", body=text(2 * MIB)))
        await until(lambda: kept(server) == 2)  # by the gate, and by what waits for the reader
        os.kill(reader, signal.SIGKILL)
        assert await waits == 503
        assert await client.status("/c", method="POST", body=text(2 * MIB)) == 200
        assert reader not in readers(server)
    assert await server.stop() == 0


async def test_when_the_server_is_killed_its_readers_end_and_nothing_is_left_on_the_disk(world):
    server = await world.server().start()
    client = server.client("mailer")
    assert await client.status("/a", method="POST", body=text(2 * MIB)) == 200
    (reader,) = readers(server)
    os.kill(reader, signal.SIGSTOP)
    waits = asyncio.create_task(client.status("/b", method="POST", body=text(8 * MIB)))
    await until(lambda: kept(server) == 2)
    await server.kill()
    with contextlib.suppress(*GONE):
        await waits
    await until(lambda: not Path(f"/proc/{reader}").exists() or "Z" in Path(f"/proc/{reader}/stat").read_text().split()[2])
    spool = world.state / "spool"
    assert not list(spool.iterdir())
    (spool / "0123").touch()  # what one that dies while it makes a file leaves
    await server.start()
    assert not list(spool.iterdir())
    async with server.client("mailer") as client:
        assert await client.status("/c", method="POST", body=text(2 * MIB)) == 200
    assert not world.paths("/b")
    assert await server.stop() == 0


async def test_where_its_files_may_not_grow_what_is_large_is_refused_and_small_requests_go_on(world):
    """As on a full disk: the kernel lets no file of it get larger than 5 MiB."""
    server = await world.server().start(before=("prlimit", f"--fsize={5 * MIB}"))
    async with server.client("mailer") as client:
        assert await client.status("/small", method="POST", body=text(1000)) == 200
        assert await client.status("/large", method="POST", body=text(8 * MIB)) == 503
        assert await client.status("/middling", method="POST", body=text(3 * MIB)) == 200
    assert not world.paths("/large")
    assert [alarm for alarm in world.alarms() if "could not be kept" in str(alarm)]
    assert await server.stop() == 0


async def test_people_approve_a_large_one_byte_for_byte(world):
    server, content = await world.server().start(), text(6 * MIB)
    async with server.client("payer") as client:
        assert await client.status("/ask/1", method="POST", body=content) == 403
        (approval,) = await waiting(world)
        await sign(world, approval, ALICE)
        assert await client.status("/ask/1", method="POST", body=text(6 * MIB, 1)) == 403
        assert await client.status("/ask/1", method="POST", body=content) == 200
        assert await client.status("/ask/1", method="POST", body=content) == 403
    assert [len(one.body) for one in world.plain.seen] == [len(content)]
    assert await server.stop() == 0


async def test_a_sandboxed_one_goes_to_its_mock_whole(world):
    server = await world.server().start()
    async with server.client("payer") as client:
        answer = await client.ask("/play/1", method="POST", body=text(3 * MIB))
        assert (answer.status // 100, answer.header("outgate-decision")) == (2, "sandbox")
    assert not world.plain.seen
    assert await server.stop() == 0
