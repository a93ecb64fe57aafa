"""A gate with real parts for tests: its policy as an operator writes it, its names, its people."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from textwrap import dedent

from policies import NOON, written

from outgate.gate import Gate, Ground
from outgate.halt import Halts
from outgate.intake.agents import Agent
from outgate.intake.destinations import Destinations
from outgate.intake.request import NoBody, RawRequest, Tunnel
from outgate.keys.people import People
from outgate.net.lookup import Lookup
from outgate.net.resolver import SystemResolver
from outgate.policy.load import load
from outgate.ports import MockWay, NoWay, Pin
from outgate.receipts.verify import LogCheck
from outgate.stores.catalog_files import load_catalog
from outgate.stores.memory import MemoryDesk, MemoryJournal, MemoryLedger
from outgate.telemetry.tally import Tally
from outgate.worker.inline import Inline

CATALOG = load_catalog()
PUBLIC = "93.184.216.34"
NAMES = {
    "api.github.com": PUBLIC,
    "api.stripe.com": PUBLIC,
    "elsewhere.test": PUBLIC,
    "inside.test": "10.0.0.5",
    "rebound.test": "169.254.169.254",
}
ALLOW_ALL = "otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}"
NO_DELETES = "- {id: no-deletes, match: {access: delete}, effect: block, tell: Repositories are deleted by people.}"
NO_SECRETS = "- {id: no-secrets, match: {data: [secret]}, effect: block, tell: Secrets stay here.}"
NEWCOMERS = "- {id: newcomers, match: {access: delete}, when: agent.age < days(7), effect: block}"
GITHUB = "GET https://api.github.com/repos/acme/site"
DELETE = "DELETE https://api.github.com/repos/acme/site"
CODER = Agent(id="coder")


class BoomError(Exception):
    pass


def boom(*_, **__):
    raise BoomError("on purpose")


@dataclass
class Alarm:
    """Keeps what it is told."""

    told: list[str] = field(default_factory=list)

    def raise_for(self, error: BaseException, doing: str) -> None:
        self.told.append(f"{type(error).__name__} while {doing}")


@dataclass
class Clock:
    """Goes on when somebody sleeps, and when a test says so."""

    passed: float = 0.0
    sure: bool = True

    def now(self):
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self):
        return 7.0 + self.passed

    def steady(self):
        return self.sure

    async def sleep(self, seconds):
        self.passed += seconds


@dataclass
class Switch:
    halts: Halts = field(default_factory=Halts)

    def halted(self, agent, services=()):
        return self.halts.covering(agent, services)


MOCK = MockWay(
    scheme="http",
    host="mock.test",
    port=8099,
    pin=Pin(name="mock.test", port=8099, address="127.0.0.1", address_port=8099),
    prefix="/stripe",
    headers=(("outgate-key", "k"),),
)


@dataclass
class Mocks:
    ways: dict[str, MockWay | NoWay] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def way(self, service, mock):
        self.asked.append(service)
        return self.ways.get(service, MOCK)


@dataclass
class World:
    """A gate with everything that it stands on. `rules`: as an operator writes them."""

    rules: str = ""
    mode: str = "enforce"
    otherwise: str = ALLOW_ALL
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    more: str = ""
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    desk: MemoryDesk = field(default_factory=MemoryDesk)
    switch: Switch = field(default_factory=Switch)
    mocks: Mocks = field(default_factory=Mocks)
    people: People = field(default_factory=People)
    hold: timedelta = timedelta(0)
    tally: Tally = field(default_factory=Tally)
    alarm: Alarm = field(default_factory=Alarm)
    clock: Clock = field(default_factory=Clock)
    looked_up: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.policy = self.loaded(self.rules)
        self.resolver = SystemResolver(
            destinations=Destinations(),
            lookup=Lookup(monotonic=lambda: 0.0, ask=self._ask),
            own=(),
            fenced=True,
            monotonic=lambda: 0.0,
        )
        self.gate = Gate(
            ground=self.ground(self.policy),
            journal=self.journal,
            examiner=Inline(),
            ledger=self.ledger,
            desk=self.desk,
            switch=self.switch,
            mocks=self.mocks,
            resolver=self.resolver,
            observer=self.tally,
            alarm=self.alarm,
            clock=self.clock,
            entropy=os.urandom,
            hold=self.hold,
        )

    def loaded(self, rules):
        text = written(rules, mode=self.mode, otherwise=self.otherwise, more=dedent(self.more))
        return load([("tried.yaml", text)], CATALOG)

    def ground(self, policy):
        return Ground(policy=policy, catalog=CATALOG, people=self.people)

    def _ask(self, name):
        self.looked_up.append(name)
        if name not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return (ip_address(NAMES[name]),)

    def open(self, line, agent=CODER, **headers):
        return self.gate.open(raw(line, headers), agent)

    async def ask(self, line, body=None, agent=CODER, **headers):
        return await self.gate.admit(self.open(line, agent, **headers), NoBody() if body is None else body)

    @property
    def receipts(self):
        return [receipt.fields for receipt in self.journal.receipts]

    def verified(self):
        """Check the log as an outsider would; give what it came to."""
        check = LogCheck(self.journal.writer, self.journal.key.public)
        for line in self.journal.lines:
            check.feed(line)
        report = check.finish()
        assert report.bad is None
        return report


def raw(line, headers=None):
    method, _, url = line.partition(" ")
    scheme, _, rest = url.partition("://")
    host, slash, target = rest.partition("/")
    secure = scheme == "https"
    return RawRequest(
        method=method.encode(),
        scheme=b"" if secure else scheme.encode(),
        authority=b"" if secure else host.encode(),
        target=(slash + target).encode(),
        version=b"HTTP/1.1",
        headers=((b"host", host.encode()), *((k.replace("_", "-").encode(), v.encode()) for k, v in (headers or {}).items())),
        tunnel=Tunnel(host=host.encode(), port=443, sni=host.encode()) if secure else None,
    )
