"""What runs through mitmproxy's layers beside its own events: our options, and our few commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import GetHttpConnection
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestHeaders, RequestProtocolError, ResponseProtocolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mitmproxy.connection import Client, Connection
    from mitmproxy.options import Options
    from mitmproxy.proxy.layer import Layer
    from OpenSSL import SSL

    from outgate.intake.request import Unreadable
    from outgate.mitm.addon import Addon
    from outgate.mitm.enforce import Call, Way
    from outgate.mitm.http1 import UpstreamHttp1
    from outgate.mitm.http2 import UpstreamHttp2
    from outgate.mitm.link import Limits, Link
    from outgate.mitm.pool import Warm, Whose


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """All that the layers of one client connection read as options. Nothing can change one; one not here is an error.

    mitmproxy's own option store offers ways to pass traffic uninspected, to skip verification, to load code. None of
    those exists here: what a layer must not do is a constant, and what it asks for otherwise aborts the connection.
    """

    link: Link
    addon: Addon
    limits: Limits
    backlog: Callable[[Connection], int]
    """How many bytes wait to be written to a peer."""

    connection_strategy: ClassVar[str] = "lazy"
    upstream_cert: ClassVar[bool] = False
    add_upstream_certs_to_client_chain: ClassVar[bool] = False
    ssl_insecure: ClassVar[bool] = False
    stream_large_bodies: ClassVar[None] = None
    body_size_limit: ClassVar[None] = None
    store_streamed_bodies: ClassVar[bool] = False
    validate_inbound_headers: ClassVar[bool] = True
    normalize_outbound_headers: ClassVar[bool] = True
    keep_host_header: ClassVar[bool] = False
    http_connect_send_host_header: ClassVar[bool] = True
    http2: ClassVar[bool] = True
    http2_ping_keepalive: ClassVar[int] = 0
    """None: a gRPC server takes the third in a row without data for an attack, and hangs up on every stream."""
    http3: ClassVar[bool] = False
    websocket: ClassVar[bool] = True
    rawtcp: ClassVar[bool] = False
    proxy_debug: ClassVar[bool] = False
    tcp_timeout: ClassVar[int] = 0
    """Mitmproxy's own watchdog never runs: `Handler.look` knows what is under way."""

    def as_options(self) -> Options:
        """Pass for the option store where a signature asks for it: the layers only read attributes."""
        return cast("Options", self)


class Line(Context):
    """What the layers of one connection share. mitmproxy's own makes a new connection, id and all, for each copy."""

    def __init__(self, client: Client, wire: Wire, server: Server, layers: Sequence[Layer] = ()) -> None:
        self.client = client
        self.options = wire.as_options()
        self.server = server
        self.layers = list(layers)

    def fork(self) -> Line:
        return Line(self.client, wire_of(self), self.server, self.layers)


def wire_of(context: Context) -> Wire:
    """Give the connection's own part of a layer's context."""
    return cast("Wire", context.options)


@dataclass(eq=False, repr=False, kw_only=True)
class Upstream(Server):
    """A connection to an upstream, or to the proxy before it: where it leads is fixed when it is made.

    `carrier` is the connection to that proxy, under one that goes through it. `ready` when HTTP can be spoken; `http1` or
    `http2` speaks it. `whose` it is where another client of the same agent may go on with it, `tls_end` what it is secured
    with; `warm` is an open one to go on with.
    """

    way: Way
    carrier: Upstream | None = None
    carries: bool = False
    """Whether it is such a carrier, on which nothing else is sent."""
    ready: bool = False
    http1: UpstreamHttp1 | None = None
    http2: UpstreamHttp2 | None = None
    asked: int = 0
    """How many requests it was given, if it was there before the first of them: then one more."""
    whose: Whose | None = None
    tls_end: SSL.Connection | None = None
    warm: Warm | None = None

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def rests(self) -> bool:
        """Whether nothing is under way, and nothing is left over."""
        return self.whose is not None and self.connected and self.http1 is not None and self.http1.rests


@dataclass
class DecideHook(commands.StartHook):  # type: ignore[no-untyped-call]  # mitmproxy's own __init_subclass__
    """Ask the gate, and wait."""

    call: Call


@dataclass
class WaitHook(commands.StartHook):  # type: ignore[no-untyped-call]  # mitmproxy's own __init_subclass__
    """Do something that takes a while, and wait. Given up when the client is gone; what it raises takes everything down."""

    doing: Callable[[], Awaitable[None]]
    what: str


@dataclass(eq=False)
class Connect(GetHttpConnection):
    """Ask for a connection that leads the way that was admitted: an open one, or a new one."""

    way: Way | None = None
    again: bool = False
    """Whether what is to be asked may be asked twice."""
    fresh: bool = False
    """Whether it has to be a new one: the last was closed by its server just when it was used."""

    __hash__ = object.__hash__

    def connection_spec_matches(self, connection: object) -> bool:
        """Whether that is one."""
        return isinstance(connection, Upstream) and connection.way == self.way and not connection.carries


class Settled(events.Event):
    """Something that waited to be written was."""


class OfCall(events.Event):
    """Something that concerns one exchange."""

    def __init__(self, call: Call) -> None:
        self.call = call


class Rested(events.Event):
    """Nothing is under way on an upstream connection, and it is this client's no longer."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class Cut(OfCall):
    """A halt covers this call: its exchange ends now, whatever it waits for."""


class Begin(commands.Command):
    """Do something that takes a while, wait for nothing, and be told `then`. Given up as with `WaitHook`."""

    type Doing = Callable[[], Awaitable[None]]

    def __init__(self, doing: Doing, then: OfCall, what: str) -> None:
        self.doing = doing
        self.then = then
        self.what = what


class Look(events.Event):
    """Time has passed: what has stood still for too long ends."""

    def __init__(self, now: float) -> None:
        self.now = now


class LateHead(events.Event):
    """The head that an agent began to send takes too long."""


class CutOff(commands.Command):
    """Drop a connection, with what is still to be written on it, after so many seconds. The client's: all of its."""

    def __init__(self, connection: Connection, *, after: float = 0.0) -> None:
        self.connection = connection
        self.after = after


class Becomes(commands.Command):
    """The client's connection is a tunnel from here on; `rest` was read beyond the CONNECT."""

    def __init__(self, rest: bytes) -> None:
        self.rest = rest


class LetGo(commands.Command):
    """Whatever this client's requests led to before has no part in what follows: no byte of it is the client's, or for it."""


class SpeaksHttp2(commands.Command):
    """The client began with HTTP/2's preface (RFC 9113, section 3.4), whatever was agreed on in TLS."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class Replace(commands.Command):
    """Put another layer in the place of all that is there, and give it what was read so far."""

    def __init__(self, layer: Layer, data: bytes) -> None:
        self.layer = layer
        self.data = data


class BadBody(RequestProtocolError):  # noqa: N818  # an event, as that is
    """A request's body broke its framing: of what was to be read whole, the problem is what is refused."""

    def __init__(self, stream_id: int, problem: Unreadable) -> None:
        super().__init__(stream_id, problem.why, ErrorCode.GENERIC_CLIENT_ERROR)
        self.problem = problem


@dataclass
class Unanswered(ResponseProtocolError):  # noqa: N818  # an event
    """An upstream ended a connection before the first byte of an answer."""


@dataclass
class RefusedHead(RequestHeaders):
    """Something came that is no request."""

    problem: Unreadable | None = None
