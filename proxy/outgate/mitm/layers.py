"""mitmproxy's HTTP layers, with our exchange and our connections; HTTP/2 that holds back what can't be passed on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mitmproxy.proxy import commands, events, layer, tunnel
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HttpClient,
    HttpLayer,
    HTTPMode,
    RegisterHttpConnection,
    SendHttp,
)
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestHeaders
from mitmproxy.proxy.layers.http._upstream_proxy import HttpUpstreamProxy

from outgate.mitm.enforce import BreachError, Failure, Way
from outgate.mitm.exchange import Exchange
from outgate.mitm.forward import GoOn
from outgate.mitm.http1 import UpstreamHttp1
from outgate.mitm.http1_agent import AgentHttp1
from outgate.mitm.http2 import AgentHttp2, Settle, UpstreamHttp2
from outgate.mitm.messages import Messages
from outgate.mitm.pace import Pace, over
from outgate.mitm.pool import Whose
from outgate.mitm.tls import UpstreamTls
from outgate.mitm.wire import Connect, LateHead, Look, OfCall, Rested, Settled, SpeaksHttp2, Upstream, wire_of

if TYPE_CHECKING:
    from mitmproxy.connection import Connection
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.forward import Forwarding

_PROXY_HEAD: Final = 64 * 1024


class Http(HttpLayer):
    """HTTP with one client. `uses` counts the exchanges on an upstream connection: HTTP/1.1 gets one at a time."""

    def __init__(self, context: Context, mode: HTTPMode) -> None:
        super().__init__(context, mode)
        self.wire = wire_of(context)
        self._uses: dict[Connection, int] = {}
        self._agent: AgentHttp2 | None = None
        self._head = Pace()

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """Nothing is waited for here, only in exchanges: no event has to be put off."""
        return self._handle_event(event)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if type(event) is events.DataReceived and (peer := self.connections.get(event.connection)) is not None:  # most of it
            yield from self.event_to_child(peer, event)
            yield from self._settle()
            return
        if isinstance(event, events.CommandCompleted):
            yield from self.event_to_child(self.command_sources.pop(event.command), event)
            yield from self._settle()
            return
        if isinstance(event, events.Start):
            self.connections[self.context.client] = self._agent_layer()
        known = not isinstance(event, events.ConnectionEvent) or event.connection in self.connections
        if isinstance(event, OfCall):
            yield from self._of_call(event)
        elif isinstance(event, Look):
            yield from self._look(event)
        elif isinstance(event, Rested):
            self._forget(event.connection)
        elif known and not isinstance(event, Settled):
            yield from super()._handle_event(event)
        if isinstance(event, events.ConnectionClosed) and event.connection is not self.context.client:
            self._forget(event.connection)
        yield from self._settle()

    def _of_call(self, event: OfCall) -> CommandGenerator[None]:
        for stream in tuple(self.streams.values()):
            if isinstance(stream, Exchange) and stream.call is event.call:
                yield from self.event_to_child(stream, event)

    def _look(self, look: Look) -> CommandGenerator[None]:
        """End what has stood still for too long: a head that came in part, and each exchange by itself."""
        link = self.wire.link
        if over(self._head.still(link.head, look.now), self.wire.limits.head_time) and link.head:
            yield from self.event_to_child(self.connections[self.context.client], LateHead())
        for stream in tuple(self.streams.values()):
            yield from self.event_to_child(stream, look)

    def _agent_layer(self) -> layer.Layer:
        self.wire.link.pressed = self._pressed
        self.wire.link.at_hand = self._at_hand
        if self.context.client.alpn != b"h2":
            return AgentHttp1(self.context.fork())
        self._agent = AgentHttp2(self.context.fork())
        return self._agent

    def _settle(self) -> CommandGenerator[None]:
        """Give window for what went on; hold it back, stream by stream, for what did not; and send on what waits in files."""
        for stream in tuple(self.wire.link.forwarding):
            yield from self.event_to_child(stream, GoOn(self._takes))
        if self._agent is not None and self._agent.h2_conn.owed and self.context.client.connected:
            yield from self.event_to_child(self._agent, Settle(self._upload_went_on))
        for server in tuple(self.connections):
            if type(server) is Upstream and server.http2 is not None and server.http2.h2_conn.owed and server.connected:
                yield from self.event_to_child(self.connections[server], Settle(partial(self._went_on, server.http2)))

    def _upload_went_on(self, stream_id: int) -> bool:
        stream, limit = self.streams.get(stream_id), self.wire.limits.unsent
        if not isinstance(stream, Exchange):
            return True
        upstream = stream.upstream
        if stream.held_up > limit:
            return False
        if upstream is None or stream.up is not None:
            return stream.queued <= limit
        if upstream.http2 is not None and upstream.http2.unsent(stream_id) > limit:
            return False
        carrier = upstream.carrier or upstream  # a window is a promise: who gives a large one may still read nothing
        if self.wire.backlog(carrier) <= limit:
            return True
        self.wire.link.congested.add(carrier)
        return False

    def _went_on(self, upstream: UpstreamHttp2, stream_id: int) -> bool:
        return self._answer_went_on(upstream.theirs(stream_id))

    def _takes(self, stream: Forwarding, connection: Connection) -> bool:
        """Whether there is room for more of a stream on its way to a peer."""
        limit, http2 = self.wire.limits.unsent, connection.http2 if isinstance(connection, Upstream) else self._agent
        if connection not in self.connections or (http2 is not None and http2.unsent(stream.stream_id) > limit):
            return False
        carrier = (connection.carrier or connection) if isinstance(connection, Upstream) else connection
        if self.wire.backlog(carrier) <= limit:
            return True
        self.wire.link.congested.add(carrier)
        return False

    def _answer_went_on(self, stream_id: int) -> bool:
        stream = self.streams.get(stream_id)
        if isinstance(stream, Exchange) and (stream.down is not None or stream.held_down > self.wire.limits.unsent):
            return False
        return self._agent is None or self._agent.unsent(stream_id) <= self.wire.limits.unsent

    def _pressed(self, connection: Connection) -> bool:
        """Whether an upstream has to wait, because the agent does not take what it sends."""
        if self.wire.link.talking:
            return any(isinstance(s.child_layer, Messages) and s.child_layer.behind for s in self.streams.values())
        if (self._agent is None and not self.wire.link.forwarding) or (isinstance(connection, Upstream) and connection.http2):
            return False
        streams = [s for s in self.streams.values() if isinstance(s, Exchange) and s.upstream is not None]
        mine = [s.stream_id for s in streams if s.upstream and connection in {s.upstream, s.upstream.carrier}]
        return not all(map(self._answer_went_on, mine))

    def event_to_child(self, child: Any, event: events.Event) -> CommandGenerator[None]:  # noqa: C901, PLR0912  # one case a command
        for command in child.handle_event(event):
            kind = type(command)
            if kind is commands.SendData:  # by far the most; the order is that of frequency
                yield command
                continue
            if kind is ReceiveHttp:
                received = command.event
                if isinstance(received, RequestHeaders):
                    yield from self.make_stream(received.stream_id)
                if stream := self.streams.get(received.stream_id):
                    yield from self.event_to_child(stream, received)
            elif kind is SendHttp:
                if connected := self.connections.get(command.connection):  # else it is closed: there is nobody to tell
                    yield from self.event_to_child(connected, command.event)
            elif kind is DropStream:
                self._drop(command.stream_id)
            elif kind is Connect:
                self.command_sources[command] = child
                yield from self.get_connection(command)
            elif kind is RegisterHttpConnection:
                yield from self.register_connection(command)
            elif kind is SpeaksHttp2:
                yield from self._speak_http2(command.data)
            else:
                if command.blocking or kind is commands.RequestWakeup:
                    self.command_sources[command] = child
                if kind is commands.OpenConnection:
                    self.connections[command.connection] = child
                yield command

    def _speak_http2(self, data: bytes) -> CommandGenerator[None]:
        client = self.context.client
        client.alpn = b"h2"
        agent = self.connections[client] = self._agent_layer()
        yield from self.event_to_child(agent, events.Start())
        yield from self.event_to_child(agent, events.DataReceived(client, data))

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        stream = self.streams[stream_id] = Exchange(self.context.fork(), stream_id)
        self.wire.link.holds(len(self.streams))
        yield from self.event_to_child(stream, events.Start())

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> CommandGenerator[None]:
        if not isinstance(event, Connect) or event.way is None:
            raise BreachError("a connection without a way")
        for connection in tuple(self.connections) if reuse and not event.fresh else ():
            if not event.connection_spec_matches(connection):
                continue
            if connection in self.waiting_for_establishment:
                if not self._takes_turns(event):
                    self.waiting_for_establishment[connection].append(event)
                    return
            elif connection.connected and self._is_free(connection):
                yield from self._give(event, connection)
                return
        yield from self._open(event, event.way)

    def _at_hand(self, way: Way) -> Upstream | None:
        """Give an open connection that leads this way and that a request can go out on now, if there is one: it is used then."""
        for connection in self.connections:
            if type(connection) is not Upstream or connection.way != way or connection.carries:
                continue
            if connection.connected and connection not in self.waiting_for_establishment and self._is_free(connection):
                self._use(connection)
                return connection
        return None

    def _takes_turns(self, event: Connect) -> bool:
        """Whether an upstream speaks HTTP/1.1: then each of the requests at once has a connection, and waits for no other's."""
        found = [c for c in self.connections if event.connection_spec_matches(c) and c not in self.waiting_for_establishment]
        return any(connection.alpn != b"h2" for connection in found)

    def _is_free(self, connection: Connection) -> bool:
        if isinstance(connection, Upstream) and connection.http2 is not None:
            return not connection.http2.leaving
        return not self._uses.get(connection)

    def register_connection(self, command: RegisterHttpConnection) -> CommandGenerator[None]:
        waiting = self.waiting_for_establishment.pop(command.connection)
        if command.err:
            self._forget(command.connection)
            for event in waiting:
                yield from self._complete(event, (None, command.err))
            return
        for event in waiting:
            if self._is_free(command.connection):
                yield from self._give(event, command.connection)
            else:
                yield from self.get_connection(event)

    def _open(self, event: Connect, way: Way) -> CommandGenerator[None]:
        context = self.context.fork()
        context.server = upstream = Upstream(address=(way.host, way.port), way=way)
        if way.pin.via is None:
            self._warm_up(upstream, event)
        stack = tunnel.LayerStack()
        proxy = urlsplit(way.pin.via) if way.pin.via is not None else None
        if proxy and way.tls:
            upstream.carrier = carrier = Upstream(address=(way.pin.address, way.pin.address_port), way=way, carries=True)
            if proxy.scheme == "https":
                stack /= UpstreamTls(context, carrier, proxy.hostname or "")
            stack /= Via(context, carrier)
        elif proxy and proxy.scheme == "https":
            stack /= UpstreamTls(context, upstream, proxy.hostname or "")
        if way.tls:
            stack /= UpstreamTls(context, upstream, way.pin.name)
        stack /= Outward(context)
        self.connections[upstream] = stack[0]
        self.waiting_for_establishment[upstream].append(event)
        yield from self.event_to_child(stack[0], events.Start())

    def _warm_up(self, upstream: Upstream, asked: Connect) -> None:
        """Say whose a connection will be, and have it go on with one that rests for the same, if there is any."""
        link, addon, way = self.wire.link, self.wire.addon, upstream.way
        tls = addon.tls_start_server(link, upstream, way.pin.name, self.context.client.alpn) if way.tls else None
        upstream.whose = Whose(link.agent.id, way, tls)
        warm = None if asked.fresh else addon.pool.take(upstream.whose, again=asked.again)
        if warm is not None:
            upstream.warm, upstream.tls_end, upstream.asked = warm, warm.tls, 1

    def _give(self, event: GetHttpConnection, connection: Connection) -> CommandGenerator[None]:
        self._use(connection)
        yield from self._complete(event, (connection, None))

    def _use(self, connection: Connection) -> None:
        self._uses[connection] = self._uses.get(connection, 0) + 1
        if isinstance(connection, Upstream):
            connection.asked += 1

    def _complete(self, event: GetHttpConnection, reply: tuple[None, str] | tuple[Connection, None]) -> CommandGenerator[None]:
        stream = self.command_sources.pop(event)
        yield from self.event_to_child(stream, GetHttpConnectionCompleted(event, reply))

    def _drop(self, stream_id: int) -> None:
        stream = self.streams.pop(stream_id, None)
        self.wire.link.holds(len(self.streams))
        if isinstance(stream, Exchange):
            stream.unheard()
        if not isinstance(stream, Exchange) or stream.upstream is None:
            return
        if stream.upstream in self._uses:
            self._uses[stream.upstream] -= 1
        if stream.upstream.http2 is not None:
            stream.upstream.http2.forget(stream_id)

    def _forget(self, connection: Connection) -> None:
        """Keep nothing of a closed connection: a client may stay for days, and open one after another."""
        gone = self.connections.get(connection)
        for other in [other for other, found in self.connections.items() if found is gone]:
            if other is not self.context.client:
                self.connections.pop(other)
                self._uses.pop(other, None)


