"""HTTP/1.1, both sides: strict heads, bounded lines, 1xx skipped, trailers that don't break anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import h11
from mitmproxy import http
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
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server, make_body_reader

from outgate.intake.reading import read_connect
from outgate.intake.request import Tunnel, Unreadable
from outgate.mitm.translate import declared_length, received, unparsed
from outgate.mitm.wire import Becomes, RefusedHead, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.link import Limits

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_STARTS_LIKE_HTTP: Final = re.compile(_TOKEN + rb"{1,32}(?: |\Z)")
_REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_ABSOLUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_LINGER: Final = 2.0
"""Seconds that a client gets to read our last word, before what it still sends resets the connection."""

NOT_HTTP: Final = Unreadable(status=400, why="This is not HTTP: the egress gate passes HTTP and HTTPS on, and nothing else.")
_BAD_LINE: Final = Unreadable(status=400, why="The request line is malformed.")
_BAD_FIELDS: Final = Unreadable(status=400, why="A header line is malformed.")
_BAD_ENDS: Final = Unreadable(status=400, why="A line of the request's head ends in something other than CR LF.")
_BAD_LENGTH: Final = Unreadable(status=400, why="The length of the request's body can be read in two ways.")
_BAD_TUNNEL: Final = Unreadable(status=400, why="CONNECT has a body.")
_TOO_LARGE: Final = Unreadable(status=431, why="The request's head is too large.")


def may_be_http(data: bytes) -> bool:
    """Whether a request line may begin like this."""
    return not data or bool(_STARTS_LIKE_HTTP.match(data))


def parse_head(head: bytes) -> http.Request | Unreadable:
    """Split a head, blank line included, into what it says. Only what separates its parts is judged here."""
    lines = head[:-4].split(b"\r\n")
    if not head.endswith(b"\r\n\r\n") or any(b"\n" in line or b"\r" in line for line in lines):
        return _BAD_ENDS
    line = _REQUEST_LINE.fullmatch(lines[0])
    if line is None:
        return _BAD_LINE
    fields = []
    for field in lines[1:]:
        name, colon, value = field.partition(b":")
        if not name or not colon:
            return _BAD_FIELDS
        fields.append((name, value.strip(b" \t")))
    method, target, minor = line.groups()
    scheme, authority, path = _split(method, target)
    version = b"HTTP/1." + minor
    return received(method=method, scheme=scheme, authority=authority, path=path, version=version, fields=tuple(fields))


def body_size(request: http.Request) -> int | Unreadable | None:
    """Give a request's body length, None if it is chunked (RFC 9112, section 6.3, without its leniency)."""
    fields = request.headers.fields
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if not codings and not lengths:
        return 0
    if codings:
        chunked = len(codings) == 1 and codings[0].lower() == b"chunked" and not lengths and request.is_http11
        return None if chunked else _BAD_LENGTH
    length = declared_length(fields)
    return _BAD_LENGTH if length is None else length


def _tunnel(request: http.Request) -> Tunnel | Unreadable:
    """Where a CONNECT wants to go: one host and one port (RFC 9110, section 9.3.6), and no body."""
    if body_size(request) != 0:
        return _BAD_TUNNEL
    named = read_connect(request.data.authority)
    return named if isinstance(named, Unreadable) else Tunnel(host=named[0].encode("ascii"), port=named[1], tls=False)


