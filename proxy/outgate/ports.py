"""What the gate needs of the world: Protocols that state what they guarantee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta

    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.approvals.approval import Approval, Vote
    from outgate.digest import Json
    from outgate.halt import Halt
    from outgate.intake.agents import Agent
    from outgate.intake.request import Body, Request, Scheme
    from outgate.policy.decision import Decision, Reason
    from outgate.policy.facts import Answered
    from outgate.policy.limits import Charge
    from outgate.policy.rule import Mock


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a receipt stands: the writer's id and its number there, from 0."""

    writer: str
    seq: int

    def __str__(self) -> str:
        return f"{self.writer}-{self.seq}"


class Journal(Protocol):
    """The record. Order of calls is order of receipts."""

    def append(self, body: dict[str, Json]) -> Future[Stamp]:
        """Add one receipt; the future is done when it is durable and covered by a signature on disk.

        `body` is everything but `seq`, `prev`, `writer`, `v`, which the journal adds. Raises (or the future does)
        EvidenceError for what can't be a receipt, UnavailableError when it can't be kept: once that happened, every
        later call raises too, and nothing may be let out.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A limit that a charge does not fit in. `wait` until it would; None where it never does. `left` is what would fit now."""

    charge: Charge
    wait: timedelta | None
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What came of a reservation: everything that is not in `over` is taken, or, where something binding is over, nothing.

    `taken` are the charges to settle, each with where in its counter it was taken: the start of a quota's period, a rate's own
    mark (None where there is nothing to settle).
    """

    taken: tuple[tuple[Charge, datetime | None], ...] = ()
    over: tuple[Over, ...] = ()


class Ledger(Protocol):
    """What is remembered between requests, by all processes that share it. Every method raises UnavailableError."""

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        """When this agent first asked for anything; `now`, durably, if it never did."""
        ...

    async def reserve(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        """Take everything in one atomic step, or, where one that is binding does not fit, nothing at all.

        Two that race never both get the last one. A clock that steps back gives nothing back.
        """
        ...

    async def look(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        """What would be over, if this were reserved now. Takes nothing."""
        ...

    async def settle(self, reserved: Reserved, used: Mapping[str, int]) -> None:
        """Correct what was taken to what was used, by the charges' keys; a key that is not there stays as it was taken.

        More than was taken is counted too, beyond the limit if need be.
        """
        ...


class Desk(Protocol):
    """Where approvals wait for people; shared by all processes of a gate. Every method raises UnavailableError.

    Nothing here is authority: signatures are, and who uses a grant verifies them.
    """

    async def find(self, request: str, now: datetime) -> Approval | None:
        """The newest approval of a request, by its request_digest, that is neither used nor expired at `now`. Denied ones too."""
        ...

    async def get(self, approval: str) -> Approval | None:
        """One approval with all its votes."""
        ...

    async def ask(self, approval: Approval) -> Approval:
        """Put one on the desk, durably. Where `find` has one for the same request, that one is given and nothing changes."""
        ...

    async def vote(self, approval: str, vote: Vote) -> None:
        """Add a vote, durably. One vote a person: the first stays, but a denial takes the place of an approval."""
        ...

    async def use(self, approval: str, now: datetime) -> bool:
        """Use the grant up, durably. False: somebody did before. Of any number that race, one gets True."""
        ...

    async def restore(self, approval: str) -> None:
        """Give a grant back whose request never left."""
        ...

    async def changed(self, approval: str, votes: int, seconds: float) -> None:
        """Wait until it has other than so many votes, or is used, or the time is over; in whichever process that happens."""
        ...


class Examiner(Protocol):
    """Reads bodies. Whatever they hold, others have their turn meanwhile: what takes long is done elsewhere.

    `agent` is whose they are: nobody's bodies keep those of others waiting. Every method raises UnavailableError where it
    can't be done, or not in time.
    """

    async def actions(self, agent: str, request: Request, catalog: Catalog, *, data: bool) -> tuple[Action, ...]:
        """Every action of a request, at least one; with the `data` in it where that is asked for."""
        ...

    async def digest(self, agent: str, request: Request) -> str | None:
        """Its request_digest; None where its body can't be had whole."""
        ...

    async def data(self, agent: str, content: bytes) -> frozenset[str]:
        """The classes of data in some bytes that stand for themselves."""
        ...

    async def answered(self, agent: str, status: int, headers: tuple[tuple[str, str], ...], body: Body) -> Answered:
        """What an answer says. `headers` have lower-case names."""
        ...


