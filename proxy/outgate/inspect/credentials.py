"""A request without what would let its reader in at the real service: what a mock may see of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus, unquote_to_bytes

from outgate.actions.router import is_kept
from outgate.inspect.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.catalog import Catalog
    from outgate.actions.service import Auth, Service
    from outgate.intake.request import Request

REDACTED = "redacted"
"""Stands where a part of a path was a credential: a path can't do without its parts."""

_HEADER_WORDS = frozenset(
    {
        *("authorization", "authentication", "auth", "bearer", "cookie", "cookie2", "credential", "credentials", "dpop", "jwt"),
        *("passwd", "password", "secret", "signature", "token", "apikey", "apitoken", "authtoken", "accesstoken"),
    }
)
"""A header with one of these words in its name is for getting in. `Idempotency-Key` and `Mcp-Session-Id` are not."""
_KEYS = re.compile(
    r"(?:^|[-_.])(?:api|app|application|access|account|auth|client|functions|private|service|subscription)[-_.]?key$"
)

_QUERY_NAMES = frozenset(
    {
        *("access_token", "accesstoken", "api_key", "apikey", "api_token", "auth", "auth_token", "authorization", "bearer"),
        *("client_secret", "credential", "id_token", "jwt", "oauth_token", "passwd", "password", "private_token", "pwd"),
        *("refresh_token", "secret", "session_token", "sig", "signature", "token", "user_token"),
        *(
            "awsaccesskeyid",
            "x-amz-credential",
            "x-amz-security-token",
            "x-amz-signature",
            "x-goog-credential",
            "x-goog-signature",
        ),
        *("ossaccesskeyid", "x-oss-credential", "x-oss-signature", "x-oss-security-token", "hmac", "api-key", "x-api-key"),
        *("subscription-key", "ocp-apim-subscription-key", "access_key", "accesskey", "secret_key", "private_key"),
    }
)
"""By convention, and in addresses that were signed for whoever holds them. `page_token` and the like are none."""

_FIELD_NAMES = frozenset(name.replace("-", "_") for name in _QUERY_NAMES)
_FIELD_ENDINGS = (
    "_secret",
    "_password",
    "_api_key",
    "_access_token",
    "_refresh_token",
    "_private_key",
    "_secret_key",
    "_auth_token",
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.")
_SCHEME = re.compile(r"\s*(?:basic|bearer|token|apikey|api-key|negotiate|digest|dpop|aws4-[a-z0-9-]+)\s+\S", re.IGNORECASE)
_SUBPROTOCOL = re.compile(r"(?:bearer|api-?key|token|authorization)\b", re.IGNORECASE)
_BOT = re.compile(r"bot[0-9]{6,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,}")
"""Telegram has its credential in the path."""
_PAIR = re.compile(r"[;&?#]")


def without_credentials(request: Request, catalog: Catalog) -> Request:
    """Give the same request without headers, pairs of the query and parts of the path that hold credentials.

    These are the slots that its service declares, what is one by its name, and anything in which a credential is found. What is
    left stands in its order, byte for byte. The body is what it was: a credential in it is data, see `classes_of`.
    """
    auth = catalog.auth_of(request)
    headers = tuple((name, value) for name, value in request.headers if not _lets_in(name, value, auth))
    path = _plain_path(request, catalog.at(request.authority).main)
    return replace(request, headers=headers, path=path, query=_plain_query(request.query, auth))


def is_credential_name(name: str) -> bool:
    """Whether a field or a parameter of this name is for getting in, by convention: `client_secret`, `accessToken`."""
    plain = _HUMP.sub("_", name).lower().replace("-", "_")
    return plain in _FIELD_NAMES or plain.endswith(_FIELD_ENDINGS)


def _lets_in(name: str, value: str, auth: Auth | None) -> bool:
    return (auth is not None and name in auth.headers) or _names_one(name) or _holds_one(name, value)


def _names_one(name: str) -> bool:
    return not _HEADER_WORDS.isdisjoint(re.split(r"[-_.]", name)) or _KEYS.search(name) is not None


def _holds_one(name: str, value: str) -> bool:
    if name == "sec-websocket-protocol" and _SUBPROTOCOL.search(value):
        return True
    if "://" in value and any(_is_slot(part, None) for part in _PAIR.split(value)):  # Referer: an address with a key in it
        return True
    return _found_in(value) or _SCHEME.match(value) is not None or bool(secrets_in(name.encode("latin-1")))


def _found_in(text: str) -> bool:
    return _JWT.search(text) is not None or bool(secrets_in(text.encode("latin-1")))


def _plain_query(query: str | None, auth: Auth | None) -> str | None:
    if query is None:
        return None
    return "&".join(pair for pair in query.split("&") if not _pair_lets_in(pair, auth))


def _pair_lets_in(pair: str, auth: Auth | None) -> bool:
    """Some servers split at `;` too, and an address within an address has its own pairs: each of them is looked at."""
    read = unquote_plus(pair, "latin-1")
    return any(_is_slot(part, auth) for part in (*_PAIR.split(pair), *_PAIR.split(read))) or _found_in(pair) or _found_in(read)


def _is_slot(pair: str, auth: Auth | None) -> bool:
    name = unquote_to_bytes(pair.partition("=")[0].replace("+", " ").encode("latin-1")).decode("latin-1").strip()
    return name.lower() in _QUERY_NAMES or (auth is not None and name.lower() in {known.lower() for known in auth.query})


def _plain_path(request: Request, service: Service | None) -> str:
    """Parts that the catalog says are secret (`{_secret}`), and those in which one is found."""
    secret = _declared(request, service)
    parts = (REDACTED if part in secret or _BOT.search(part) or _found_in(part) else part for part in request.path.split("/"))
    path = "/".join(parts)
    return path if not _found_in(path) else f"/{REDACTED}"


def _declared(request: Request, service: Service | None) -> frozenset[str]:
    return frozenset() if service is None else frozenset(_captured(request, service))


def _captured(request: Request, service: Service) -> Iterator[str]:
    found = service.routes.find(request.method, request.path)
    if found is None:
        return
    for name, raw in zip(found.value.captures, found.captures, strict=True):
        if not is_kept(name):
            yield from (part for part in raw.split("/") if part)
