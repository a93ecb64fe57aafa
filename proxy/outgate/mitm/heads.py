"""Heads of HTTP/1.1: split where they come in, with no leniency; written out as they go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from outgate.intake.reading import read_connect
from outgate.intake.request import Tunnel, Unreadable
from outgate.mitm.translate import declared_length, received

if TYPE_CHECKING:
    from mitmproxy import http

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_STARTS_LIKE_HTTP: Final = re.compile(_TOKEN + rb"{1,32}(?: |\Z)")
_REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_ABSOLUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
END_OF_HEAD: Final = re.compile(rb"\n\r?\n")

NOT_HTTP: Final = Unreadable(status=400, why="This is not HTTP: the egress gate passes HTTP and HTTPS on, and nothing else.")
_BAD_LINE: Final = Unreadable(status=400, why="The request line is malformed.")
_BAD_FIELDS: Final = Unreadable(status=400, why="A header line is malformed.")
_BAD_ENDS: Final = Unreadable(status=400, why="A line of the request's head ends in something other than CR LF.")
_BAD_LENGTH: Final = Unreadable(status=400, why="The length of the request's body can be read in two ways.")
_BAD_TUNNEL: Final = Unreadable(status=400, why="CONNECT has a body.")


def may_be_http(data: bytes) -> bool:
    """Whether a request line may begin like this."""
    return not data or bool(_STARTS_LIKE_HTTP.match(data))


def parse_head(head: bytes) -> http.Request | Unreadable:
    """Split a head, blank line included, into what it says. Only what separates its parts is judged here."""
    lines = head[:-4].split(b"\r\n")
    ends = head.count(b"\r\n")
    if not head.endswith(b"\r\n\r\n") or head.count(b"\r") != ends or head.count(b"\n") != ends:
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


def tunnel_of(request: http.Request) -> Tunnel | Unreadable:
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


def closes(version: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> bool:
    """Whether its sender ends the connection after this message (RFC 9112, section 9.3)."""
    said = {token.strip().lower() for name, value in fields if name.lower() == b"connection" for token in value.split(b",")}
    return b"close" in said or (version == b"HTTP/1.0" and b"keep-alive" not in said)


def request_head(request: http.Request) -> bytes:
    """Write a request's head: the absolute form where it has an authority, which is only towards a proxy."""
    data = request.data
    target = b"%s://%s%s" % (data.scheme, data.authority, data.path) if data.authority else data.path
    return _head(b"%s %s %s" % (data.method, target, data.http_version), data.headers.fields)


def response_head(response: http.Response) -> bytes:
    """Write a response's head."""
    data = response.data
    return _head(b"%s %d %s" % (data.http_version, data.status_code, data.reason), data.headers.fields)


def _head(first: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"\r\n".join([first, *(b"%s: %s" % field for field in fields), b"", b""])
