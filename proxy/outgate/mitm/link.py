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
    from outgate.mitm.doors import Door, TurnedAway
    from outgate.mitm.enforce import Call, Way
    from outgate.mitm.forward import Forwarding
    from outgate.mitm.front import Front
    from outgate.mitm.keeping import Charged, Gathering
    from outgate.mitm.original import Original
    from outgate.mitm.shares import Share
    from outgate.mitm.wire import Upstream

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer may make us hold. Bytes, unless the type says otherwise."""

    # what one client may make the gate hold

    head: int = 64 * KIB
    """A request's head, and any line of a chunked body."""
    response_head: int = 256 * KIB
    body: int = 16 * MIB
    """A request body that is read whole before deciding."""
    waiting: int = MIB
    """What one client may send ahead while something of it is being decided; then it is not read on."""
    unsent: int = MIB
    """What waits for one HTTP/2 peer's window; then its source is not read on."""
    message: int = 16 * MIB
    """One WebSocket message; one of a gRPC call, or one event, where those are decided one by one."""
    streams: int = 100
    """Requests at once, per HTTP/2 connection."""
    upstreams: int = 100
    """Upstream connections at once, per client connection."""

    # what one agent may take, over all its connections

    connections: int = 1024
    """Clients at once."""
    arrivals: int = 500
    """New clients a second; twice as many at once."""
    requests: int = 2048
    """Requests at once: gathered, held, decided and under way."""
    agent_bodies: int = 128 * MIB
    """Its part of `bodies`."""
    agent_spool: int = 512 * MIB
    """Its part of `spool`."""
    agent_waiting: int = 64 * MIB
    """What all its clients may send ahead; beyond that, each only a little."""
    refusals: int = 16 * MIB
    """What the receipts of its refusals may take in an hour."""

    # what all of them together may take

    clients: int = 16_384
    strangers: int = 256
    """Clients at once of whom nobody knows yet who they are; one more, and the one who has waited longest is dropped."""
    bodies: int = 256 * MIB
    """Request bodies, and answers that a rule reads, that are held whole in memory: up to 1 MiB of each."""
    spool: int = 2048 * MIB
    """The same in files, where they are larger."""

    # how long things may take

    head_time: timedelta = timedelta(seconds=30)
    """From the first byte of a request's head to its last."""
    tunnel_time: timedelta = timedelta(seconds=60)
    """From CONNECT until what is spoken in the tunnel is agreed on."""
    body_rate: int | None = KIB
    """Bytes a second, at least, at which a body comes in that is read whole before deciding: on average over 30 seconds."""
    stranger: timedelta = timedelta(seconds=30)
    """How long a client may take to say who it is."""
    connect: timedelta = timedelta(seconds=30)
    answer_time: timedelta = timedelta(minutes=10)
    """From a request's last byte to the first of its answer."""
    idle: timedelta = timedelta(minutes=15)
    """How long nothing may come of what is under way, and how long a client may have nothing under way."""
    answer_lasts: timedelta | None = None
    """How long an answer may take from its first byte to its last."""
    answer_size: int | None = None
    """The body of one answer."""

    def __post_init__(self) -> None:
        if self.unsent < 128 * KIB:
            raise ValueError("unsent: less than 128 KiB is less than a socket's own buffer")


@dataclass(slots=True, kw_only=True, eq=False)
class Link:
    """State of one client connection. `calls` are admitted and owe their outcome; `gone` when the client is, `ending` is why.

    It came in by `door` from `peer`, and speaks `scheme` to us; `entering` while it has not said yet what for. `known` is
    whose it is, once that is; until then it was `asked` so many times, and `refused` if what it showed was not good enough.
    `front` is the TLS that it comes in by; `certified` the agent whose certificate it showed there, `turned` what it is told
    if that was not good enough.

    `open` exchanges are not over yet, and are of its agent's `share`; `head` numbers the request whose head came in part, 0
    where none did.

    `original` is where it was going, if it was turned to us.

    `kept` are bodies that are held whole for it, `forwarding` the exchanges that send or give one of them on from a file.
    `queued` and `pipelined` came in and wait; `room` is set when less does. `congested` are peers that don't take what is
    written to them; `pressed` says whether an upstream must not be read on, `at_hand` gives an open one that leads a way that
    was admitted, and is free. `talking`: it is a WebSocket, of which a little at a time is read, because hundreds of messages
    fit in that.
    """

    door: Door
    scheme: WayIn = "http"
    peer: str = ""
    entering: bool = False
    front: Front | None = None
    certified: str = ""
    turned: TurnedAway | None = None
    known: Agent | None = None
    asked: int = 0
    refused: bool = False
    tunnel: Tunnel | None = None
    original: Original | None = None
    calls: set[Call] = field(default_factory=set)
    share: Share | None = None
    open: int = 0
    head: int = 0
    gone: bool = False
    ending: str = "the client left"
    kept: set[Gathering | Charged] = field(default_factory=set)
    forwarding: set[Forwarding] = field(default_factory=set)
    queued: int = 0
    pipelined: int = 0
    room: asyncio.Event = field(default_factory=asyncio.Event)
    congested: set[Connection] = field(default_factory=set)
    pressed: Callable[[Connection], bool] = lambda _connection: False
    at_hand: Callable[[Way], Upstream | None] = lambda _way: None
    talking: bool = False

    def holds(self, exchanges: int) -> None:
        """So many are not over now: they are of its agent's share too."""
        if self.share is not None:
            self.share.open += exchanges - self.open
        self.open = exchanges

    @property
    def agent(self) -> Agent:
        """Whose it is. Raises BreachError where nobody knows: then nothing may happen here but being asked."""
        if self.known is None:
            raise BreachError("a client that nobody knows")
        return self.known

    @property
    def gathered(self) -> int:
        """Bytes of bodies that are held whole for this client."""
        return sum(one.size for one in self.kept)

    @property
    def waiting(self) -> int:
        """Bytes that this client sent and that nothing has taken yet."""
        return self.queued + self.pipelined
