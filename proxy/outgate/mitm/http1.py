"""HTTP/1.1, both sides: strict heads, bounded lines, 1xx skipped, trailers that don't break anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server, make_body_reader

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
    request_head,
    response_head,
    tunnel_of,
)
from outgate.mitm.translate import reply_response, unparsed
from outgate.mitm.wire import Becomes, RefusedHead, SpeaksHttp2, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.answer.reply import Reply
    from outgate.mitm.link import Limits

_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LINGER: Final = 2.0
"""Seconds that a client gets to read our last word, before what it still sends resets the connection."""
_SKIPPED: Final = 64 * 1024
"""Bytes of a body that are read for nothing, so that who has to say first who it is can go on by the same connection."""
_TOO_LARGE: Final = Unreadable(status=431, why="The request's head is too large.")


class _Bounded(Http1Connection):
    """What both sides have in common: body lines are bounded, trailers are events, and what a head says is looked up once.

    `_chunks`: whether what goes out is chunked. `_last`: the connection ends with this exchange. `_pipe`: it becomes one.
    """

    _chunks = False
    _last = False
    _pipe = False

    @property
    def limits(self) -> Limits:
        return wire_of(self.context).limits

    def read_body(self, event: events.Event) -> CommandGenerator[None]:
        assert self.stream_id is not None
        try:
            while (found := self._next(event)) is not None:
                if isinstance(found, h11.Data):
                    if found.data:
                        yield ReceiveHttp(self.ReceiveData(self.stream_id, bytes(found.data)))
                    continue
                if found.headers:
                    yield from self.trailers(http.Headers(tuple((bytes(n), bytes(v)) for n, v in found.headers)))
                yield ReceiveHttp(self.ReceiveEndOfMessage(self.stream_id))
                request = isinstance(self, Http1Server)
                yield from self.mark_done(request=request, response=not request)
                return
        except h11.ProtocolError as error:
            if not isinstance(event, events.ConnectionClosed):
                self.malformed()
            yield commands.CloseConnection(self.conn)
            code = self.ReceiveProtocolError.code
            yield ReceiveHttp(self.ReceiveProtocolError(self.stream_id, f"malformed body: {error}", code=code))

    def trailers(self, trailers: http.Headers) -> CommandGenerator[None]:  # noqa: ARG002  # the other side passes them on
        """A request's trailers end here: nobody decided them."""
        yield from ()

    def malformed(self) -> None:
        """A body broke its framing. Where an upstream's does, its exchange says so."""

    def mark_done(self, *, request: bool = False, response: bool = False) -> CommandGenerator[None]:
        self.request_done = self.request_done or request
        self.response_done = self.response_done or response
        if not (self.request_done and self.response_done):
            return
        if self._pipe:
            yield from self.make_pipe()
        elif self._last:
            self.state = self.done
            yield from self.hang_up()
        else:
            self.request_done = self.response_done = False
            self.request = self.response = None
            self.state = self.read_headers
            yield from self.next_exchange()

    def hang_up(self) -> CommandGenerator[None]:
        yield commands.CloseConnection(self.conn)

    def next_exchange(self) -> CommandGenerator[None]:
        """Go on, on the same connection."""
        yield from ()

    def body(self, data: bytes) -> CommandGenerator[None]:
        """Frame a piece. An empty one would end a chunked body: there is none."""
        if data:
            yield commands.SendData(self.conn, b"%x\r\n%s\r\n" % (len(data), data) if self._chunks else data)

    def _next(self, event: events.Event) -> h11.Data | h11.EndOfMessage | None:
        if isinstance(event, events.ConnectionClosed):
            return self.body_reader.read_eof()
        found = self.body_reader(self.buf)
        if found is None and len(self.buf) > self.limits.head:
            raise h11.RemoteProtocolError("a line of it is too long")
        return found


