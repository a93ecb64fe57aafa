"""HTTP/1.1 with an agent: strict heads, each refused with a receipt where it is none; who is not known is turned away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from mitmproxy import http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestEndOfMessage,
    RequestHeaders,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http1 import Http1Server, make_body_reader

from outgate.intake.request import Tunnel, Unreadable
from outgate.mitm.doors import TurnedAway
from outgate.mitm.enforce import BreachError
from outgate.mitm.heads import (
    END_OF_HEAD,
    NOT_HTTP,
    body_size,
    closes,
    may_be_http,
    parse_head,
    response_head,
    tunnel_of,
)
from outgate.mitm.http1 import Bounded
from outgate.mitm.translate import reply_response, unparsed
from outgate.mitm.wire import BadBody, Becomes, LateHead, RefusedHead, SpeaksHttp2, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.answer.reply import Reply

_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LINGER: Final = 2.0
"""Seconds that a client gets to read our last word, before what it still sends resets the connection."""
_SKIPPED: Final = 64 * 1024
"""Bytes of a body that are read for nothing, so that who has to say first who it is can go on by the same connection."""
_BAD_BODY: Final = Unreadable(status=400, why="The framing of the request's body is malformed.")
_LATE: Final = Unreadable(status=408, why="The request's head took too long to come.")
_TOO_LARGE: Final = Unreadable(status=431, why="The request's head is too large.")


class AgentHttp1(Bounded, Http1Server):
    """The agent's side. Every head that is none becomes an event too, so that it is refused with a receipt."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._unread = False
        self._given = b""
        self._turned: tuple[http.Request, Reply] | None = None
        self._skipped = 0

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, LateHead):
            return self._late()
        return self._hung_up(event) if self.state == self.done else super()._handle_event(event)

    def _hung_up(self, event: events.Event) -> CommandGenerator[None]:
        """Nothing is read any more, and after a while not waited for either."""
        self._pipelined(0)
        if isinstance(event, events.Wakeup):
            yield commands.CloseConnection(self.conn)

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        if isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.conn)
            return
        self._pipelined(0)
        wire_of(self.context).link.head = 0
        if self._prefaced():
            self.state = self.done
            yield SpeaksHttp2(bytes(self.buf))
            return
        match self._understood():
            case None:
                wire_of(self.context).link.head = self.stream_id if self.buf else 0
                return
            case (http.Request() as asked, TurnedAway() as turned):
                yield from self._turn_away(asked, turned)
            case Unreadable() as problem:
                yield from self._refuse(problem)
            case Tunnel() as tunnel:
                yield from self._become(tunnel)
            case request, size:
                self.request = request
                self._last = closes(request.data.http_version, request.headers.fields)
                yield ReceiveHttp(RequestHeaders(self.stream_id, request, size == 0))
                if size == 0:
                    yield from self.ended()
                    return
                self.body_reader = make_body_reader(size)
                self.state = self.read_body
                yield from self.state(event)

    def _late(self) -> CommandGenerator[None]:
        """A head, or the body of somebody who was turned away, takes too long."""
        wire = wire_of(self.context)
        wire.link.head = 0
        wire.addon.bounded("head_time")
        if self.state == self.read_headers:
            yield from self._refuse(_LATE)
        else:
            self.state = self.done
            yield commands.CloseConnection(self.conn)

    def _prefaced(self) -> bool:
        """Some clients speak HTTP/2 because they were told to (httpx, `http1=False`): inside TLS, that is as good."""
        tunnel = wire_of(self.context).link.tunnel
        inside_tls = tunnel is not None and tunnel.tls
        return inside_tls and self.stream_id == 1 and bytes(self.buf).startswith(_PREFACE)

    def _understood(self) -> tuple[http.Request, int | TurnedAway | None] | Tunnel | Unreadable | None:
        head = self._head()
        if head is None or isinstance(head, Unreadable):
            return head
        wire = wire_of(self.context)
        if wire.link.tunnel is None and (turned := wire.addon.identify(wire.link, head)) is not None:
            return head, turned
        if head.data.method == b"CONNECT" and wire_of(self.context).link.tunnel is None:
            return tunnel_of(head)
        size = body_size(head)
        return size if isinstance(size, Unreadable) else (head, size)

    def _head(self) -> http.Request | Unreadable | None:
        data = bytes(self.buf)
        start = 2 if data.startswith(b"\r\n") else 0  # RFC 9112, section 2.2: one empty line before a request
        end = END_OF_HEAD.search(data, start)
        if (end.end() if end else len(data)) > self.limits.head:
            return _TOO_LARGE
        if not may_be_http(data[start:]):
            return NOT_HTTP
        if end is None:
            return None
        self.buf.maybe_extract_at_most(end.end())
        return parse_head(data[start : end.end()])

    def _turn_away(self, asked: http.Request, turned: TurnedAway) -> CommandGenerator[None]:
        """Say who may come in, in a while; until then nothing more is understood. Of a body, only a small one is waited for."""
        size = body_size(asked)
        self._skipped = size if isinstance(size, int) and size <= _SKIPPED and not _waits(asked) else 0
        self._unread = size != self._skipped
        self._last = turned.closes or self._unread or closes(asked.data.http_version, asked.headers.fields)
        self._turned = asked, turned.reply()
        self.state = self.turning_away
        if turned.delay:
            yield commands.RequestWakeup(turned.delay)
        else:
            yield from self.turning_away(events.Start())

    def malformed(self, event: events.Event, why: str) -> CommandGenerator[None]:
        """Its exchange can still answer, where nothing of it has left. Where the next request would begin is not known."""
        if isinstance(event, events.ConnectionClosed):
            yield from super().malformed(event, why)
            return
        assert self.stream_id is not None
        self._unread = self._last = True
        self.request_done, self.state = True, self.wait
        yield ReceiveHttp(BadBody(self.stream_id, _BAD_BODY))

    def turning_away(self, event: events.Event) -> CommandGenerator[None]:
        match event:
            case events.DataReceived():
                self._pipelined(len(self.buf))
            case events.ConnectionClosed():
                self.state = self.done
                yield commands.CloseConnection(self.conn)
            case _:
                assert self._turned is not None
                yield from self._say_who(*self._turned)

    def _say_who(self, asked: http.Request, reply: Reply) -> CommandGenerator[None]:
        response, body = reply_response(reply, asked, close=self._last)
        yield commands.SendData(self.conn, response_head(response) + body)
        self._turned = None
        if self._last:
            self.state, self._unread = self.done, True
            yield from self.hang_up()
            return
        self.body_reader = make_body_reader(self._skipped)
        self.state = self.skip_body
        wire_of(self.context).link.head = self.stream_id
        yield from self.state(events.DataReceived(self.conn, b""))

    def skip_body(self, event: events.Event) -> CommandGenerator[None]:
        """Drop the body of what was turned away, then go on."""
        if isinstance(event, events.ConnectionClosed):
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            return
        while (found := self._next(event)) is not None:
            if isinstance(found, h11.EndOfMessage):
                self.state = self.read_headers
                yield from self.next_exchange()
                return

    def _refuse(self, problem: Unreadable) -> CommandGenerator[None]:
        """Let it be refused. Where the next request would begin is not known: there is none."""
        if wire_of(self.context).link.known is None:
            yield from self._refuse_stranger(problem)
            return
        self.request = unparsed()
        self._unread = self._last = True
        yield ReceiveHttp(RefusedHead(self.stream_id, self.request, end_stream=True, problem=problem))
        yield ReceiveHttp(RequestEndOfMessage(self.stream_id))
        yield from self.mark_done(request=True)

    def _refuse_stranger(self, problem: Unreadable) -> CommandGenerator[None]:
        """Nobody knows who sent what is no request: there is nothing to decide, and nobody to record it of."""
        wire = wire_of(self.context)
        response, body = reply_response(wire.addon.unreadable(wire.link, problem), unparsed(), close=True)
        self.state, self._unread = self.done, True
        yield commands.SendData(self.conn, response_head(response) + body)
        yield from self.hang_up()

    def _become(self, tunnel: Tunnel) -> CommandGenerator[None]:
        wire = wire_of(self.context)
        wire.addon.http_connect(wire.link, tunnel)
        yield commands.SendData(self.conn, _ESTABLISHED)
        rest = bytes(self.buf).lstrip(b"\r\n")  # some clients send a newline after CONNECT
        self.state = self.done
        yield Becomes(rest)

    def wait(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            self._pipelined(len(self.buf))
            return
        yield from super().wait(event)

    def _pipelined(self, size: int) -> None:
        wire_of(self.context).link.pipelined = size

    def mark_done(self, *, request: bool = False, response: bool = False) -> CommandGenerator[None]:
        if request and not self.response_done:
            self.state = self.wait
        yield from super().mark_done(request=request, response=response)

    def hang_up(self) -> CommandGenerator[None]:
        if not self._unread:
            yield commands.CloseConnection(self.conn)
            return
        # closing with bytes unread resets the connection, and the client would never see our answer
        yield commands.CloseTcpConnection(self.conn, half_close=True)
        yield commands.RequestWakeup(_LINGER)

    def next_exchange(self) -> CommandGenerator[None]:
        self.stream_id += 2
        if self.buf:
            yield from self.state(events.DataReceived(self.conn, b""))

    def send(self, event: Any) -> CommandGenerator[None]:
        """Frame for the client."""
        match event:
            case ResponseHeaders(response=response, end_stream=ended):
                self._answer(response, ended=ended)
                yield commands.SendData(self.conn, response_head(response))
            case ResponseData(data=data):
                yield from self.body(data)
            case ResponseTrailers(trailers=trailers):
                self._given = bytes(trailers)
            case ResponseEndOfMessage():
                yield from self._end()
            case ResponseProtocolError():
                self.state = self.done
                yield commands.CloseConnection(self.conn)
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")

    def _answer(self, response: http.Response, *, ended: bool) -> None:
        """Take note of how this one is framed: all that is sent here was written by `translate`."""
        self.response = response
        if response.status_code == 100:
            return
        fields = {name.lower(): value for name, value in response.headers.fields}
        self._chunks = b"transfer-encoding" in fields
        self._pipe = response.status_code == 101
        until_closed = not (ended or self._chunks or self._pipe or b"content-length" in fields)
        self._last = self._last or until_closed or fields.get(b"connection") == b"close"

    def _end(self) -> CommandGenerator[None]:
        assert self.response is not None
        if self._chunks and self.request is not None and self.request.data.method != b"HEAD":
            yield commands.SendData(self.conn, b"0\r\n" + self._given + b"\r\n")
        self._given = b""
        if not self.request_done and self._last:
            # the rest of the request was never asked for, and may never come
            self.state = self.done
            self._unread = True
            yield from self.hang_up()
        else:
            yield from self.mark_done(response=True)


def _waits(request: http.Request) -> bool:
    """Whether the client sends its body only when told to: it may never come."""
    return any(name.lower() == b"expect" for name, _ in request.headers.fields)
