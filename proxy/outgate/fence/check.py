"""What can go around: every way out that we know of tried from inside, and every program found asked how it comes."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import secrets
import socket
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgate.fence import inside
from outgate.fence.plan import FencePlan
from outgate.fence.runtimes import Runtime, asked_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from outgate.fence.command import Command
    from outgate.fence.lookalike import Came, LookAlike
    from outgate.fence.watch import Attempt

TEST_NET, TEST_NET6 = "192.0.2.1", "2001:db8::1"
"""Addresses that are nobody's (RFC 5737, 3849): should one get out, it hurts nobody."""

TURNED = (80, 443)
"""Ports that `run` turns to the gate, unless the settings say others."""

TRIES = {
    "tcp-https": f"TCP to {TEST_NET}:443",
    "tcp-ssh": f"TCP to {TEST_NET}:22",
    "tcp-dns": f"TCP to {TEST_NET}:53",
    "tcp-v6": f"TCP to [{TEST_NET6}]:443",
    "udp-dns": f"UDP to {TEST_NET}:53",
    "udp-quic": f"UDP to {TEST_NET}:443",
    "udp-v6": f"UDP to [{TEST_NET6}]:443",
    "name": "look up a name",
    "ping": "ping",
    "raw": "raw socket",
    "packet": "packet socket",
    "vsock": "socket to the hypervisor",
    "loopback": "TCP listener on this host's loopback",
    "abstract": "abstract Unix socket of this host",
    "unix-tmp": "Unix socket in /tmp",
    "unix-work": "Unix socket in the working directory",
    "own-file": "read a file of the gate's",
    "own-state": "list the gate's state folder",
    "rename": "rename the folder around it",
    "signal": "signal the gate",
    "trace": "trace the gate",
    "read-init": "read the fence's first process",
    "uncover": "unmount what hides the state folder",
    "nested-uncover": "the same, in a new user namespace",
    "nested-raw": "raw socket, in a new user namespace",
}
"""What `inside.tries` does, for people."""


