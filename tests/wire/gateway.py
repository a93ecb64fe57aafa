"""A whole gate on loopback: real policy, real log, real engine; and what must hold of it at the end of every test."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from wire.clients import SocksWire, Streams, TurnedWire, Wire
from wire.upstreams import Upstream

from outgate.actions.catalog import Catalog
from outgate.ca.authority import Authority, make_authority
from outgate.gate import Gate, Ground
from outgate.halt import Halts
from outgate.intake.agents import Agent
from outgate.intake.destinations import Destination, Destinations, Fixed, Via
from outgate.intake.listening import Secured
from outgate.keys.ed25519 import SigningKey
from outgate.keys.people import People
from outgate.mitm.enforce import Outside
from outgate.mitm.engine import Engine
from outgate.mitm.keeping import spool_folder
from outgate.mitm.link import Limits
from outgate.mitm.original import Original
from outgate.net.lookup import Lookup
from outgate.net.resolver import SystemResolver
from outgate.net.upstream import UpstreamTrust
from outgate.policy.decision import Reason
from outgate.policy.load import load
from outgate.ports import MockWay, NoWay, Pin
from outgate.stores.files import FileJournal
from outgate.stores.logs import receipts_of
from outgate.stores.memory import MemoryDesk, MemoryLedger
from outgate.telemetry.metrics import Metrics
from outgate.worker.inline import Inline

if TYPE_CHECKING:
    from pathlib import Path

    from outgate.intake.listening import WayIn
    from outgate.mitm.doors import Door

AGENT = Agent(id="coder", since=datetime(2020, 1, 1, tzinfo=UTC))
NOWHERE = "203.0.113.66"
"""Where connections were going that were turned to the gate: nobody's, and never connected to."""
POLICY = """
    outgate: policy/v1alpha
    policy: wire
    mode: {mode}
    otherwise: {{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {{read: allow, other: allow}}}}
    rules:
      - {{id: nothing-forbidden, match: {{resource: "*/forbidden*"}}, effect: block, tell: "Forbidden things stay here."}}
"""
READS_BODIES = """
      - {id: no-secrets, match: {data: [secret]}, effect: block, tell: "No secrets leave."}
"""


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Switch:
    """Who is halted: what a test says."""

    halts: Halts = field(default_factory=Halts)

    def halted(self, agent: Agent, services: Any = ()) -> Any:
        return self.halts.covering(agent, services)


@dataclass
class Mocks:
    """Where mocks are: by service, else all at one place. Nowhere, where a test says nothing."""

    ways: dict[str, MockWay] = field(default_factory=dict)

    async def way(self, service: str, mock: Any) -> MockWay | NoWay:
        found = self.ways.get(service) or self.ways.get("default")
        return found or NoWay(reason=Reason.UPSTREAM, tell="There is no sandbox for this.", why=f"no mock of {service}: {mock}")

    def leads(self, service: str, port: int, host: str = "mock.test", prefix: str = "", *headers: tuple[str, str]) -> None:
        """Have an upstream on loopback stand in for a service."""
        pin = Pin(name=host, port=port, address="127.0.0.1", address_port=port)
        self.ways[service] = MockWay(scheme="http", host=host, port=port, pin=pin, prefix=prefix, headers=headers)


@dataclass
class Alarm:
    """Keeps what it is told. A test that provokes nothing ends with nothing here."""

    told: list[tuple[BaseException, str]] = field(default_factory=list)

    def raise_for(self, error: BaseException, doing: str) -> None:
        self.told.append((error, doing))

    def __str__(self) -> str:
        return "\n".join("".join(traceback.format_exception(error)) for error, _ in self.told)