class AgentHttp1(_Bounded, Http1Server):
    """The agent's side. Every head that is none becomes an event too, so that it is refused with a receipt."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._unread = False
        self._given = b""
        self._turned: tuple[http.Request, Reply] | None = None
        self._skipped = 0

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self.state == self.done:
            self._pipelined(0)
            if isinstance(event, events.Wakeup):
                yield commands.CloseConnection(self.conn)
            return
        yield from super()._handle_event(event)

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        if isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.conn)
            return
        self._pipelined(0)
        if self._prefaced():
            self.state = self.done
            yield SpeaksHttp2(bytes(self.buf))
            return
        match self._understood():
            case None:
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
                self.body_reader = make_body_reader(size)
                self.state = self.read_body
                yield from self.state(event)

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

    def malformed(self) -> None:
        """Nobody is answered: so it is noted."""
        wire = wire_of(self.context)
        wire.addon.malformed(wire.link, "body")

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


class UpstreamHttp1(_Bounded, Http1Client):
    """The upstream's side."""

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        if isinstance(event, events.ConnectionClosed):
            yield from super().read_headers(event)
            return
        if self.request is None or self.stream_id is None:  # it speaks without being asked
            yield commands.CloseConnection(self.conn)
            return
        found = self._answer_head()
        if isinstance(found, str):
            yield commands.CloseConnection(self.conn)
            yield ReceiveHttp(ResponseProtocolError(self.stream_id, found, ErrorCode.GENERIC_SERVER_ERROR))
        elif found is not None:
            self.response, size = found
            self._pipe = self.response.status_code == 101
            self._last = self._last or size == -1 or closes(self.response.data.http_version, self.response.headers.fields)
            yield ReceiveHttp(ResponseHeaders(self.stream_id, self.response, size == 0))
            self.body_reader = make_body_reader(size)
            self.state = self.read_body
            yield from self.state(event)

    def _answer_head(self) -> tuple[http.Response, int | None] | str | None:
        """Read the final head, and how long its body is. 1xx are dropped (RFC 9110, section 15.2), but 101 is final."""
        assert self.request is not None
        while True:
            data = bytes(self.buf)
            end = END_OF_HEAD.search(data)
            if (end.end() if end else len(data)) > self.limits.response_head:
                return "its head is too large"
            if end is None:
                return None
            self.buf.maybe_extract_at_most(end.end())
            lines = [line.removesuffix(b"\r") for line in data[: end.start()].split(b"\n")]
            try:
                response = http1.read_response_head(lines)
                if response.status_code >= 200 or response.status_code == 101:
                    return response, http1.expected_http_body_size(self.request, response)
            except ValueError:
                return "its head is malformed"

    def trailers(self, trailers: http.Headers) -> CommandGenerator[None]:
        assert self.stream_id is not None
        yield ReceiveHttp(ResponseTrailers(self.stream_id, trailers))

    def next_exchange(self) -> CommandGenerator[None]:
        self.stream_id = None
        if self.buf:  # more than one answer to one request
            self._last = True
            yield commands.CloseConnection(self.conn)

    def send(self, event: Any) -> CommandGenerator[None]:
        """Frame for the upstream."""
        match event:
            case RequestHeaders(request=request):
                if self.request is not None:
                    raise BreachError("two requests at once on one connection")
                self.stream_id, self.request = event.stream_id, request
                self._chunks = (b"transfer-encoding", b"chunked") in request.headers.fields
                self._last = request.is_http10
                yield commands.SendData(self.conn, request_head(request))
            case RequestData(data=data):
                yield from self.body(data)
            case RequestEndOfMessage():
                if self._chunks:
                    yield commands.SendData(self.conn, b"0\r\n\r\n")
                yield from self.mark_done(request=True)
            case RequestProtocolError():
                self.state = self.done
                yield commands.CloseConnection(self.conn)
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")


def _waits(request: http.Request) -> bool:
    """Whether the client sends its body only when told to: it may never come."""
    return any(name.lower() == b"expect" for name, _ in request.headers.fields)
