"""Between mitmproxy's messages and ours: what was asked, as on the wire; what is sent, as decided; what is answered."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from mitmproxy import http
from mitmproxy.net.http import status_codes

from outgate.intake.reading import lines_to_send
from outgate.intake.request import NoBody, RawRequest, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.answer.reply import Reply
    from outgate.intake.request import Body, Request, Tunnel
    from outgate.ports import Pin

type Fields = tuple[tuple[bytes, bytes], ...]

_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""RFC 9110, section 7.6.1: for one connection only. Each of ours has its own."""
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_NOT_IN_HTTP1: Final = _FRAMING | {b"te", b"sec-websocket-extensions"}
_NOT_IN_HTTP2: Final = _FRAMING | {b"host", b"connection", b"upgrade"}
_NOT_GIVEN: Final = _HOP | {b"alt-svc"}
_NOT_OF_A_MOCK: Final = frozenset(
    {
        *(
            b"set-cookie",
            b"strict-transport-security",
            b"clear-site-data",
            b"public-key-pins",
            b"expect-ct",
            b"nel",
            b"report-to",
        ),
        *(b"cache-control", b"expires", b"age", b"pragma"),
    }
)
"""What a client would keep and hold against the real service, whose name the mock answers under."""
_OURS: Final = b"outgate-"
_BODY_EXPECTED: Final = frozenset({"POST", "PUT", "PATCH"})
_BODILESS: Final = frozenset({204, 304})
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_IN_VALUE: Final = re.compile(rb"[\x00\r\n]")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,17}")
_WEBSOCKET: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""


class Lines(http.Headers):
    """Headers that were checked before: mitmproxy's own look at each of them again, for as long as it takes to parse them."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields


class BadAnswerError(ValueError):
    """What an upstream answered can't be passed on as it stands."""


def opaque_request(tunnel: Tunnel | None) -> RawRequest:
    """Say what a tunnel is whose bytes nobody reads."""
    return RawRequest(
        method=b"CONNECT", scheme=b"https", authority=b"", target=b"/", version=b"", headers=(), tunnel=tunnel, opaque=True
    )


def raw_request(request: http.Request, tunnel: Tunnel | None) -> RawRequest:
    """Give a head as it came, nothing interpreted."""
    data = request.data
    return RawRequest(
        method=data.method,
        scheme=data.scheme,
        authority=data.authority,
        target=data.path,
        version=data.http_version,
        headers=data.headers.fields,
        tunnel=tunnel,
    )


def declared_length(fields: Fields) -> int | None:
    """Give the one valid Content-Length, if there is just that."""
    found = [value for name, value in fields if name.lower() == b"content-length"]
    return int(found[0]) if len(found) == 1 and _LENGTH.fullmatch(found[0]) else None


def expects_continue(raw: RawRequest) -> bool:
    """Whether the client waits for a word from us before it sends its body (RFC 9110, section 10.1.1)."""
    waits = any(name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in raw.headers)
    return waits and raw.version != b"HTTP/1.0"


def outgoing(request: Request, body: Body, pin: Pin, credentials: Iterable[tuple[bytes, bytes]], *, http2: bool) -> http.Request:
    """Write a decided request in the upstream's version: exactly its target and headers, framed by us.

    `credentials` are lines for an upstream proxy that this request goes to in the clear.
    """
    authority = request.authority.encode("ascii")
    fields = [line for line in lines_to_send(request) if line[0] not in (_NOT_IN_HTTP2 if http2 else _NOT_IN_HTTP1)]
    fields += _framing(request, body, http2=http2)
    fields += credentials
    return _request(
        method=request.method.encode("ascii"),
        scheme=request.scheme.encode("ascii"),
        authority=authority if http2 or (pin.via is not None and request.scheme == "http") else b"",
        path=request.target.encode("latin-1"),
        version=b"HTTP/2.0" if http2 else b"HTTP/1.0" if request.version == "HTTP/1.0" else b"HTTP/1.1",
        fields=tuple(fields),
    )


def unparsed() -> http.Request:
    """Stand in for a head that is no request: nothing of it is kept, and the connection ends with the answer."""
    return _request(method=b"", scheme=b"", authority=b"", path=b"", version=b"HTTP/1.1", fields=((b"connection", b"close"),))


def received(  # noqa: PLR0913  # the parts of a head
    *, method: bytes, scheme: bytes, authority: bytes, path: bytes, version: bytes, fields: Fields
) -> http.Request:
    """Hold a parsed head for mitmproxy's layers. Its host and port stay empty: nothing may go by them."""
    return _request(method=method, scheme=scheme, authority=authority, path=path, version=version, fields=fields)


def reply_response(reply: Reply, request: http.Request, *, close: bool) -> tuple[http.Response, bytes]:
    """Give our own answer and the bytes of its body, which a HEAD request does not get."""
    fields = [*_bytes(reply.headers), (b"content-length", b"%d" % len(reply.body))]
    if request.is_http2:
        fields = [(name.lower(), value) for name, value in fields]
    elif close:
        fields.append((b"connection", b"close"))
    silent = request.data.method == b"HEAD"
    reason = reply.reason.encode("ascii", "replace") if reply.reason else b""
    response = _response(request, reply.status, tuple(fields), reason)
    return response, b"" if silent else reply.body


def continue_response(request: http.Request) -> http.Response:
    """Tell the client to go on with its body."""
    return _response(request, 100, (), b"")


