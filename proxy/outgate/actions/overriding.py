"""Overriding: a method in a header, a query or a form that counts in place of that of the request line, where it is honoured."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from outgate.intake.media import media_of
from outgate.intake.reading import OVERRIDES
from outgate.intake.request import NoBody, WholeBody

if TYPE_CHECKING:
    from outgate.intake.request import Request

_FORM = "application/x-www-form-urlencoded"
_READING = frozenset({"GET", "HEAD"})
_GOOGLES = ".googleapis.com"
_NAMED = re.compile(r"(?i)_method|\$|%")
"""What a query or a form must hold for a field of it to be worth looking for."""
_FIELD = "_method"
_GOOGLE_FIELD = "$httpmethod"
_HIDING = frozenset({"$httpheaders", "$req", "$ct"})
_METHOD = re.compile(r"GET|HEAD|POST|PUT|PATCH|DELETE")


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


def may_name_methods(request: Request) -> bool:
    """Whether fields of a request may count in place of its method, from its first line alone."""
    return request.method == "POST" or request.host.endswith(_GOOGLES)


def renamed(request: Request) -> tuple[Request, ...]:
    """Give the requests that fields make of this one. Which one counts nobody knows: all of them do.

    Rails, Laravel and others take `_method` of a POST from a query or a form, Google's APIs `$httpMethod` of any from the query.
    """
    fields = _fields(request.query)
    if request.host.endswith(_GOOGLES):
        said = [value for name, value in fields if name == _GOOGLE_FIELD]
    elif request.method == "POST":
        said = [value for name, value in (*fields, *_fields(_form(request))) if name == _FIELD]
    else:
        return ()
    methods = dict.fromkeys(value.upper() for value in said)
    return tuple(replace(request, method=one) for one in methods if one != request.method and _METHOD.fullmatch(one))


def hides(request: Request) -> bool:
    """Whether headers or a body stand in the query, as Google's APIs take them: what they say is not read."""
    return request.host.endswith(_GOOGLES) and any(name in _HIDING for name, _ in _fields(request.query))


def may_be_renamed(request: Request) -> bool:
    """Whether the body, a form, may say that another method is meant."""
    if request.method != "POST" or request.host.endswith(_GOOGLES):
        return False
    media = media_of(request.headers)
    return media is not None and media.kind == _FORM


def _fields(text: str | None) -> list[tuple[str, str]]:
    """Those fields whose name may ask for something, small; mostly there are none."""
    if not text or not _NAMED.search(text):
        return []
    pairs = (pair.partition("=") for pair in text.split("&"))
    return [(unquote_plus(name).lower(), unquote_plus(value)) for name, _, value in pairs if _NAMED.search(name)]


def _form(request: Request) -> str:
    body, media = request.body, media_of(request.headers)
    is_form = isinstance(body, WholeBody) and media is not None and media.kind == _FORM
    return body.content.decode("latin-1") if is_form and isinstance(body, WholeBody) else ""


def _query(request: Request) -> str | None:
    """Give the form in the body, where it could as well be a query."""
    media = media_of(request.headers)
    if not isinstance(request.body, WholeBody) or media is None or media.kind != _FORM:
        return None
    content = request.body.content
    return content.decode("ascii") if content.isascii() and not any(byte <= 0x20 or byte == 0x7F for byte in content) else None
