"""Exactly one reading of a request head, or a refusal: what any two servers would read apart is refused here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_to_bytes

from outgate.intake.destination import canonical_authority, host_of_address
from outgate.intake.request import NoBody, Request, Unreadable, UnreadBody, default_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from outgate.intake.request import Body, RawRequest, Scheme, Tunnel

HEAD_LIMIT = 64 * 1024
"""Bytes of all header lines together."""
HEADER_LIMIT = 128
TARGET_LIMIT = 16 * 1024

_METHOD = re.compile(rb"[A-Z]{1,20}(?:-[A-Z]{1,20})?")
_NAME_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""RFC 9110, section 5.6.2."""
_VALUE_BYTES = b"\t" + bytes(b for b in range(0x20, 0x100) if b != 0x7F)
_TARGET = re.compile(rb"(/[!-~]*|\*)")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_PATH = re.compile(r"[\\#]|%(?:00|5[cC]|[cC][01]%[89abAB]|[eE]0%[89]|[fF]0%8)")
"""NUL, backslash (some servers' slash) and overlong UTF-8 (a hidden `.` or `/`)."""
_SUSPECT_DOT = re.compile(r"/(?:\.|%)|%2[fF](?:\.|%)|%25")
_LIKE_HYPHENS = str.maketrans("_.", "--")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,15}")
_TOKENS = re.compile(r"[\t ]*,[\t ]*")
_WEBSOCKET_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_DECODINGS = 4
_NO_PORT = 0

_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect"),
        "sec-websocket-extensions",  # messages are to be read
        # who forwards a request says so itself; a client that says it speaks to whoever trusts these more than the target
        *("forwarded", "via", "x-original-url", "x-original-uri", "x-original-host", "x-rewrite-url", "x-host", "x-real-ip"),
    }
)
_OURS = ("proxy-", "outgate-", "x-forwarded-")
_NOT_IN_HTTP2 = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "http2-settings", "proxy-connection"})
_ONCE = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "content-range", "transfer-encoding", "authorization"),
        *("expect", "upgrade", "cookie", "origin", "range", "user-agent", "referer", "date", "x-api-key", "x-amz-target"),
        *("x-http-method-override", "x-http-method", "x-method-override"),
        *("mcp-method", "mcp-name", "mcp-session-id", "mcp-protocol-version"),
        *("sec-websocket-key", "sec-websocket-version", "proxy-authorization"),
    }
)
OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
"""Headers that ask for another method than the request line."""
_HONOURED_BELOW = ".googleapis.com"
_HONOURED_AT = frozenset({"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us"})
"""Where clients of the vendor's own send such a header: a POST whose URL was too long for a GET, or that stands for PATCH."""
_HONOURED = frozenset({"GET", "PUT", "PATCH", "DELETE"})
_NEVER_NOMINATED = _ONCE - {"upgrade", "transfer-encoding", "expect", "proxy-authorization"}
"""End-to-end: a Connection header that names one asks that what was decided is not what is sent."""


class _UnreadableError(Exception):
    def __init__(self, why: str, status: Literal[400, 421, 431] = 400) -> None:
        super().__init__(why)
        self.why = why
        self.status = status


def read(raw: RawRequest) -> Request | Unreadable:
    """Read a head. Total: whatever the bytes, one of the two comes back, and nothing raises.

    1. Version, method and target are each of one plain form.
    2. Every header line is well formed, and what must come once comes once.
    3. The tunnel, TLS and the request name the same host and port.
    4. What frames the body says so once.
    5. What concerns only this connection is left out; a WebSocket handshake is whole or refused.
    """
    try:
        return _read(raw)
    except _UnreadableError as error:
        return _unreadable(error, raw)


def read_connect(target: bytes) -> tuple[str, int] | Unreadable:
    """Read what CONNECT names: a canonical host and a port that must be there."""
    try:
        host, port = canonical_authority(target.decode("latin-1"), _NO_PORT)
    except ValueError as error:
        return Unreadable(status=400, why=str(error), host=_printable(target))
    if port == _NO_PORT:
        return Unreadable(status=400, why="CONNECT names no port.", host=_printable(target))
    return host, port


