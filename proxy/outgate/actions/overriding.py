"""Overriding: a method in a header that counts in place of the one in the request line, where a server honours it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.intake.media import media_of
from outgate.intake.reading import OVERRIDES
from outgate.intake.request import NoBody, WholeBody

if TYPE_CHECKING:
    from outgate.intake.request import Request

_FORM = "application/x-www-form-urlencoded"
_READING = frozenset({"GET", "HEAD"})


def overridden(request: Request) -> Request | None:
    """Give the request that a header makes of this one; None where none does.

    A form that is the body of what becomes a GET is its query: so clients send a URL that is too long for a request line.
    """
    if request.method != "POST":
        return None
    method = next((value for name, value in request.headers if name in OVERRIDES and value != request.method), None)
    if method is None:
        return None
    query = _query(request) if method in _READING else None
    if query is None:
        return replace(request, method=method)
    return replace(request, method=method, query="&".join(filter(None, (request.query, query))), body=NoBody())


def _query(request: Request) -> str | None:
    """Give the form in the body, where it could as well be a query."""
    media = media_of(request.headers)
    if not isinstance(request.body, WholeBody) or media is None or media.kind != _FORM:
        return None
    content = request.body.content
    return content.decode("ascii") if content.isascii() and not any(byte <= 0x20 or byte == 0x7F for byte in content) else None
