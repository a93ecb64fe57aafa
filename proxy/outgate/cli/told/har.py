"""An HAR file (HTTP Archive 1.2): what a browser, or a proxy, saw."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from outgate.intake.request import UnreadBody
from outgate.policy.call import call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.policy.call import Call

MOST = 20_000
"""Entries of one file."""
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "proxy-connection", "keep-alive", "te"})
"""What the bytes of a message were like is not in an HAR: these headers were of another form of it."""


def read_har(text: str) -> Iterator[tuple[str, Call | str]]:
    """Give each entry as it is shown, and its call, or why it is none. Raises ValueError with a sentence for no HAR at all."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is no HAR file: it is no JSON ({error})") from error
    match said:
        case {"log": {"entries": list(entries)}}:
            pass
        case _:
            raise ValueError("this is no HAR file: it has no `log.entries`")
    if len(entries) > MOST:
        raise ValueError(f"the HAR file has more than {MOST} entries, split it")
    for entry in entries:
        yield _entry(entry.get("request") if isinstance(entry, dict) else None)


def _entry(request: Any) -> tuple[str, Call | str]:
    match request:
        case {"method": str(method), "url": str(url)}:
            pass
        case _:
            return "?", "an entry without a request"
    shown = f"{method} {url}"
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https", "ws", "wss"}:
        return f"{method} {scheme}:…", "no request to a network"
    try:
        return shown, _call(method, url.replace("ws", "http", 1) if scheme.startswith("ws") else url, request)
    except ValueError as error:
        return shown, str(error)


def _call(method: str, url: str, request: dict[str, Any]) -> Call:
    listed = request.get("headers")
    pairs = [(h.get("name"), h.get("value")) for h in listed if isinstance(h, dict)] if isinstance(listed, list) else []
    texts = [(name, value) for name, value in pairs if isinstance(name, str) and isinstance(value, str)]
    upgrade = any(name.lower() == "upgrade" for name, _ in texts)
    headers = [(name, value) for name, value in texts if not name.startswith(":") and (name.lower() not in _FRAMING)]
    if upgrade:
        headers.append(("Connection", "Upgrade"))
    body = _body(request.get("postData"))
    made = call(f"{method} {url.partition('#')[0]}", headers, body)
    size = request.get("bodySize")
    if body is None and isinstance(size, int) and size > 0:
        return replace(made, body=UnreadBody(length=size))
    return made


def _body(data: Any) -> bytes | None:
    """What was posted: its text, else its fields."""
    if not isinstance(data, dict):
        return None
    text, params = data.get("text"), data.get("params")
    if isinstance(text, str) and (text or not params):
        return _decoded(text) if data.get("encoding") == "base64" else text.encode() or None
    if isinstance(params, list) and "multipart" not in str(data.get("mimeType", "")):
        return (
            urlencode([(str(p.get("name", "")), str(p.get("value", ""))) for p in params if isinstance(p, dict)]).encode() or None
        )
    return None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("its body is said to be base64, and is not") from error
