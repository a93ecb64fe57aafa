"""HTTP/1.1, both sides: strict heads, bounded lines, 1xx skipped, trailers that don't break anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server, make_body_reader

from outgate.mitm.enforce import BreachError
from outgate.mitm.heads import (
    END_OF_HEAD,
    closes,
    request_head,
)
from outgate.mitm.translate import declared_length
from outgate.mitm.wire import Unanswered, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.link import Limits

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
MOST_INTERIM: Final = 100
"""Heads of 1xx before an answer. Go gives up after five; they are read, and go nowhere."""


class Bounded(Http1Connection):
    """What both sides have in common: body lines are bounded, trailers are events, and what a head says is looked up once.

    `_chunks`: whether what goes out is chunked. `_last`: the connection ends with this exchange. `_pipe`: it becomes one.
    """

    _chunks = False
    _last = False
    _pipe = False

    @property
    def limits(self) -> Limits:
        return wire_of(self.context).limits

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """Nothing is waited for here: no event has to be put off."""
        return self._handle_event(event)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, HttpEvent):
            return self.send(event)
        if isinstance(event, events.DataReceived) and self.state != self.passthrough:
            self.buf += event.data
        return self.state(event)

    def read_body(self, event: events.Event) -> CommandGenerator[None]:
        assert self.stream_id is not None
        try:
            pieces: list[bytes] = []
            while (found := self._next(event)) is not None:
                if isinstance(found, h11.Data):
                    pieces.append(bytes(found.data))
                    continue
                yield from self._came(pieces)
                if found.headers:
                    yield from self.trailers(http.Headers(tuple((bytes(n), bytes(v)) for n, v in found.headers)))
                yield from self.ended()
                return
            yield from self._came(pieces)
        except h11.ProtocolError as error:
            yield from self.malformed(event, str(error))

    def ended(self) -> CommandGenerator[None]:
        """What this side says is over."""
        assert self.stream_id is not None
        yield ReceiveHttp(self.ReceiveEndOfMessage(self.stream_id))
        request = isinstance(self, Http1Server)
        yield from self.mark_done(request=request, response=not request)

    def _came(self, pieces: list[bytes]) -> CommandGenerator[None]:
        """Pass on what one read brought as one piece: it may be thousands of chunks."""
        if data := b"".join(pieces):
            assert self.stream_id is not None
            yield ReceiveHttp(self.ReceiveData(self.stream_id, data))

    def trailers(self, trailers: http.Headers) -> CommandGenerator[None]:  # noqa: ARG002  # the other side passes them on
        """A request's trailers end here: nobody decided them."""
        yield from ()

    def malformed(self, event: events.Event, why: str) -> CommandGenerator[None]:  # noqa: ARG002  # the other side asks
        """A body broke its framing, or its end never came."""
        assert self.stream_id is not None
        yield commands.CloseConnection(self.conn)
        code = self.ReceiveProtocolError.code
        yield ReceiveHttp(self.ReceiveProtocolError(self.stream_id, f"malformed body: {why}", code=code))

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


class UpstreamHttp1(Bounded, Http1Client):
    """The upstream's side. `_heard`: something of an answer came; `_dropped`: so many interim ones."""

    _heard = False
    _dropped = 0

    @property
    def rests(self) -> bool:
        """Whether what was asked was answered, to the last byte, and no more."""
        return self.state == self.read_headers and self.request is None and not self.buf and not self._last

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        if isinstance(event, events.ConnectionClosed) and self.stream_id is not None and not self._heard:
            yield commands.CloseConnection(self.conn)
            yield ReceiveHttp(Unanswered(self.stream_id, "server closed connection", ErrorCode.GENERIC_SERVER_ERROR))
            return
        if isinstance(event, events.ConnectionClosed):
            yield from super().read_headers(event)
            return
        self._heard = True
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
        data, at = bytes(self.buf), 0
        while True:
            end = END_OF_HEAD.search(data, at)
            if (end.end() if end else len(data)) - at > self.limits.response_head:
                return "its head is too large"
            if end is None:
                self.buf.maybe_extract_at_most(at)
                return None
            lines = [line.removesuffix(b"\r") for line in data[at : end.start()].split(b"\n")]
            at = end.end()
            try:
                response = http1.read_response_head(lines)
                if response.status_code >= 200 or response.status_code == 101:
                    self.buf.maybe_extract_at_most(at)
                    return response, _answer_size(self.request, response)
            except ValueError:
                return "its head is malformed"
            self._dropped += 1
            if self._dropped > MOST_INTERIM:
                return "too many interim answers"

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
                self.stream_id, self.request, self._heard, self._dropped = event.stream_id, request, False, 0
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


def _answer_size(request: http.Request, response: http.Response) -> int | None:
    """Give the length of an answer's body, None if it is chunked, -1 if it goes on until the end (RFC 9112, section 6.3)."""
    if request.data.method == b"GET" and response.status_code == 200:  # most answers: no exception holds for them
        framing = tuple(line for line in response.headers.fields if line[0].lower() in _FRAMING)
        if len(framing) == 1 and (length := declared_length(framing)) is not None:
            return length
    return http1.expected_http_body_size(request, response)