def lines_to_send(request: Request) -> tuple[tuple[bytes, bytes], ...]:
    """Give the header lines as they go upstream, Host first: what was read and nothing else.

    Framing is the sender's: Content-Length stands here if the client declared it, Transfer-Encoding never does.
    """
    headers = (("host", request.authority), *request.headers)
    if request.websocket:
        headers = (*headers, ("connection", "Upgrade"), ("upgrade", "websocket"))
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)


def _opaque(raw: RawRequest) -> Request:
    """A tunnel as a whole: the one host that was asked for, and that TLS is started for."""
    tunnel = raw.tunnel
    if tunnel is None or not tunnel.sni:
        raise _UnreadableError("TLS in this tunnel names no host.", 421)
    host, port = _authority(f"{tunnel.host.decode('latin-1')}:{tunnel.port}", "https")
    _refuse_other_host(tunnel, (host, port))
    return Request(method="CONNECT", scheme="https", host=host, port=port, path="/", query=None, headers=(), opaque=True)


def _read(raw: RawRequest) -> Request:
    if raw.opaque:
        return _opaque(raw)
    version = _version(raw.version)
    method = _method(raw.method)
    path, query = _target(raw.target, method)
    lines = _lines(raw.headers)
    once = _once(lines, http2=version == "HTTP/2.0")
    scheme = _scheme(raw)
    host, port = _destination(raw, scheme, once.get("host"))
    _refuse_override(once, method, host)
    body = _framing(once, version)
    websocket = _websocket(once, method, lines, version)
    return Request(
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        query=query,
        headers=tuple(_end_to_end(lines, version)),
        body=body,
        version=version,
        websocket=websocket,
    )


def _version(version: bytes) -> str:
    match version:
        case b"HTTP/1.1" | b"HTTP/1.0" | b"HTTP/2.0":
            return version.decode("ascii")
        case _:
            raise _UnreadableError("The HTTP version is not one that is spoken here: use HTTP/1.1 or HTTP/2.")


def _method(method: bytes) -> str:
    if not _METHOD.fullmatch(method):
        raise _UnreadableError("The method is not a plain upper-case word.")
    if method in {b"CONNECT", b"TRACE", b"PRI"}:
        raise _UnreadableError("CONNECT, TRACE and PRI are not passed on.")
    return method.decode("ascii")


def _target(target: bytes, method: str) -> tuple[str, str | None]:
    if len(target) > TARGET_LIMIT:
        raise _UnreadableError("The request target is too long.", 431)
    if not _TARGET.fullmatch(target):
        raise _UnreadableError("The request target must start with '/' and have no spaces, control or non-ASCII characters.")
    if target == b"*" and method != "OPTIONS":
        raise _UnreadableError("The request target '*' goes with OPTIONS only.")
    path, mark, query = target.decode("ascii").partition("?")
    if "%" in query and _BAD_ESCAPE.search(query):
        raise _UnreadableError("The query has a broken percent-escape.")
    if "#" in query:
        raise _UnreadableError("The request target has a fragment.")
    _refuse_path(path)
    return path, query if mark else None


def _refuse_path(path: str) -> None:
    if _BAD_PATH.search(path) or ("%" in path and _BAD_ESCAPE.search(path)):
        raise _UnreadableError("The path has a backslash, a fragment, a broken percent-escape or an escape that hides one.")
    if _SUSPECT_DOT.search(path) and _has_dot_segment(path):
        raise _UnreadableError("The path has '.' or '..' as a segment: write the path that you mean.")