class Way(StrEnum):
    """How a program's request came."""

    THROUGH = "through the gate"
    TURNED = "turned to the gate"
    DISTRUSTS = "fails on trust"
    IGNORES = "ignores the proxy"
    SILENT = "asked nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way out. `got` is the refusal's name, or "out"."""

    what: str
    got: str

    @property
    def held(self) -> bool:
        return self.got != inside.OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of this machine. `do` is what to do about it; empty if nothing."""

    name: str
    version: str
    way: Way
    do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look at this machine came to. `attempts`: what the watch saw of what was tried."""

    tries: tuple[Tried, ...]
    programs: tuple[Program, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What a command is given so that it finds the gate and trusts it."""

    environ: Mapping[str, str]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Things outside for the command to find: a folder to work in, listeners, a secret. `state` is the gate's real one."""

    scratch: Path
    state: Path
    outside: Mapping[str, Any]


def lay_ground(stack: ExitStack, state: Path) -> Ground:
    """Make them; gone with the stack."""
    scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgate-doctor-"))).resolve()
    hidden = scratch / "work" / "around" / "gate"
    hidden.mkdir(parents=True)
    secret = hidden / "key"
    secret.write_text("found")
    loopback = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    abstract = f"outgate-doctor-{secrets.token_hex(8)}"
    for address in ("\0" + abstract, str(scratch / "outside.sock"), str(scratch / "work" / "beside.sock")):
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(address)
        server.listen()
    outside = {
        "v4": TEST_NET,
        "v6": TEST_NET6,
        "port": loopback.getsockname()[1],
        "abstract": abstract,
        "unix_tmp": str(scratch / "outside.sock"),
        "unix_work": str(scratch / "work" / "beside.sock"),
        "secret": str(secret),
        "state": str(state),
        "hidden": str(hidden),
        "around": str(hidden.parent),
        "gate": os.getpid(),
    }
    return Ground(scratch=scratch, state=state, outside=outside)


def plan_for(ground: Ground, environ: Mapping[str, str], command: Sequence[str]) -> FencePlan:
    """A fence around the scratch folder, with the gate's real state hidden as `run` hides it."""
    return FencePlan(
        command=tuple(command),
        environ=environ,
        cwd=ground.scratch / "work",
        home=Path(environ.get("HOME") or "/"),
        hide=(ground.state, Path(ground.outside["hidden"])),
        turned=TURNED,
    )


def interpreter() -> tuple[str, ...]:
    """How `inside.py` is run."""
    return (sys.executable, "-I", "-B")


async def examine(command: Command, ground: Ground, gate: LookAlike, runtimes: Sequence[Runtime], child: Child) -> Findings:
    """Run `inside.py` as the command, serve it, and say what was found. Without a fence only programs are asked."""
    asked = {
        "tries": dict(ground.outside) if command.fenced else {},
        "probes": [asked_of(runtime, str(ground.scratch / "work")) for runtime in runtimes],
    }
    script = inspect.getsource(inside).encode()
    given = {**child.files, "asked.json": json.dumps(asked).encode(), "inside.py": script}
    argv = [*interpreter(), str(command.folder / "inside.py")]
    said, attempts = await _attended(
        command,
        gate,
        lambda standard: command.release(
            argv, environ=child.environ, files=given, cwd=ground.scratch / "work", standard=standard
        ),
    )
    told = json.loads(said)
    return Findings(
        tries=tuple(Tried(what=what, got=told["tries"][name]) for name, what in TRIES.items()) if told["tries"] else (),
        programs=tuple(_programs(runtimes, told["probes"], gate.came, attempts)),
        attempts=attempts,
    )


async def observe(command: Command, gate: LookAlike, release: Callable[[], None]) -> tuple[int, tuple[Attempt, ...]]:
    """Let any command go, serve it, and give its exit code and what it tried around the gate."""
    server = await gate.serve(command.listener.dup())
    turned = [one.dup() for both in command.turned.values() for one in both]
    await gate.serve_turned(turned, tuple(one.dup() for one in command.names))
    attempts: list[Attempt] = []
    try:
        release()
        watching = asyncio.create_task(_see(command, attempts))
        code = await command.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    finally:
        server.close()
        gate.close()
    attempts += command.watch.read() if command.watch else []
    return code, tuple(attempts)


async def _attended(
    command: Command, gate: LookAlike, release: Callable[[tuple[int, int, int]], None]
) -> tuple[bytes, tuple[Attempt, ...]]:
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb")
    )

    def go() -> None:
        release((0, writing, 2))
        os.close(writing)

    collected = asyncio.create_task(reader.read())
    try:
        _, attempts = await observe(command, gate, go)
        return await collected, attempts
    finally:
        transport.close()


async def _see(command: Command, attempts: list[Attempt]) -> None:
    if command.watch:
        async for attempt in command.watch.attempts():
            attempts.append(attempt)  # noqa: PERF401  # it has no end: what came before the end must be kept


def _programs(
    runtimes: Sequence[Runtime], told: Mapping[str, Any], came: Mapping[str, Came], attempts: Sequence[Attempt]
) -> list[Program]:
    asked = {attempt.name.lower() for attempt in attempts if attempt.name}
    present = [(runtime, told[runtime.name]) for runtime in runtimes if told[runtime.name]["code"] != inside.NO_MODULE]
    return [
        _judged(runtime, said, came.get(runtime.host), went_around=any(n.startswith(runtime.host) for n in asked))
        for runtime, said in present
    ]


def _judged(runtime: Runtime, said: Mapping[str, Any], came: Came | None, *, went_around: bool) -> Program:
    name, version = runtime.name, str(said["version"])
    if came and came.requests:
        return Program(name=name, version=version, way=Way.TURNED if came.turned else Way.THROUGH)
    if came:
        return Program(name=name, version=version, way=Way.DISTRUSTS, do=runtime.distrusts)
    if went_around:
        return Program(name=name, version=version, way=Way.IGNORES, do=runtime.ignores)
    complaint = str(said["said"]).strip().splitlines()
    return Program(name=name, version=version, way=Way.SILENT, do=complaint[-1] if complaint else f"exit {said['code']}")
