"""A gate without a gate, in a process of its own: builds a fence as some user, lets a command go, and prints what it saw as JSON.

python driver.py < asked.json. Everything is imported before the user changes: its files may not be readable afterwards.
"""

import asyncio
import concurrent.futures.thread
import ctypes
import encodings.idna
import json
import os
import socket
import sys
from dataclasses import asdict
from pathlib import Path

from outgate.errors import ConfigError, UnavailableError
from outgate.fence import direct
from outgate.fence.linux import Fence
from outgate.fence.plan import FencePlan, without_channels
from outgate.fence.unfenced import Unfenced
from outgate.mitm.original import original_destination
from outgate.net.answering import Answering
from outgate.net.names import Names

NEEDED_LATER = (concurrent.futures.thread, encodings.idna)


def become(uid: int) -> None:
    if os.getuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


def forbid_namespaces() -> None:
    """As on a machine that denies them: in a user namespace of our own, so that nobody else notices."""
    os.unshare(os.CLONE_NEWUSER)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


async def gate(listener: socket.socket, seen: list[str]) -> asyncio.Server:
    async def answer(reader, writer):
        seen.append((await reader.readline()).decode(errors="replace").strip())
        writer.write(b"gate\n")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, sock=listener)


async def turned(listener: socket.socket) -> asyncio.Server:
    """Says where a connection was going."""

    async def answer(_, writer):
        found = original_destination(writer.get_extra_info("socket"))
        writer.write(f"{found.address} {found.port}\n".encode() if found else b"on purpose\n")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, sock=listener)


async def run(command, asked, environ) -> dict:
    seen, attempts = [], []
    reading, writing = os.pipe()
    standard = tuple(asked.get("standard") or (0, writing, 2)) if not asked.get("terminal") else (0, 1, 2)
    servers = [await gate(command.listener, seen)]
    for port, listeners in command.directs.items():
        servers += [await direct.relay(listener, port) for listener in listeners]
    servers += [await turned(listener) for both in command.turned.values() for listener in both]
    if command.names:
        servers.append(Answering(Names()))
        await servers[-1].serve(*command.names)

    async def watch():
        async for attempt in command.watch.attempts():
            attempts.append(asdict(attempt))

    command.release(
        asked["command"], environ=environ, files={"given": b"from the gate"}, cwd=Path(asked["cwd"]), standard=standard
    )
    if asked.get("announce"):
        print(json.dumps({"pid": command.pid}), flush=True)
    os.close(writing)
    watching = asyncio.create_task(watch()) if command.watch else None
    said = asyncio.create_task(asyncio.to_thread(lambda: os.fdopen(reading, "rb").read()))
    code = await command.wait()
    out = (await said).decode(errors="replace")
    if watching:
        watching.cancel()
        attempts += map(asdict, command.watch.read())
    for server in servers:
        server.close()
    planted = [str(p.path) for p in command.planted()]
    return {"out": out, "code": code, "seen": seen, "attempts": attempts, "planted": planted, "unturned": command.unturned}


def build(asked, environ):
    if asked.get("unfenced"):
        return Unfenced.build()
    plan = FencePlan(
        command=tuple(asked["command"]),
        environ=environ,
        cwd=Path(asked["cwd"]),
        home=Path(asked["home"]),
        direct=tuple(asked.get("direct", ())),
        turned=tuple(asked.get("turned", ())),
        **{name: tuple(map(Path, asked.get(name, ()))) for name in ("hide", "read_only", "share")},
    )
    return Fence.build(plan)


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.read())
    become(asked["uid"])
    if asked.get("forbid"):
        forbid_namespaces()
    environ = asked["environ"]
    try:
        with build(asked, environ) as command:
            inside = without_channels(environ, map(Path, asked.get("share", ())))
            told = asyncio.run(run(command, asked, inside))
    except (ConfigError, UnavailableError) as error:
        told = {"refused": str(error), "kind": type(error).__name__}
    print(json.dumps(told), flush=True)


main()
