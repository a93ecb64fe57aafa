"""`outgate serve`, whole: started, asked by several agents at once, told that things changed, and stopped in the middle."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from wire.clients import Wire
from wire.upstreams import Upstream

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0
SETTINGS = """\
outgate: settings/v1alpha
listen: {{address: "127.0.0.1:0"}}
drain: {drain}
policy: ./policy.yaml
destinations: {{up.test: {{address: "127.0.0.1:{port}"}}}}
"""
POLICY = """\
outgate: policy/v1alpha
policy: served
mode: enforce
otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
rules:
  - {id: pay-is-for-finance, match: {resource: "*/pay*"}, unless: agent.team == "finance", effect: block, tell: "Ask finance."}
"""


@dataclass
class Server:
    """A state folder, what is written beside it, and the program."""

    folder: Path
    upstream: Upstream
    drain: str = "20s"
    tokens: dict[str, str] = field(default_factory=dict)
    port: int = 0
    said: str = ""
    process: asyncio.subprocess.Process | None = None

    @property
    def environ(self) -> dict[str, str]:
        ours = {"OUTGATE_STATE": str(self.folder / "state"), "OUTGATE_CONFIG": str(self.folder / "config")}
        return {**os.environ, **ours, "PYTHONUNBUFFERED": "1"}

    def write(self) -> None:
        config = self.folder / "config"
        config.mkdir(exist_ok=True)
        (config / "config.yaml").write_text(SETTINGS.format(port=self.upstream.port, drain=self.drain))
        (config / "policy.yaml").write_text(POLICY)

    def outgate(self, *words: str, code: int = 0) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "outgate", *words],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    async def add(self, name: str, *words: str) -> None:
        said = await asyncio.to_thread(self.outgate, "agent", "add", name, "--json", *words)
        self.tokens[name] = json.loads(said)["token"]

    async def start(self, **environ: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "outgate", "serve"),
            env={**self.environ, **environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(r"127\.0\.0\.1:(\d+) ", self.said)):
                line = await self.process.stdout.readline()
                assert line, self.said
                self.said += line.decode()
        self.port = int(found[1])

    async def told(self, one: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(one)

    async def ended(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.said += (await self.process.stdout.read()).decode()
            return await self.process.wait()

    def shown(self, name: str) -> str:
        return "Proxy-Authorization: Basic " + base64.b64encode(f"{name}:{self.tokens[name]}".encode()).decode() + "\r\n"

    async def begin(self, path: str, name: str, host: str = "up.test") -> Wire:
        client = await Wire.to(self.port)
        await client.send(f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{self.shown(name)}\r\n")
        return client

    async def status(self, path: str, name: str, host: str = "up.test") -> int:
        async with await self.begin(path, name, host) as client:
            return (await client.answer()).status

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.outgate("log", "--json").splitlines()]


@pytest.fixture
async def server(tmp_path):
    upstream = await Upstream(certificate=None, alpn=("http/1.1",)).start()
    made = Server(tmp_path, upstream)
    made.write()
    yield made
    if made.process is not None and made.process.returncode is None:
        made.process.kill()
        await made.process.wait()
    await upstream.stop()


def slow(upstream: Upstream) -> asyncio.Event:
    """Have `/slow` send its first half, and the other when that is set."""
    more = asyncio.Event()

    async def half(turn):
        await turn.head(200, [("content-length", "10")])
        await turn.send(b"first")
        await more.wait()
        with contextlib.suppress(ConnectionError):
            await turn.send(b"other")
            await turn.end()

    upstream.answers["/slow"] = half
    return more


async def test_two_agents_are_served_and_a_download_ends_before_the_server_does(server):
    await server.add("mailer", "--team", "ops")
    await server.add("payer", "--team", "finance")
    await server.start()
    assert "serves 2 agents, policy served, enforcing" in server.said
    statuses = await asyncio.gather(*(server.status("/pay", name) for name in ("mailer", "payer") * 3))
    assert statuses == [403, 200] * 3
    more = slow(server.upstream)
    async with await server.begin("/slow", "mailer") as client, await server.begin("/a", "payer") as idle:
        assert (await client.head()).status == 200
        assert await client.reader.readexactly(5) == b"first"
        assert (await idle.answer()).status == 200
        await server.told(signal.SIGTERM)
        assert await idle.rest() == b"", "who asks for nothing is not waited for"
        with pytest.raises(ConnectionRefusedError):
            await Wire.to(server.port)
        more.set()
        assert await client.reader.readexactly(5) == b"other"
    assert await server.ended() == 0
    assert "ended on SIGTERM" in server.said
    assert "cut off" not in server.said
    assert await asyncio.to_thread(server.outgate, "verify")
    log = b"".join(path.read_bytes() for path in (server.folder / "state").rglob("*") if path.is_file())
    assert not [token for token in server.tokens.values() if token.encode() in log + server.said.encode()]


async def test_what_does_not_end_in_time_is_cut_off_and_recorded(server):
    server.drain = "100ms"
    server.write()
    await server.add("mailer")
    await server.start()
    slow(server.upstream)
    async with await server.begin("/slow", "mailer") as client:
        assert (await client.head()).status == 200
        assert await client.reader.readexactly(5) == b"first"
        await server.told(signal.SIGINT)
        assert await client.rest() == b""
    assert await server.ended() == 0
    assert "ended on SIGINT" in server.said
    assert "1 client cut off" in server.said
    assert await asyncio.to_thread(server.outgate, "verify")


async def test_who_is_told_twice_goes_at_once(server):
    server.drain = "1h"
    server.write()
    await server.add("mailer")
    await server.start()
    slow(server.upstream)
    async with await server.begin("/slow", "mailer") as client:
        assert (await client.head()).status == 200
        await server.told(signal.SIGTERM)
        with contextlib.suppress(ConnectionError):
            while True:
                (await Wire.to(server.port)).writer.close()
        await server.told(signal.SIGTERM)
        assert (await client.rest()) in {b"first", b""}
    assert await server.ended() == 0


async def test_who_is_revoked_while_it_runs_is_dropped_and_who_is_added_comes_in(server):
    await server.add("mailer")
    await server.start()
    assert await server.status("/a", "mailer") == 200
    await server.add("late")
    await asyncio.to_thread(server.outgate, "agent", "revoke", "mailer")
    await server.told(signal.SIGHUP)
    async with asyncio.timeout(PATIENCE):
        while await status_or_cut(server, "/a", "mailer") != 403:  # what was written last; the other may have been read before
            await asyncio.sleep(0.05)
    assert await server.status("/a", "late") == 200
    await server.told(signal.SIGTERM)
    assert await server.ended() == 0


async def status_or_cut(server, path, name):
    """The status; None where the connection was dropped in the middle, as that of a revoked agent is."""
    try:
        return await server.status(path, name)
    except (ConnectionError, EOFError, AssertionError, ValueError, IndexError):
        return None


async def test_a_ca_that_is_rotated_signs_from_then_on_and_both_are_trusted(server):
    await server.add("mailer")
    await server.start()
    before = await asyncio.to_thread(server.outgate, "ca", "export")
    first = json.loads(await asyncio.to_thread(server.outgate, "ca", "show", "--json"))[0]["sha256"]
    await asyncio.to_thread(server.outgate, "ca", "rotate")
    both = await asyncio.to_thread(server.outgate, "ca", "export")
    assert both.endswith(before)
    second = json.loads(await asyncio.to_thread(server.outgate, "ca", "show", "--json"))[0]["sha256"]
    async with asyncio.timeout(PATIENCE):
        while not [one for one in await asyncio.to_thread(server.events) if one["type"] == "ca-renewed"]:
            await asyncio.sleep(0.05)
    (renewed,) = [one["about"] for one in server.events() if one["type"] == "ca-renewed"]
    assert renewed == {"was": first, "is": second}
    await server.told(signal.SIGTERM)
    assert await server.ended() == 0


async def test_its_own_port_and_this_machine_are_nowhere_to_go(server):
    await server.add("mailer")
    await server.start()
    assert await server.status("/a", "mailer", f"127.0.0.1:{server.port}") == 403
    assert await server.status("/a", "mailer", "169.254.169.254") == 403
    assert await server.status("/a", "mailer", f"127.0.0.1:{server.upstream.port}") == 403
    assert await server.status("/a", "mailer", f"localhost:{server.upstream.port}") == 403
    assert server.upstream.seen == []
    await server.told(signal.SIGTERM)
    assert await server.ended() == 0


async def test_a_supervisor_is_told_when_it_serves_and_when_it_stops(server):
    place = server.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(place))
        supervisor.settimeout(PATIENCE)
        await server.start(NOTIFY_SOCKET=str(place))
        assert await asyncio.to_thread(supervisor.recv, 100) == b"READY=1"
        await server.told(signal.SIGTERM)
        assert await asyncio.to_thread(supervisor.recv, 100) == b"STOPPING=1"
        assert await server.ended() == 0
    assert "nobody may come in yet" in server.said


def test_what_would_not_start_is_found_out_without_starting(tmp_path):
    made = Server(tmp_path, Upstream(certificate=None, alpn=()))
    made.folder.joinpath("config").mkdir()
    file = tmp_path / "config" / "config.yaml"
    file.write_text("outgate: settings/v1alpha\n")
    assert "would serve 0 agents" in made.outgate("serve", "--check")
    assert not (tmp_path / "state").exists(), "nothing is made"
    file.write_text('outgate: settings/v1alpha\nlisten: [{address: "127.0.0.1:1", agent: mailer}]\n')
    assert "for 'mailer', who is not written down" in made.outgate("serve", "--check", code=2)
    file.write_text('outgate: settings/v1alpha\nlisten: [{address: "0.0.0.0:3128"}]\n')
    assert "'plaintext: true'" in made.outgate("serve", code=2)


async def test_a_port_that_is_taken_is_1_with_what_to_do(server):
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    file = server.folder / "config" / "config.yaml"
    file.write_text(f'outgate: settings/v1alpha\nlisten: [{{address: "127.0.0.1:{port}"}}]\n')
    assert "choose another port" in await asyncio.to_thread(server.outgate, "serve", code=1)
    taken.close()
