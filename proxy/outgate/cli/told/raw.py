"""A request as the bytes of HTTP/1.1, as a tool for testing, or a capture, shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outgate.intake.request import NoBody, RawRequest, Tunnel, WholeBody
from outgate.policy.call import Call

if TYPE_CHECKING:
    from outgate.intake.request import Body

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n")
_AUTHORITY = re.compile(rb"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?")


def read_raw(content: bytes, *, scheme: str = "https") -> Call:
    """Read one request. `scheme`: where its target does not say one. Raises ValueError with a sentence for what is no request.

    The head stays as it is, byte for byte: whether it has one reading is for the gate to say.
    """
    head, body = _apart(content.lstrip(b"\r\n"))
    first, *lines = head
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        raise ValueError("this is no request: it begins with `METHOD /path HTTP/1.1`")
    headers = tuple(map(_header, lines))
    method, target, version = words
    asked, authority = scheme.encode(), b""
    if re.match(rb"https?://", target):
        parts = urlsplit(target)
        asked, authority = parts.scheme, parts.netloc
        target = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    hosts = [value for name, value in headers if name.lower() == b"host"]
    if not hosts:
        raise ValueError("the request has no Host header, so nobody knows where it goes")
    secure = asked == b"https"
    raw = RawRequest(
        method=method,
        scheme=asked,
        authority=b"" if secure else authority or hosts[0],
        target=target,
        version=version,
        headers=headers,
        tunnel=_tunnel(authority or hosts[0]) if secure else None,
    )
    return Call(raw=raw, body=_body(headers, body))


def _apart(content: bytes) -> tuple[list[bytes], bytes]:
    end = re.search(rb"\r?\n\r?\n", content)
    head, body = (content[: end.start()], content[end.end() :]) if end else (content.rstrip(b"\r\n"), b"")
    return re.split(rb"\r?\n", head), body


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or line[:1] in {b" ", b"\t"}:
        raise ValueError(f"'{line[:60].decode('latin-1')}' is no header, write it like 'Name: value', in one line")
    return name, value.strip(b" \t")


def _tunnel(authority: bytes) -> Tunnel:
    found = _AUTHORITY.fullmatch(authority)
    if found is None or (found[2] and not 0 < int(found[2]) < 65536):
        raise ValueError("the Host header names no host")
    return Tunnel(host=found[1], port=int(found[2] or 443), sni=None)


def _body(headers: tuple[tuple[bytes, bytes], ...], content: bytes) -> Body:
    said = {name.lower(): value for name, value in headers}
    if said.get(b"transfer-encoding", b"").lower() == b"chunked":
        return WholeBody(_unchunked(content))
    length = said.get(b"content-length")
    if length is None:
        if content.strip():
            raise ValueError("bytes follow the head, and nothing says that they are its body: add Content-Length")
        return NoBody()
    if not length.isdigit() or int(length) > len(content):
        raise ValueError(f"Content-Length says {length.decode('latin-1')[:20]}, and {len(content)} bytes follow the head")
    if content[int(length) :].strip():
        raise ValueError(f"more than one request: {len(content) - int(length)} bytes follow the body")
    return WholeBody(content[: int(length)]) if int(length) else NoBody()


def _unchunked(content: bytes) -> bytes:
    made, at = bytearray(), 0
    while (size := _CHUNK.match(content, at)) is not None:
        start, length = size.end(), int(size[1], 16)
        if not length:
            return bytes(made)
        made += content[start : start + length]
        end = re.compile(rb"\r?\n").match(content, start + length)
        if end is None:
            break
        at = end.end()
    raise ValueError("the chunks of the body don't end as they should")