def answer_response(response: http.Response, request: http.Request, *, ended: bool) -> http.Response:
    """Write an upstream's answer for the client. Raises BadAnswerError where it can be read in two ways."""
    fields = response.headers.fields
    _check(fields)
    dropped = _NOT_GIVEN | _named_in_connection(fields)
    kept = [(n, v) for n, v in fields if (low := n.lower()) not in dropped and not low.startswith(_OURS)]
    if request.is_http2:
        kept = [(n.lower(), v) for n, v in kept]
    elif not any(n.lower() == b"content-length" for n, _ in kept):
        if not ended and request.is_http11:
            kept.append((b"transfer-encoding", b"chunked"))
        elif ended and request.data.method != b"HEAD" and response.status_code not in _BODILESS:
            kept.append((b"content-length", b"0"))
    return _response(request, response.status_code, tuple(kept), response.data.reason)


def switched(response: http.Response, request: Request) -> http.Response:
    """Write the 101 that makes an admitted WebSocket one. Raises BadAnswerError for any other."""
    fields = response.headers.fields
    _check(fields)
    wanted = base64.b64encode(hashlib.sha1((request.header("sec-websocket-key") or "").encode() + _WEBSOCKET).digest())  # noqa: S324  # RFC 6455
    said = [value.strip() for name, value in fields if name.lower() == b"sec-websocket-accept"]
    upgrade = [value.strip().lower() for name, value in fields if name.lower() == b"upgrade"]
    extended = any(name.lower() == b"sec-websocket-extensions" for name, _ in fields)
    if not request.websocket or said != [wanted] or upgrade != [b"websocket"] or extended:
        raise BadAnswerError("not the handshake that was asked for")
    kept = [(n, v) for n, v in fields if (low := n.lower()) not in _NOT_GIVEN and not low.startswith(_OURS)]
    kept += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return http.Response(b"HTTP/1.1", 101, b"Switching Protocols", http.Headers(kept), b"", None, time.time(), None)


def mocked(response: http.Response, receipt: str) -> http.Response:
    """Say of a mock's answer that it is one, and have nothing of it outlast it."""
    kept = [(n, v) for n, v in response.headers.fields if n.lower() not in _NOT_OF_A_MOCK]
    said = [(b"cache-control", b"no-store"), (b"outgate-decision", b"sandbox"), (b"outgate-receipt", receipt.encode("ascii"))]
    response.headers = http.Headers((*kept, *said))
    return response


def said(response: http.Response) -> tuple[tuple[str, str], ...]:
    """Give an answer's headers to read: lower-case names, as they came."""
    return tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in response.headers.fields)


def answer_trailers(trailers: Iterable[tuple[bytes, bytes]]) -> http.Headers:
    """Keep the trailers that may follow an answer. Raises BadAnswerError where one can be read in two ways."""
    fields = tuple(trailers)
    _check(fields)
    dropped = _NOT_GIVEN | _FRAMING
    return http.Headers(tuple((n, v) for n, v in fields if (low := n.lower()) not in dropped and not low.startswith(_OURS)))


def proxy_credentials(via: str, known: str) -> list[tuple[bytes, bytes]]:
    """Give what an upstream proxy is told of us: `user:password` as known, else from its own URL."""
    parts = urlsplit(via)
    pair = known
    if not pair and parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [(b"proxy-authorization", b"Basic " + base64.b64encode(pair.encode()))] if pair else []


def _framing(request: Request, body: Body, *, http2: bool) -> list[tuple[bytes, bytes]]:
    match body:
        case WholeBody(content):
            return [(b"content-length", b"%d" % len(content))]
        case SpooledBody(size=size):
            return [(b"content-length", b"%d" % size)]
        case UnreadBody(length=int() as declared):
            return [(b"content-length", b"%d" % declared)]
        case UnreadBody():
            return [] if http2 else [(b"transfer-encoding", b"chunked")]
        case NoBody():
            said = request.method in _BODY_EXPECTED or any(name == "content-length" for name, _ in request.headers)
            return [(b"content-length", b"0")] if said else []


def _named_in_connection(fields: Fields) -> frozenset[bytes]:
    lines = [value for name, value in fields if name.lower() == b"connection"]
    return frozenset(token.strip().lower() for line in lines for token in line.split(b",")) if lines else frozenset()


def _check(fields: Fields) -> None:
    for name, value in fields:
        if not _NAME.fullmatch(name) or _BAD_IN_VALUE.search(value):
            raise BadAnswerError("a header is malformed")
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) > 1 or len(codings) > 1 or (lengths and (codings or not _LENGTH.fullmatch(lengths[0]))):
        raise BadAnswerError("its length can be read in two ways")
    if codings and codings[0].strip().lower() != b"chunked":
        raise BadAnswerError("its transfer coding is not chunked")


def _bytes(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _request(  # noqa: PLR0913  # the parts of a head
    *, method: bytes, scheme: bytes, authority: bytes, path: bytes, version: bytes, fields: Fields
) -> http.Request:
    return http.Request(
        host="",
        port=0,
        method=method,
        scheme=scheme,
        authority=authority,
        path=path,
        http_version=version,
        headers=Lines(fields),
        content=None,
        trailers=None,
        timestamp_start=time.time(),
        timestamp_end=None,
    )


def _response(request: http.Request, status: int, fields: Fields, reason: bytes) -> http.Response:
    if request.is_http2:
        version, reason = b"HTTP/2.0", b""
    else:
        version = b"HTTP/1.1"
        reason = reason or status_codes.RESPONSES.get(status, "").encode("ascii")
    now = time.time()
    return http.Response(version, status, reason, Lines(fields), None, None, now, now)