class Switch(Protocol):
    """Who is halted. Known without asking anybody: in memory, kept current by whoever watches the switch."""

    def halted(self, agent: Agent, services: Collection[str] = ()) -> Halt | None:
        """The halt that stops this agent at these services now, if there is one. Never raises, never waits."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MockWay:
    """Where a mock answers: `prefix` goes before the path, `headers` with the request (lower-case names)."""

    scheme: Scheme
    host: str
    port: int
    pin: Pin
    prefix: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Mocks(Protocol):
    """What answers instead of a real service."""

    async def way(self, service: str, mock: Mock) -> MockWay | NoWay:
        """Where the mock of a service is. A NoWay where it can't be reached: then nothing answers but a refusal."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The one address that a decided request may be sent to. `name` is what is verified and sent."""

    name: str
    port: int
    address: str
    address_port: int
    via: str | None = None
    """An upstream proxy (`http://host:port`): then `address` is the proxy's, and the name is resolved there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWay:
    """A destination that must not or can't be contacted.

    `always`: in observe mode too. Otherwise `pin` says where the request goes while the policy only observes.
    """

    reason: Reason
    tell: str
    why: str
    always: bool = True
    pin: Pin | None = None


class Resolver(Protocol):
    """Names to addresses, judged."""

    async def pin(self, host: str, port: int) -> Pin | NoWay:
        """Look up, judge, choose one. A name that has no address is a NoWay with `Reason.UPSTREAM`."""
        ...


class Observer(Protocol):
    """Who watches: metrics, a run's tally, who sends notifications. Never raises, never blocks."""

    def decided(self, agent: str, decision: Decision, seconds: float) -> None: ...
    def concluded(self, agent: str, result: str, status: int | None) -> None: ...
    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None: ...
    def waited(self, agent: str, why: str, seconds: float) -> None:
        """A request was `held` for people, or `delayed` for a limit."""
        ...

    def reserved(self, reserved: Reserved) -> None:
        """Limits were asked for room."""
        ...

    def used(self, agent: str, service: str, tokens: Mapping[str, int], cost_micros: int = 0, currency: str = "") -> None:
        """A language model's answer said what it used: tokens by kind, cost in millionths."""
        ...

    def sandboxed(self, service: str, *, answered: bool) -> None:
        """A request went to a mock."""
        ...

    def withheld(self, rules: Sequence[str]) -> None:
        """An answer was withheld by these rules."""
        ...


class Bystander:
    """An Observer that hears nothing. Who listens to some things only derives from it."""

    __slots__ = ()

    def decided(self, agent: str, decision: Decision, seconds: float) -> None: ...
    def concluded(self, agent: str, result: str, status: int | None) -> None: ...
    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None: ...
    def waited(self, agent: str, why: str, seconds: float) -> None: ...
    def reserved(self, reserved: Reserved) -> None: ...
    def used(self, agent: str, service: str, tokens: Mapping[str, int], cost_micros: int = 0, currency: str = "") -> None: ...
    def sandboxed(self, service: str, *, answered: bool) -> None: ...
    def withheld(self, rules: Sequence[str]) -> None: ...


class Alarm(Protocol):
    """Something went wrong inside: people are told."""

    def raise_for(self, error: BaseException, doing: str) -> None: ...


class Clock(Protocol):
    """Time as the gate knows it."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds, for durations only."""
        ...

    def steady(self) -> bool:
        """Whether the last `now` can be relied on: False for a while after the machine's time stepped by some seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
