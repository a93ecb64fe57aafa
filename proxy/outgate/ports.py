"""What the gate needs of the world: Protocols that state what they guarantee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Mapping
    from datetime import datetime

    from outgate.digest import Json
    from outgate.policy.decision import Decision, Reason


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


class Ledger(Protocol):
    """What is remembered between requests."""

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        """When this agent first asked for anything; `now`, durably, if it never did. Raises UnavailableError."""
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
    """Who watches: metrics. Never raises, never blocks."""

    def decided(self, agent: str, decision: Decision, seconds: float) -> None: ...
    def concluded(self, agent: str, result: str, status: int | None) -> None: ...
    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None: ...


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