def _has_dot_segment(path: str) -> bool:
    """Whether any server could see one: escapes undone again and again, escaped slashes taken for slashes, `;…` dropped."""
    seen = path
    for _ in range(_DECODINGS):
        if any(segment.partition(";")[0] in {".", ".."} for segment in seen.replace("\\", "/").split("/")):
            return True
        before, seen = seen, unquote_to_bytes(seen.encode("latin-1")).decode("latin-1")
        if seen == before:
            return False
    return True


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    if len(headers) > HEADER_LIMIT or sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_LIMIT:
        raise _UnreadableError("The header is too large.", 431)
    names, values = [name for name, _ in headers], [value for _, value in headers]
    if not all(names) or b"".join(names).translate(None, _NAME_BYTES):
        raise _UnreadableError("A header name has characters that may not stand in one.")
    values = [value.strip(b" \t") for value in values]
    if b"".join(values).translate(None, _VALUE_BYTES):
        raise _UnreadableError("A header value has control characters or goes over several lines.")
    return [(n.decode("ascii").lower(), v.decode("latin-1")) for n, v in zip(names, values, strict=True)]


def _once(lines: list[tuple[str, str]], *, http2: bool) -> Mapping[str, str]:
    """Find what must come once. In HTTP/2 Cookie may come in pieces (RFC 9113, section 8.2.3), which `_end_to_end` joins."""
    found: dict[str, str] = {}
    for name, value in lines:
        if ("_" in name or "." in name) and _matters(name.translate(_LIKE_HYPHENS)):
            raise _UnreadableError("A header name has '_' or '.' where a well-known one has '-': some servers take them for one.")
        if name in _ONCE:
            if name in found and not (http2 and name == "cookie"):
                raise _UnreadableError(f"The header {name} came more than once.")
            found[name] = value
    return found


def _matters(name: str) -> bool:
    return name in _ONCE or name in _HOP_BY_HOP or name.startswith(_OURS)


def _scheme(raw: RawRequest) -> Scheme:
    if raw.tunnel is None:
        if raw.scheme not in {b"http", b""}:
            raise _UnreadableError("Ask for https with CONNECT, not with an https:// target.")
        return "http"
    scheme: Scheme = "https" if raw.tunnel.tls else "http"
    if raw.scheme not in {b"", scheme.encode()}:
        raise _UnreadableError("The request's scheme is not that of its connection.")
    return scheme


def _destination(raw: RawRequest, scheme: Scheme, host_header: str | None) -> tuple[str, int]:
    http2 = raw.version == b"HTTP/2.0"
    if raw.authority and raw.tunnel is not None and not http2:
        raise _UnreadableError("Inside a tunnel the request target is a path.")
    if http2 and raw.tunnel is None:
        raise _UnreadableError("HTTP/2 is spoken inside TLS only.")
    if host_header is None and not (http2 and raw.authority):
        raise _UnreadableError("The request has no Host header.")
    claims = [text for text in (raw.authority.decode("latin-1"), host_header) if text]
    named = {_authority(text, scheme) for text in claims} if claims else {_authority("", scheme)}
    if host_header == "" or len(named) != 1:
        raise _UnreadableError("The request names more than one host.")
    (destination,) = named
    if raw.tunnel is not None:
        _refuse_other_host(raw.tunnel, destination)
    return destination


def _authority(text: str, scheme: Scheme) -> tuple[str, int]:
    try:
        return canonical_authority(text, default_port(scheme))
    except ValueError as error:
        raise _UnreadableError(str(error)) from error


def _refuse_other_host(tunnel: Tunnel, destination: tuple[str, int]) -> None:
    """CONNECT = SNI = Host. A client that sends no SNI is held to what CONNECT named."""
    try:
        opened = host_of_address(tunnel.host.decode("latin-1")), tunnel.port
        greeted = opened[0] if tunnel.sni is None else host_of_address(tunnel.sni.decode("latin-1"))
    except ValueError as error:
        raise _UnreadableError(str(error)) from error
    if greeted != opened[0]:
        raise _UnreadableError("TLS was started for another host than the tunnel was opened to.", 421)
    if destination != opened:
        raise _UnreadableError("The request is for another host or port than its connection.", 421)