def _split(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
    if method == b"CONNECT":
        return b"", target, b""
    absolute = _ABSOLUTE.fullmatch(target) if not target.startswith(b"/") else None
    return (absolute[1].lower(), absolute[2], absolute[3]) if absolute else (b"", b"", target)


class _Bounded(Http1Connection):
    """What both sides have in common: body lines are bounded, trailers are events."""

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
            yield commands.CloseConnection(self.conn)
            code = self.ReceiveProtocolError.code
            yield ReceiveHttp(self.ReceiveProtocolError(self.stream_id, f"malformed body: {error}", code=code))

    def trailers(self, trailers: http.Headers) -> CommandGenerator[None]:  # noqa: ARG002  # the other side passes them on
        """A request's trailers end here: nobody decided them."""
        yield from ()

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
        self._given: http.Headers | None = None

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
        found = self._head()
        if found is None:
            return
        if isinstance(found, http.Request) and found.data.method == b"CONNECT" and wire_of(self.context).link.tunnel is None:
            tunnel = _tunnel(found)
            if isinstance(tunnel, Tunnel):
                yield from self._become(tunnel)
                return
            found = tunnel
        size = body_size(found) if isinstance(found, http.Request) else 0
        problem = found if isinstance(found, Unreadable) else size if isinstance(size, Unreadable) else None
        if problem or isinstance(found, Unreadable) or isinstance(size, Unreadable):
            yield from self._refuse(problem or _BAD_LINE)
            return
        self.request = found
        yield ReceiveHttp(RequestHeaders(self.stream_id, found, size == 0))
        self.body_reader = make_body_reader(size)
        self.state = self.read_body
        yield from self.state(event)

    def _head(self) -> http.Request | Unreadable | None:
        data = bytes(self.buf)
        start = 2 if data.startswith(b"\r\n") else 0  # RFC 9112, section 2.2: one empty line before a request
        end = _END_OF_HEAD.search(data, start)
        if (end.end() if end else len(data)) > self.limits.head:
            return _TOO_LARGE
        if not may_be_http(data[start:]):
            return NOT_HTTP
        if end is None:
            return None
        self.buf.maybe_extract_at_most(end.end())
        return parse_head(data[start : end.end()])

    def _refuse(self, problem: Unreadable) -> CommandGenerator[None]:
        """Let it be refused. Where the next request would begin is not known: there is none."""
        self.request = unparsed()
        self._unread = True
        yield ReceiveHttp(RefusedHead(self.stream_id, self.request, end_stream=True, problem=problem))
        yield ReceiveHttp(RequestEndOfMessage(self.stream_id))
        yield from self.mark_done(request=True)

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
        link = wire_of(self.context).link
        link.pipelined = size
        link.room.set()

    def mark_done(self, *, request: bool = False, response: bool = False) -> CommandGenerator[None]:
        for command in super().mark_done(request=request, response=response):
            if isinstance(command, commands.CloseConnection) and self._unread:
                # closing with bytes unread resets the connection, and the client would never see our answer
                yield commands.CloseTcpConnection(self.conn, half_close=True)
                yield commands.RequestWakeup(_LINGER)
            else:
                yield command

    def send(self, event: Any) -> CommandGenerator[None]:
        """Frame for the client."""
        match event:
            case ResponseData(data=data) if not data:
                return
            case ResponseTrailers(trailers=trailers):
                self._given = trailers
            case ResponseEndOfMessage():
                yield from self._end(event)
            case ResponseProtocolError():
                yield commands.CloseConnection(self.conn)
            case _:
                yield from super().send(event)

    def _end(self, event: ResponseEndOfMessage) -> CommandGenerator[None]:
        trailers, self._given = self._given, None
        fields = self.response.headers.fields if self.response else ()
        if trailers and (b"transfer-encoding", b"chunked") in fields:
            yield commands.SendData(self.conn, b"0\r\n" + bytes(trailers) + b"\r\n")
            yield from self.mark_done(response=True)
        else:
            yield from super().send(event)
        if not self.request_done and (b"connection", b"close") in fields:
            # the rest of the request was never asked for, and may never come
            self.state = self.done
            yield commands.CloseTcpConnection(self.conn, half_close=True)
            yield commands.RequestWakeup(_LINGER)


class UpstreamHttp1(_Bounded, Http1Client):
    """The upstream's side."""

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        problem = self._skip_informational() if isinstance(event, events.DataReceived) and self.request else None
        if problem is None:
            yield from super().read_headers(event)
            return
        assert self.stream_id is not None
        yield commands.CloseConnection(self.conn)
        yield ReceiveHttp(ResponseProtocolError(self.stream_id, problem, ErrorCode.GENERIC_SERVER_ERROR))

    def _skip_informational(self) -> str | None:
        """Drop 1xx heads (RFC 9110, section 15.2): only the final one is the answer. 101 is final."""
        while True:
            data = bytes(self.buf)
            end = _END_OF_HEAD.search(data)
            if (end.end() if end else len(data)) > self.limits.response_head:
                return "its head is too large"
            if end is None:
                return None
            status = data[:13].split(b" ", 2)[1:2]
            if not (status and len(status[0]) == 3 and status[0].startswith(b"1") and status[0] != b"101"):
                return None
            self.buf.maybe_extract_at_most(end.end())

    def trailers(self, trailers: http.Headers) -> CommandGenerator[None]:
        assert self.stream_id is not None
        yield ReceiveHttp(ResponseTrailers(self.stream_id, trailers))

    def send(self, event: Any) -> CommandGenerator[None]:
        """Frame for the upstream."""
        if isinstance(event, RequestData) and not event.data:
            return
        if isinstance(event, RequestProtocolError):
            yield commands.CloseConnection(self.conn)
            return
        yield from super().send(event)
