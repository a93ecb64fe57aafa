"""TLS that is an agent's own: passed on unread, to the one host that it was decided for, and counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mitmproxy.proxy import commands, events, layer, tunnel

from outgate.gate import Admitted
from outgate.mitm.enforce import BreachError, Failure
from outgate.mitm.greetings import Greetings
from outgate.mitm.layers import Via
from outgate.mitm.tls import UpstreamTls
from outgate.mitm.wire import Cut, CutOff, DecideHook, Settled, Upstream, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator, Layer

    from outgate.intake.request import Tunnel
    from outgate.mitm.enforce import Call, Way

_REFUSED: Final = b"\x15\x03\x03\x00\x02\x02\x31"
"""A fatal alert of TLS, access_denied (RFC 8446, section 6.2): the only word of ours that this client would believe."""
_FAILED: Final = b"\x15\x03\x03\x00\x02\x02\x50"
"""The same, internal_error: the upstream could not be reached."""
_BEGINS_TLS: Final = re.compile(rb"[\x15\x16](?:\x03|\Z)")


class Opaque(layer.Layer):
    """From a whole ClientHello to the end of the connection. It holds nothing but what waits for the upstream to be there.

    The handler reads neither side faster than the other takes it, so nothing piles up here.
    """

    def __init__(self, context: Context, most: int) -> None:
        super().__init__(context)
        self._wire = wire_of(context)
        self._most = most
        self._greetings = Greetings(_host(self._wire.link.tunnel))
        self._call: Call | None = None
        self._way_out: Layer | None = None
        self._upstream: Upstream | None = None
        self._waiting: list[bytes] = []
        self._first = b""
        self._begun = False
        self._client_done = False
        self._over = False

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """Count what comes while it is decided. Who leaves meanwhile need not be decided about."""
        client = self.context.client
        if self._paused is not None and isinstance(event, events.DataReceived):
            self._wire.link.queued += len(event.data)
        elif (
            isinstance(event, events.ConnectionClosed) and event.connection is client and (left := self._undecided()) is not None
        ):
            left()
        return super().handle_event(event)

    def _undecided(self) -> Callable[[], None] | None:
        return self._call.give_up if self._call is not None else None

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        client = self.context.client
        match event:
            case _ if self._over or self._wire.link.gone:
                return  # whoever is gone has its outcome
            case events.Start() | Settled():
                return
            case events.DataReceived(connection=connection, data=data) if connection is client:
                yield from self._from_client(data)
            case events.ConnectionClosed(connection=connection) if connection is client:
                yield from self._client_ended()
            case Cut():
                yield from self._halted()
            case _ if self._way_out is not None:
                yield from self._out(event)
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")

    # the client's side

    def _from_client(self, data: bytes) -> CommandGenerator[None]:
        if wrong := self._greetings.from_client(data):
            yield from self._misled(wrong)
            return
        self._waiting.append(data)
        if self._call is None:
            yield from self._decide()
        elif self._upstream is not None and self._upstream.ready:
            yield from self._send()
        else:
            self._wire.link.pipelined += len(data)

    def _misled(self, wrong: str) -> CommandGenerator[None]:
        """It would lead elsewhere than it was decided for. Nothing of it has left."""
        self._wire.addon.unnamed(self._wire.link, wrong)
        if self._call is not None:
            self._wire.addon.error(self._call, Failure.MALFORMED, wrong)
        yield from self._close(_REFUSED)

    def _decide(self) -> CommandGenerator[None]:
        """Nothing has left, and nothing leaves, before this comes back with an admission."""
        self._call = call = self._wire.addon.opaque(self._wire.link)
        yield DecideHook(call)
        self._wire.link.queued = 0
        if any(isinstance(event, events.ConnectionClosed) for event in self._paused_event_queue):
            self._wire.addon.client_left(call)
            yield from self._close(b"")
        elif not isinstance(call.admission, Admitted) or not self._wire.addon.may_pass_unread(call):
            yield from self._close(_REFUSED)
        else:
            assert call.way is not None
            yield from self._connect(call.way)

    def _client_ended(self) -> CommandGenerator[None]:
        self._client_done = True
        if self._upstream is not None and self._upstream.ready:
            yield from self._out(_Finish())

    def _send(self) -> CommandGenerator[None]:
        call = self._admitted()
        waiting, self._waiting = b"".join(self._waiting), []
        self._wire.link.pipelined = 0
        for chunk in call.upload(waiting):
            yield from self._out(_Push(chunk))
        yield from self._hold_to_bound()

    # the upstream's side

    def _connect(self, way: Way) -> CommandGenerator[None]:
        context = self.context.fork()
        context.server = self._upstream = upstream = Upstream(address=(way.host, way.port), way=way)
        stack = tunnel.LayerStack()
        if way.pin.via is not None:
            proxy = urlsplit(way.pin.via)
            upstream.carrier = Upstream(address=(way.pin.address, way.pin.address_port), way=way, carries=True)
            if proxy.scheme == "https":
                stack /= UpstreamTls(context, upstream.carrier, proxy.hostname or "")
            stack /= Via(context, upstream.carrier)
        stack /= _Outlet(context)
        self._way_out = stack[0]
        yield from self._out(events.Start())

    def _out(self, event: events.Event) -> CommandGenerator[None]:
        assert self._way_out is not None
        for command in self._way_out.handle_event(event):
            match command:
                case _Opened(error=error):
                    yield from self._opened(error)
                case _Came(data=data):
                    yield from self._from_upstream(data)
                case _Ended():
                    yield from self._upstream_ended()
                case _:
                    yield command

    def _opened(self, error: str | None) -> CommandGenerator[None]:
        call, upstream = self._admitted(), self._upstream
        assert upstream is not None
        if error is not None:
            self._wire.addon.server_connect_error(call, error)
            yield from self._close(_FAILED)
            return
        upstream.ready = True
        if upstream.carrier is not None:
            upstream.carrier.ready = True
        self._wire.addon.request_leaves(call)
        yield from self._send()
        if self._client_done and not self._over:
            yield from self._out(_Finish())

    def _from_upstream(self, data: bytes) -> CommandGenerator[None]:
        if self._over:
            return
        if not self._begun:
            self._first, data = b"", self._first + data
            if not _BEGINS_TLS.match(data):
                self._wire.addon.error(self._admitted(), Failure.MALFORMED, "the upstream speaks no TLS")
                yield from self._close(b"")
                return
            if len(data) < 2:
                self._first = data
                return
            self._begun = True
        self._greetings.from_upstream(data)
        for chunk in self._admitted().download(data):
            yield commands.SendData(self.context.client, chunk)
        yield from self._hold_to_bound()

    def _upstream_ended(self) -> CommandGenerator[None]:
        if not self._over:
            self._wire.addon.response(self._admitted())
            yield from self._close(b"")

    # the end

    def _hold_to_bound(self) -> CommandGenerator[None]:
        call = self._admitted()
        if not self._over and call.upload.count + call.download.count > self._most:
            self._wire.addon.opaque_over_bound(call)
            yield from self._cut_off()

    def _halted(self) -> CommandGenerator[None]:
        self._wire.addon.halted(self._admitted())
        yield from self._cut_off()

    def _cut_off(self) -> CommandGenerator[None]:
        """Both sides, at once, with what is still to be written."""
        self._over = True
        if self._upstream is not None:
            yield CutOff(self._upstream.carrier or self._upstream)
        yield CutOff(self.context.client)

    def _close(self, last_word: bytes) -> CommandGenerator[None]:
        self._over = True
        self._waiting.clear()
        self._wire.link.pipelined = 0
        upstream = self._upstream
        if upstream is not None and (upstream.carrier or upstream).connected:
            yield commands.CloseConnection(upstream.carrier or upstream)
        if last_word:
            yield commands.SendData(self.context.client, last_word)
        yield commands.CloseConnection(self.context.client)

    def _admitted(self) -> Call:
        call = self._call
        if call is None:
            raise BreachError("bytes without a decision")
        _ = call.admitted
        return call


def _host(tunnel: Tunnel | None) -> str:
    """The name in the ClientHello that was read, whether or not it is the tunnel's: that is for the decision."""
    if tunnel is None or tunnel.sni is None:
        raise BreachError("TLS without a name")
    return tunnel.sni.decode("ascii")


class _Push(events.Event):
    """These bytes are to go out."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class _Finish(events.Event):
    """No more bytes are to go out."""


class _Opened(commands.Command):
    """The upstream is there; or why not."""

    def __init__(self, error: str | None) -> None:
        self.error = error


class _Came(commands.Command):
    """These bytes came from the upstream."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class _Ended(commands.Command):
    """No more bytes will."""


class _Outlet(layer.Layer):
    """The upstream's end: what lies between here and the socket is at most a tunnel through a proxy."""

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        server = self.context.server
        match event:
            case events.Start():
                error = yield commands.OpenConnection(server)
                yield _Opened(error)
            case _Push(data=data):
                yield commands.SendData(server, data)
            case _Finish():
                yield commands.CloseTcpConnection(server, half_close=True)
            case events.DataReceived(data=data):
                yield _Came(data)
            case events.ConnectionClosed():
                yield _Ended()
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")