class Outward(HttpClient):
    """Open an upstream connection, then speak what was agreed on it."""

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        server = self.context.server
        assert isinstance(server, Upstream)
        error = yield commands.OpenConnection(server)
        if not error:
            server.ready = True
            if server.carrier is not None:
                server.carrier.ready = True
            if server.alpn == b"h2":
                self.child_layer = server.http2 = UpstreamHttp2(self.context)
            else:
                self.child_layer = server.http1 = UpstreamHttp1(self.context)
            self.handle_event = self._handle_event = self.child_layer.handle_event  # type: ignore[method-assign]  # as mitmproxy switches
            yield from self._handle_event(event)
        yield RegisterHttpConnection(server, error)


class Via(HttpUpstreamProxy):
    """A tunnel through an upstream proxy. Its credentials go to it, and to nobody else."""

    def __init__(self, context: Context, proxy: Upstream) -> None:
        super().__init__(context, proxy, send_connect=True)
        self._way = proxy.way

    def start_handshake(self) -> CommandGenerator[None]:
        way = self._way
        host = f"[{way.host}]" if ":" in way.host else way.host
        authority = f"{host}:{way.port}".encode("ascii")
        credentials = wire_of(self.context).addon.proxy_credentials(way)
        lines = [
            b"CONNECT %s HTTP/1.1" % authority,
            b"Host: " + authority,
            *map(b": ".join, credentials),
        ]
        yield commands.SendData(self.tunnel_connection, b"\r\n".join(lines) + b"\r\n\r\n")

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        if len(self.buf) + len(data) > _PROXY_HEAD:
            return False, f"{Failure.PROXY}: its head is too large"
        done, error = yield from super().receive_handshake_data(data)
        return done, None if error is None else f"{Failure.PROXY}: {error}"