def _refuse_override(once: Mapping[str, str], method: str, host: str) -> None:
    """Where it is honoured, both methods count: see `actions.overriding`. Anywhere else nobody knows which one does."""
    asked = {once[name] for name in OVERRIDES if name in once} - {method}
    honoured = host in _HONOURED_AT or host.endswith(_HONOURED_BELOW)
    if asked and (method != "POST" or len(asked) > 1 or not asked <= _HONOURED or not honoured):
        raise _UnreadableError("A header asks for another method than the request line: send the method that you mean.")


def _framing(once: Mapping[str, str], version: str) -> Body:
    length, coding = once.get("content-length"), once.get("transfer-encoding")
    if once.get("expect", "100-continue").lower() != "100-continue":
        raise _UnreadableError("Expect must be '100-continue'.")
    if coding is not None:
        if length is not None or version != "HTTP/1.1" or coding.lower() != "chunked":
            raise _UnreadableError("Transfer-Encoding must be 'chunked', in HTTP/1.1, without Content-Length.")
        return UnreadBody()
    if length is not None and not _LENGTH.fullmatch(length):
        raise _UnreadableError("Content-Length is not a plain decimal number.")
    return UnreadBody(int(length)) if length is not None and length != "0" else NoBody()


def _websocket(once: Mapping[str, str], method: str, lines: list[tuple[str, str]], version: str) -> bool:
    """RFC 6455, section 4.1: a handshake is whole, or it is refused. Other upgrades are left out of what is sent."""
    if once.get("upgrade", "").lower() != "websocket" or version == "HTTP/2.0":
        return False
    asked = "upgrade" in _nominated(lines)
    key, wanted = once.get("sec-websocket-key", ""), once.get("sec-websocket-version")
    if not asked or method != "GET" or wanted != "13" or not _WEBSOCKET_KEY.fullmatch(key) or version != "HTTP/1.1":
        raise _UnreadableError("The WebSocket handshake is not whole: GET, HTTP/1.1, Connection, version 13 and a key.")
    return True


def _nominated(lines: list[tuple[str, str]]) -> frozenset[str]:
    values = [value.lower() for name, value in lines if name == "connection"]
    return frozenset(token for value in values for token in _TOKENS.split(value) if token)


def _end_to_end(lines: list[tuple[str, str]], version: str) -> list[tuple[str, str]]:
    """Leave out what concerns this connection alone (RFC 9110, section 7.6.1), what is ours, and Host, which is rebuilt."""
    http2 = version == "HTTP/2.0"
    if http2 and any(name in _NOT_IN_HTTP2 for name, _ in lines):
        raise _UnreadableError("HTTP/2 has no connection headers.")
    nominated = _nominated(lines)
    if nominated & _NEVER_NOMINATED:
        raise _UnreadableError("The Connection header names one that belongs to the request.")
    kept = [
        (name, value)
        for name, value in lines
        if name != "host" and name not in _HOP_BY_HOP and name not in nominated and not name.startswith(_OURS)
    ]
    return _http2_kept(kept, lines) if http2 else kept


def _http2_kept(kept: list[tuple[str, str]], lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    cookies = [value for name, value in kept if name == "cookie"]
    if len(cookies) > 1:
        kept = [*((n, v) for n, v in kept if n != "cookie"), ("cookie", "; ".join(cookies))]
    # gRPC servers refuse a request that doesn't say it; in HTTP/2 it can say nothing else (RFC 9113, section 8.2.2)
    return [*kept, *((n, v.lower()) for n, v in lines if n == "te" and v.lower() == "trailers")]


def _unreadable(error: _UnreadableError, raw: RawRequest) -> Unreadable:
    claim = raw.tunnel.host if raw.tunnel is not None else raw.authority or _claimed(raw.headers)
    return Unreadable(status=error.status, why=error.why, host=_printable(claim))


def _claimed(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name.lower() == b"host"), b"")


def _printable(claim: bytes) -> str:
    return "".join(chr(b) if 0x20 < b < 0x7F else "?" for b in claim[:253])
