"""A gate as `serve` builds it, over files that people write: with its switch, its watches and its doors."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from wire.clients import Streams, Wire
from wire.upstreams import Upstream

from outgate.app import switching
from outgate.app.gates import ask
from outgate.app.grounds import grounds
from outgate.app.live import Live, doors_of
from outgate.app.parts import Parts
from outgate.ca.authority import Authority, make_authority
from outgate.intake.agents import Agent
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import all_receipts, log_folder, receipts_of
from outgate.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

    from outgate.halt import Scope

CODER = Agent(id="coder", team="tools", since=datetime(2020, 1, 1, tzinfo=UTC))
MAILER = Agent(id="mailer", team="growth", since=datetime(2020, 1, 1, tzinfo=UTC))
ALLOWS = "{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}, to: ops}"
POLICY = f"""
    outgate: policy/v1alpha
    policy: living
    mode: enforce
    otherwise: {ALLOWS}
    approvers: {{ops: {{need: 1, of: [alice]}}}}
    rules:
"""


@dataclass
class Living:
    """Everything in one folder: settings, policy, people, agents, state. Upstreams by host."""

    folder: Path
    key: str
    """alice's public key."""
    more: str = ""
    """More settings."""
    hosts: dict[str, int] = field(default_factory=dict)
    upstreams: list[Upstream] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    parts: Any = None
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ca: Authority = make_authority(datetime.now(UTC))
        self.ca_file = self.folder / "upstream-ca.pem"
        self.ca_file.write_bytes(self.ca.pem)
        self.policy = self.folder / "mine.yaml"
        self.agents = self.folder / "agents.yaml"
        self.agents.write_text("outgate: agents/v1alpha\n")
        (self.folder / "people.yaml").write_text(f"outgate: people/v1alpha\npeople: {{alice: {{keys: ['{self.key}']}}}}\n")
        self.says('{id: nothing-forbidden, match: {resource: "*/forbidden*"}, effect: block}')

    def says(self, *rules: str) -> None:
        """Write the policy."""
        self.policy.write_text(dedent(POLICY) + "".join(f"  - {rule}\n" for rule in rules))

    def settles(self) -> None:
        """Write the settings: where hosts lead."""
        rows = "".join(
            f"  {host}: {{address: '127.0.0.1:{port}', ca: '{self.ca_file}'}}\n" for host, port in sorted(self.hosts.items())
        )
        (self.folder / "config.yaml").write_text(
            f"outgate: settings/v1alpha\npolicy: {self.policy}\npeople: people.yaml\nagents: agents.yaml\nhold: 60 s\n"
            f"{self.more}destinations:\n{rows}"
        )

    async def upstream(self, host: str, *alpn: str) -> Upstream:
        """Start one, and have that host lead to it from the next reading of the settings on."""
        certificate = self.folder / f"{host}-{len(self.upstreams)}.pem"
        certificate.write_bytes(self.ca.leaf(host, datetime.now(UTC)).pem)
        upstream = await Upstream(certificate=certificate, alpn=alpn or ("http/1.1",)).start()
        self.upstreams.append(upstream)
        self.hosts[host] = upstream.port
        self.settles()
        return upstream

    async def start(self) -> Living:
        read = partial(grounds, config=self.folder / "config.yaml", served=True)
        found = read()
        self.authority = make_authority(datetime.now(UTC))
        self.parts = Parts(found=found, key=receipts_key(found.state), metrics=Metrics(), agents=found.agents)
        await self.parts.build(self.stack, self.authority)
        self.live = await self.stack.enter_async_context(
            Live(self.parts, kind="serve", read=read, doors=doors_of(found.settings))
        )
        for agent in (CODER, MAILER):
            self.ports[agent.id] = await self.parts.engine.listen("127.0.0.1", 0, agent)
        self.ports[""] = await self.parts.engine.listen("127.0.0.1", 0, None)
        return self

    async def stop(self) -> None:
        await self.stack.aclose()
        self.stack = AsyncExitStack()

    async def again(self) -> Living:
        """Stop, and start anew."""
        await self.stop()
        return await self.start()

    async def end(self) -> None:
        await self.stop()
        for upstream in self.upstreams:
            await upstream.stop()

    # clients

    async def https(self, host: str, *alpn: str, agent: str = "coder", shows: str = "") -> Wire:
        wire = await Wire.to(self.ports[agent])
        await wire.send(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n{shows}\r\n")
        assert (await wire.head()).status == 200
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        context.set_alpn_protocols(list(alpn or ("http/1.1",)))
        await wire.tls(context, host)
        return wire

    async def h2(self, host: str, **said: Any) -> Streams:
        return Streams(await self.https(host, "h2", **said))

    async def get(self, host: str, path: str = "/", agent: str = "coder") -> Any:
        """One request on a connection of its own."""
        async with await self.https(host, agent=agent) as wire:
            await wire.request("GET", path, host)
            return await wire.answer()

    # people

    async def halt(self, scope: Scope, name: str = "", why: str = "") -> switching.Thrown:
        return await asyncio.to_thread(switching.halt, self.parts.found.state, scope, name, why)

    async def resume(self, scope: Scope, name: str = "") -> switching.Thrown:
        return await asyncio.to_thread(switching.resume, self.parts.found.state, scope, name, "")

    async def reload(self) -> dict[str, Any]:
        (answer,) = await asyncio.to_thread(ask, self.parts.found.state, "POST", "/reload", 60.0)
        assert answer.wrong == ""
        return answer.said

    # what was written down

    def outcomes(self) -> list[tuple[str, str]]:
        return [(one["result"], one["error"]) for one in self.own("outcome")]

    def own(self, what: str) -> list[dict[str, Any]]:
        """This gate's receipts of a kind."""
        found = receipts_of(self.parts.journal.folder)
        return [dict(one.fields) for one in found if one.type == what]

    def everybodys(self, what: str) -> list[dict[str, Any]]:
        """The receipts of a kind in all logs of the state folder."""
        return [dict(one.fields) for one in all_receipts(log_folder(self.parts.found.state)) if one.type == what]

    async def until(self, check: Any) -> None:
        """Wait for what is written by others in their own time."""
        async with asyncio.timeout(20):
            while not check():
                await asyncio.sleep(0.005)


def endless(begun: asyncio.Event) -> Any:
    """An answer that only ends when somebody ends it."""

    async def answer(turn: Any) -> None:
        await turn.head(200, [("content-type", "text/event-stream")])
        begun.set()
        while True:
            await turn.send(b"data: x\n\n")
            await asyncio.sleep(0.001)

    return answer


def waits(begun: asyncio.Event, go: asyncio.Event, body: bytes = b"in peace") -> Any:
    """An answer that comes when a test says so."""

    async def answer(turn: Any) -> None:
        begun.set()
        await go.wait()
        await turn.answer(200, body)

    return answer
