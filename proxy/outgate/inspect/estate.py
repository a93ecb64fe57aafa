"""Estate: by whose credential a request asks: one of the operator's own, another's, or none."""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from outgate.actions.service import Auth
    from outgate.intake.request import Request

OURS: Final = "ours"
FOREIGN: Final = "foreign"
NONE: Final = "none"

_SIGNED = re.compile(r"AWS4[-A-Z0-9]*\s+(?:.*[\s,])?Credential=([^/,\s]+)", re.IGNORECASE)
"""AWS signs with a key and sends only which key that was."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s+(\S.*)")
_KEY_IN_QUERY = "x-amz-credential"


def credential_of(request: Request, auth: Auth, known: Collection[str]) -> str:
    """Say by whose credential a request asks, from the slots that its service declares: `ours`, `foreign` or `none`.

    `known` are SHA-256 in hex of what is ours: a token as it is sent, without `Bearer`; of user and password either, or both
    with the colon; of a signature the id of its key. With several credentials each must be ours: a server takes one of them.
    """
    said = [spellings for spellings in _said(request, auth) if spellings]
    if not said:
        return NONE
    return OURS if all(any(_digest(text) in known for text in spellings) for spellings in said) else FOREIGN


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _said(request: Request, auth: Auth) -> Iterator[tuple[str, ...]]:
    for name, value in request.headers:
        if name in auth.headers:
            yield tuple(_spellings(value.strip()))
    slots = {name.lower() for name in auth.query}
    for pair in (request.query or "").split("&") if slots else ():
        name, _, value = (unquote_plus(part) for part in pair.partition("="))
        if name.lower() in slots:
            yield (value.partition("/")[0],) if name.lower() == _KEY_IN_QUERY else (value,)


def _spellings(value: str) -> Iterator[str]:
    """What of a header may be the credential."""
    if not value:
        return
    if (signed := _SIGNED.match(value)) is not None:
        yield signed[1]
        return
    schemed = _SCHEME.fullmatch(value)
    if schemed is None:
        yield value
    elif schemed[1].lower() == "basic":
        yield from _pair(schemed[2])
    else:
        yield schemed[2]


def _pair(coded: str) -> Iterator[str]:
    """GitHub takes a token for the password, Stripe for the user."""
    try:
        pair = base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        yield coded
        return
    user, colon, password = pair.partition(":")
    yield from (part for part in (pair if colon and user and password else "", user, password) if part)