@dataclass
class Gateway:
    """One gate, its upstreams by host and port, and its log."""

    folder: Path
    mode: str = "enforce"
    reads_bodies: bool = False
    policy_text: str | None = None
    catalog: Catalog = field(default_factory=Catalog)
    people: People = field(default_factory=People)
    hold: timedelta = timedelta(0)
    desk: Any = field(default_factory=MemoryDesk)
    ledger: Any = field(default_factory=MemoryLedger)
    switch: Any = field(default_factory=Switch)
    mocks: Any = field(default_factory=Mocks)
    limits: Limits = field(default_factory=Limits)
    examiner: Any = field(default_factory=Inline)
    expects_alarms: bool = False
    proxies: dict[str, Via] = field(default_factory=dict)
    alarm: Alarm = field(default_factory=Alarm)
    upstreams: list[Upstream] = field(default_factory=list)
    stand_ins: list[Upstream] = field(default_factory=list)
    unseen_ok: set[str] = field(default_factory=set)
    destinations: dict[str, Destination] = field(default_factory=dict)
    unreached: list[Any] = field(default_factory=list)
    bounded: list[str] = field(default_factory=list)
    port: int = 0
    way: WayIn = "http"
    grace: timedelta = timedelta(seconds=5)
    """How long a stop waits for what is under way."""
    going: dict[int, int] = field(default_factory=dict)
    """Where connections that were turned to us were going: the port, by the client's own."""

    async def start(self) -> Gateway:
        self.pki = _pki(self.folder)
        self.authority = make_authority(datetime.now(UTC))
        self.table = Destinations(by_pattern=self.destinations)
        text = self.policy_text or POLICY.format(mode=self.mode) + (READS_BODIES if self.reads_bodies else "")
        self.journal = FileJournal.open(self.folder / "state", writer="wire", key=SigningKey.from_seed(bytes(32)))
        self.resolver = SystemResolver(
            destinations=self.table, lookup=Lookup(monotonic=time.monotonic), own=set(), fenced=False, monotonic=time.monotonic
        )
        self.observer = Metrics()
        self.gate = Gate(
            ground=self.ground(text),
            journal=self.journal,
            examiner=self.examiner,
            ledger=self.ledger,
            desk=self.desk,
            switch=self.switch,
            mocks=self.mocks,
            resolver=self.resolver,
            observer=self.observer,
            alarm=self.alarm,
            clock=Clock(),
            entropy=os.urandom,
            hold=self.hold,
        )
        trust = UpstreamTrust(bundle=self.pki.ca_file, destinations=self.table)
        outside = Outside(
            trust=trust.trust_for,
            credentials=self._credentials,
            unreached=self.unreached.append,
            bounded=self.bounded.append,
            unread=self.table.unread,
        )
        self.spool = spool_folder(self.folder / "spool")
        self.engine = Engine(
            gate=self.gate,
            authority=self.authority,
            outside=outside,
            alarm=self.alarm,
            limits=self.limits,
            spool=self.spool,
        )
        await self.engine.start()
        self.port = await self.listen(AGENT)
        return self

    async def listen(self, door: Door, **said: Any) -> int:
        """Have somebody come in by this gate's way."""
        if self.way == "transparent":
            self.engine._original = lambda sock: Original(NOWHERE, self.going[sock.getpeername()[1]])
        secured = Secured(names=("localhost",), **said) if self.way == "https" else None
        return await self.engine.listen("127.0.0.1", 0, door, self.way, secured)

    def ground(self, text: str) -> Ground:
        """What a policy's text decides with: also for `self.gate.adopt`."""
        policy = load([("wire.yaml", dedent(text))], self.catalog)
        return Ground(policy=policy, catalog=self.catalog, people=self.people)

    @property
    def addon(self) -> Any:
        return self.engine._addon

    async def upstream(
        self,
        host: str = "api.test",
        *,
        tls: bool = True,
        alpn: tuple[str, ...] = ("http/1.1",),
        certificate_for: str | None = None,
        ca: Authority | None = None,
        at: datetime | None = None,
    ) -> Upstream:
        """Start an upstream, and have that host lead to it."""
        certificate = None
        if tls:
            certificate = self.folder / f"{host}-{len(self.upstreams)}.pem"
            authority = ca or self.pki.ca
            certificate.write_bytes(authority.leaf(certificate_for or host, at or datetime.now(UTC)).pem)
        upstream = await Upstream(certificate=certificate, alpn=alpn).start()
        self.upstreams.append(upstream)
        self.leads(host, upstream.port)
        return upstream

    async def stand_in(self, service: str = "default", prefix: str = "") -> Upstream:
        """Start a mock, and have that service's sandboxed requests go there."""
        mock = await Upstream(certificate=None, alpn=("http/1.1",)).start()
        self.stand_ins.append(mock)
        self.mocks.leads(service, mock.port, "mock.test", prefix)
        return mock

    def leads(self, host: str, port: int, **said: Any) -> None:
        route = Fixed(address=ip_address("127.0.0.1"), port=port)
        self.destinations[host] = Destination(pattern=host, route=route, ca=str(self.pki.ca_file), **said)

    def context(self, *alpn: str) -> ssl.SSLContext:
        """What a client trusts: our CA and no other."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    async def plain(self, at: int = 0) -> Wire:
        """A client that came in, and opened no tunnel yet."""
        port = at or self.port
        match self.way:
            case "http":
                return await Wire.to(port)
            case "https":
                wire = await Wire.to(port)
                await wire.tls(self.context("h2", "http/1.1"), "localhost")
                assert wire.alpn == "http/1.1"
                return wire
            case "socks5":
                return await SocksWire.to(port)
            case "transparent":
                return TurnedWire(port, self.going.__setitem__)

    async def https(self, host: str = "api.test", *alpn: str, port: int = 443, sni: str | None = None, at: int = 0) -> Wire:
        """A client inside TLS inside a tunnel."""
        wire = await self.plain(at)
        assert (await wire.tunnel(host, port)).status == 200
        await wire.tls(self.context(*(alpn or ("http/1.1",))), sni or host)
        return wire

    async def h2(self, host: str = "api.test", **said: Any) -> Streams:
        wire = await self.https(host, "h2", **said)
        assert wire.alpn == "h2"
        return Streams(wire)

    async def stop(self) -> None:
        await self.engine.stop(self.grace)
        await self.journal.close()
        for upstream in (*self.upstreams, *self.stand_ins):
            await upstream.stop()

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """The log, from the disk. Only what is durable is in it."""
        return [{**receipt.fields, "seq": receipt.seq, "type": receipt.type} for receipt in receipts_of(self.journal.folder)]

    def decisions(self) -> list[dict[str, Any]]:
        return [receipt for receipt in self.receipts if receipt["type"] == "decision"]

    def outcomes(self) -> list[dict[str, Any]]:
        return [receipt for receipt in self.receipts if receipt["type"] == "outcome"]

    def events(self, what: str) -> list[dict[str, Any]]:
        return [receipt["about"] for receipt in self.receipts if receipt["type"] == what]

    def check(self) -> None:
        """The oracle: what the upstreams saw is what was let out, one to one; each let-out decision has one outcome."""
        out = {receipt["seq"]: receipt for receipt in self.decisions() if receipt["answer"] == "allow" or "mock" in receipt}
        ends = Counter(outcome["of"]["seq"] for outcome in self.outcomes())
        assert ends == Counter(list(out)), f"outcomes {ends} for decisions {sorted(out)}"
        results = {outcome["of"]["seq"]: outcome["result"] for outcome in self.outcomes()}
        unread = {seq for seq, decision in out.items() if "uninspected" in decision["request"]}
        real = {seq: decision for seq, decision in out.items() if "mock" not in decision and seq not in unread}
        surely = Counter(d["request"]["sent"] for seq, d in real.items() if results[seq] in {"executed", "withheld"})
        perhaps = Counter(d["request"]["sent"] for seq, d in real.items() if results[seq] == "unknown")
        seen = Counter(request.digest for upstream in self.upstreams for request in upstream.seen)
        assert surely <= seen, f"executed, never seen: {surely - seen}"
        assert seen <= surely + perhaps, f"seen, never let out: {seen - surely - perhaps}"
        played = sum(len(stand_in.seen) for stand_in in self.stand_ins)
        answered = sum(results[seq] == "mocked" for seq in out.keys() - real.keys())
        assert not self.stand_ins or answered <= played <= len(out) - len(real) - len(unread), (
            f"mocks saw {played}, outcomes say {answered}"
        )
        if not self.expects_alarms:
            assert not self.alarm.told, str(self.alarm)

    def _credentials(self, host: str) -> str:
        route = self.table.of(host).route
        return route.credentials if isinstance(route, Via) else ""


def http_of(handler: Any) -> Any:
    """The layer in which a client's requests are, however many there are around it."""
    layer = handler.layer
    while not hasattr(layer, "streams"):
        layer = layer.child_layer
    return layer


@dataclass
class Pki:
    ca: Authority
    ca_file: Path


def _pki(folder: Path) -> Pki:
    ca = make_authority(datetime.now(UTC))
    ca_file = folder / "upstream-ca.pem"
    ca_file.write_bytes(ca.pem)
    return Pki(ca, ca_file)
