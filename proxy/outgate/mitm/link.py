"""One client connection: whose it is, where its tunnel leads, and what is owed for what it let out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from outgate.mitm.enforce import BreachError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.connection import Connection

    from outgate.intake.agents import Agent
    from outgate.intake.listening import WayIn
    from outgate.intake.request import Tunnel
    from outgate.mitm.doors import Door
    from outgate.mitm.enforce import Call

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer may make us hold. Bytes, unless the type says otherwise."""

    head: int = 64 * KIB
    """A request's head, and any line of a chunked body."""
    response_head: int = 256 * KIB
    body: int = 16 * MIB
    """A request body that is read whole before deciding."""
    bodies: int = 256 * MIB
    """All of those together, over every connection."""
    waiting: int = MIB
    """What one client may send ahead while something of it is being decided; then it is not read on."""
    unsent: int = MIB
    """What waits for one HTTP/2 peer's window; then its source is not read on."""
    message: int = 16 * MIB
    """One WebSocket message."""
    connections: int = 1024
    """Clients at once, per agent."""
    strangers: int = 256
    """Clients at once of whom nobody knows yet who they are; one more, and the one who has waited longest is dropped."""
    upstreams: int = 100
    """Upstream connections at once, per client connection."""
    refusals: int = 16 * MIB
    """What the receipts of one agent's refusals may take in an hour."""
    idle: timedelta = timedelta(minutes=15)
    stranger: timedelta = timedelta(seconds=30)
    """How long a client may take to say who it is."""
    connect: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if self.unsent < 128 * KIB:
            raise ValueError("unsent: less than 128 KiB is less than a socket's own buffer")


@dataclass(slots=True, kw_only=True, eq=False)
class Link:
    """State of one client connection. `calls` are admitted and owe their outcome; `gone` when the client is, `ending` is why.

    It came in by `door` from `peer`, and speaks `scheme` to us. `known` is whose it is, once that is; until then it was
    `asked` so many times, and `refused` if what it showed was not good enough.

    `queued` and `pipelined` came in and wait; `room` is set when less does. `congested` are peers that don't take what is
    written to them; `pressed` says whether an upstream must not be read on.
    """

    door: Door
    scheme: WayIn = "http"
    peer: str = ""
    known: Agent | None = None
    asked: int = 0
    refused: bool = False
    tunnel: Tunnel | None = None
    calls: set[Call] = field(default_factory=set)
    gone: bool = False
    ending: str = "the client left"
    gathered: int = 0
    queued: int = 0
    pipelined: int = 0
    room: asyncio.Event = field(default_factory=asyncio.Event)
    congested: set[Connection] = field(default_factory=set)
    pressed: Callable[[Connection], bool] = lambda _connection: False

    @property
    def agent(self) -> Agent:
        """Whose it is. Raises BreachError where nobody knows: then nothing may happen here but being asked."""
        if self.known is None:
            raise BreachError("a client that nobody knows")
        return self.known

    @property
    def waiting(self) -> int:
        """Bytes that this client sent and that nothing has taken yet."""
        return self.queued + self.pipelined
