"""Batches: requests inside of a request, as Google writes them (multipart/mixed) and as OData does (JSON)."""

from __future__ import annotations

import re
from dataclasses import replace
from json import dumps
from typing import TYPE_CHECKING, Final

from outgate.actions.arguments import has_variants
from outgate.actions.unreadable import unreadable
from outgate.intake.bodies import Undecodable
from outgate.intake.codings import plain
from outgate.intake.media import media_of
from outgate.intake.multipart import parts_of
from outgate.intake.reading import read as read_head
from outgate.intake.request import NoBody, RawRequest, Request, Tunnel, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outgate.actions.action import Action
    from outgate.actions.languages import Envelope
    from outgate.intake.bodies import JsonValue

MOST: Final = 1000
"""Requests in one. Google takes 1,000 at most, Microsoft 20."""

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_PART: Final = frozenset({"content-type", "mime-version", "content-transfer-encoding", "content-id", "content-length"})
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*([\t -~]*)")
_HEAD: Final = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.1")
_BATCH: Final = frozenset({"requests"})
_ONE: Final = frozenset({"method", "url", "headers", "body"})
_MIXED: Final = "multipart/mixed"
_NOT_ONE: Final = "the batch can't be read, or in more than one way"

type _Headers = tuple[tuple[bytes, bytes], ...]


def read_multipart(envelope: Envelope) -> tuple[Action, ...]:
    """Give the envelope and what the requests in it do. A part that is no request is unreadable."""
    media = media_of(envelope.request.headers)
    boundary = "" if media is None or media.kind != _MIXED else media.param("boundary")
    body = envelope.request.body
    content = plain(envelope.request.headers, body.content) if isinstance(body, WholeBody) else b""
    if isinstance(content, Undecodable) or not _BOUNDARY.fullmatch(boundary):
        return _not_read(envelope, _NOT_ONE)
    lines_end = b"\r" not in content and b"\n" in content
    parts = parts_of(content.replace(b"\n", b"\r\n") if lines_end else content, boundary.encode("ascii"))
    if not parts or len(parts) > MOST:
        return _not_read(envelope, _NOT_ONE)
    return _all(envelope, [_of_part(part, envelope.request, lines_end=lines_end) for part in parts])


def read_json(envelope: Envelope) -> tuple[Action, ...]:
    """Give the envelope and what the requests in `requests` do. URLs are relative to the root of the API."""
    body = envelope.arguments.json()
    asked = body.get("requests") if isinstance(body, dict) and not has_variants(body, _BATCH) else None
    if not isinstance(asked, list) or not asked or len(asked) > MOST:
        return _not_read(envelope, _NOT_ONE)
    return _all(envelope, [_of_object(one, envelope) for one in asked])


def _all(envelope: Envelope, inner: Iterable[Request | None]) -> tuple[Action, ...]:
    """What can't be read stands beside what can: a server may do the rest of a batch all the same."""
    actions: list[Action] = []
    lost = False
    for request in inner:
        actions.extend(() if request is None else envelope.inner(request))
        lost = lost or request is None
    found = (envelope.action, *_counted(actions))
    return (*found, _unread(envelope, "a part of the batch is no request to this host")) if lost else found


def _counted(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Give those that are alike once, with how many they are."""
    found: dict[tuple[object, ...], Action] = {}
    for action in actions:
        key = (action.name, action.resource, action.access, action.tier, str(sorted(action.params.items(), key=str)))
        known = found.get(key)
        found[key] = action if known is None else replace(known, count=known.count + action.count)
    return tuple(found.values())


def _not_read(envelope: Envelope, why: str) -> tuple[Action, ...]:
    return (envelope.action, _unread(envelope, why))


def _unread(envelope: Envelope, why: str) -> Action:
    return unreadable(envelope.service.name, envelope.action.resource, why)


def _of_part(part: bytes, outer: Request, *, lines_end: bool) -> Request | None:
    """Read `POST /path HTTP/1.1`, header lines and a body. `lines_end`: with LF alone, as Python's clients write."""
    head, gap, message = part.partition(b"\r\n\r\n")
    said = _lines(head)
    if not gap or said is None or not _is_http(said):
        return None
    top, gap, content = message.partition(b"\r\n\r\n")
    first, _, rest = (top if gap else message.rstrip(b"\r\n")).partition(b"\r\n")
    asked, lines = _HEAD.fullmatch(first), _lines(rest) if rest else ()
    if asked is None or lines is None:
        return None
    return _read(asked[1], asked[2], lines, content.replace(b"\r\n", b"\n") if lines_end else content, outer)


def _is_http(said: _Headers) -> bool:
    known = dict(said)
    kind = known.get(b"content-type", b"").partition(b";")[0].strip().lower()
    coding = known.get(b"content-transfer-encoding", b"binary").lower()
    names = {name.decode("ascii") for name, _ in said}
    return len(known) == len(said) and names <= _PART and kind == b"application/http" and coding in {b"binary", b"7bit", b"8bit"}


def _lines(head: bytes) -> _Headers | None:
    found = [_LINE.fullmatch(line) for line in head.split(b"\r\n")]
    return None if None in found else tuple((line[1].lower(), line[2].rstrip()) for line in found if line is not None)


def _of_object(said: JsonValue, envelope: Envelope) -> Request | None:
    """Read `{"method": …, "url": "/users", "headers": {…}, "body": …}`."""
    if not isinstance(said, dict) or not isinstance(said.get("method"), str) or not isinstance(said.get("url"), str):
        return None
    url = str(said["url"])
    headers: JsonValue = said.get("headers") or {}
    if (
        has_variants(said, _ONE)
        or "://" in url.partition("?")[0]
        or not url.isascii()
        or not isinstance(headers, dict)
        or not all(isinstance(value, str) for value in headers.values())
    ):
        return None
    path = envelope.told.options.get("below", "") + (url if url.startswith("/") else f"/{url}")
    lines = [
        (name.lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace")) for name, value in headers.items()
    ]
    content = _dumped(said.get("body"))
    return _read(
        str(said["method"]).upper().encode("ascii", "replace"), path.encode("ascii"), tuple(lines), content, envelope.request
    )


def _dumped(body: JsonValue) -> bytes:
    return b"" if body is None else dumps(body).encode()


def _read(method: bytes, target: bytes, lines: _Headers, content: bytes, outer: Request) -> Request | None:
    """Read an inner request as one of its own to the same host would be. Framing is the batch's: a length must be right."""
    known: Mapping[bytes, bytes] = dict(lines)
    if known.get(b"host", outer.authority.encode("ascii")).lower() != outer.authority.encode("ascii"):
        return None
    if known.get(b"content-length", str(len(content)).encode("ascii")) != str(len(content)).encode("ascii"):
        return None
    kept = tuple((name, value) for name, value in lines if name not in {b"host", b"content-length", b"mime-version"})
    host = outer.host.encode("ascii")
    raw = RawRequest(
        method=method,
        scheme=outer.scheme.encode("ascii"),
        authority=b"",
        target=target,
        version=b"HTTP/1.1",
        headers=((b"host", outer.authority.encode("ascii")), *kept),
        tunnel=Tunnel(host=host, port=outer.port, sni=host) if outer.scheme == "https" else None,
    )
    request = read_head(raw)
    return replace(request, body=WholeBody(content) if content else NoBody()) if isinstance(request, Request) else None
