"""OAuth 2: what a token endpoint hands out, and for what. None of its parameters is told to anybody: they are credentials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, is_json
from outgate.actions.operation import Operation
from outgate.actions.paths import plainest
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable
from outgate.intake.media import media_of
from outgate.intake.request import NoBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.intake.request import Request

_SERVICE = "oauth"
_FORM = "application/x-www-form-urlencoded"

type _Said = tuple[Access, Tier, str]

_GRANTS: Mapping[str, _Said] = {
    "refresh_token": (Access.AUTH, Tier.T1, "a session goes on"),
    "client_credentials": (Access.AUTH, Tier.T1, "it signs in as itself"),
    "jwt-bearer": (Access.AUTH, Tier.T1, "it signs in with a key that it has"),
    "saml2-bearer": (Access.AUTH, Tier.T1, "it signs in with an assertion that it has"),
    "authorization_code": (Access.AUTH, Tier.T2, "hands out a person's credential"),
    "device_code": (Access.AUTH, Tier.T2, "hands out a person's credential"),
    "ciba": (Access.AUTH, Tier.T2, "hands out a person's credential"),
    "password": (Access.AUTH, Tier.T2, "a person's password is turned into a credential"),
    "token-exchange": (Access.AUTH, Tier.T2, "one credential is turned into another, perhaps of somebody else"),
    "other": (Access.AUTH, Tier.T2, "hands out a credential"),
}
"""By the last word of `grant_type`: `urn:ietf:params:oauth:grant-type:device_code` is `device_code`."""
_ENDPOINTS: Mapping[str, _Said] = {
    "device": (Access.AUTH, Tier.T1, "asks a person to sign in"),
    "par": (Access.AUTH, Tier.T1, "prepares that a person signs in"),
    "ciba-request": (Access.AUTH, Tier.T1, "asks a person to sign in"),
    "revoke": (Access.AUTH, Tier.T1, "a credential counts no more"),
    "introspect": (Access.AUTH, Tier.T1, "asks what a credential is good for"),
    "register": (Access.ADMIN, Tier.T2, "a new client may ask for credentials from now on"),
    "userinfo": (Access.READ, Tier.T0, "asks who is signed in"),
    "metadata": (Access.READ, Tier.T0, "asks where what is, and which keys are used"),
    "authorize": (Access.AUTH, Tier.T1, "asks a person to sign in"),
    "unreadable": (Access.UNKNOWN, Tier.T2, "the form does not say, once, what is asked for"),
}
OPERATIONS = tuple(
    Operation(service=_SERVICE, operation=name, access=access, tier=tier, why=why)
    for name, (access, tier, why) in ((*((f"token.{grant}", said) for grant, said in _GRANTS.items()), *_ENDPOINTS.items()))
)
_METADATA = r".*/\.well-known/[^/]+(?:/.*)?|.*/(?:jwks|certs|keys|discovery/[^/]+/keys)(?:\.json)?"
_PATHS = tuple(
    (name, frozenset(methods.split()), re.compile(path))
    for name, methods, path in (
        ("metadata", "GET HEAD", _METADATA),
        ("userinfo", "GET POST", r".*/userinfo"),
        ("device", "POST", r".*/(?:device/code|devicecode|device_authorization|device/authorize|device)"),
        ("par", "POST", r".*/(?:par|request)"),
        ("ciba-request", "POST", r".*/(?:bc-authorize|ext/ciba/auth)"),
        ("revoke", "POST GET", r".*/(?:revoke|revocation)(?:_token)?"),
        ("introspect", "POST", r".*/(?:introspect|introspection|tokeninfo)"),
        ("register", "POST PUT DELETE", r".*/(?:register|registration|clients)(?:/[^/]+)?"),
        ("authorize", "GET POST", r".*/(?:authorize|authorization|auth)"),
    )
)
_TOKEN = re.compile(r".*/(?:token|access_token|oauth2?(?:/v[0-9.]+)?/[a-z_]*token|v[0-9.]+/token|accesstoken)")
"""Where tokens are handed out at a host that nobody declared; a declared one is believed by what its form says."""


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared looks like one to a token endpoint."""
    return request.method == "POST" and _brings_a_form(request) and _TOKEN.fullmatch(plainest(request.path)) is not None


def wants_body(request: Request) -> bool:
    """Whether the body says what is done: a form does."""
    return request.method == "POST" and _brings_a_form(request)


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the action of a request to an authorization server; none where nothing says that it is one."""
    name = _token(request, must=declared) or (_endpoint(request) if declared else "")
    if not name:
        return ()
    action = _made(request, name)
    return (action if declared else guessed(action, request, "OAuth"),)


def _brings_a_form(request: Request) -> bool:
    media = media_of(request.headers)
    return (media is not None and media.kind == _FORM) or is_json(request)


def _token(request: Request, *, must: bool) -> str:
    """The grant that is asked for, in the form or, as some servers take it, in JSON. `must`: a token endpoint asks for one."""
    is_endpoint = _TOKEN.fullmatch(plainest(request.path)) is not None
    if request.method != "POST":
        return ""
    said = {*_grants(request)}
    if len(said) == 1 and "" not in said:
        grant = next(iter(said)).rpartition(":")[2]
        return f"token.{grant if grant in _GRANTS else 'other'}"
    return "unreadable" if said or (must and is_endpoint) else ""


def _grants(request: Request) -> Iterator[str]:
    """Each that is said; empty for what can't be read."""
    arguments = Arguments(request)
    if arguments.unread:
        yield ""
        return
    query = arguments.query()
    yield from ("",) if isinstance(query, Undecodable) else (value for name, value in query if name == "grant_type")
    if isinstance(request.body, NoBody):
        return
    if is_json(request):
        body = arguments.json()
        grant = body.get("grant_type") if isinstance(body, dict) else None
        yield from (grant,) if isinstance(grant, str) else ()
        return
    fields = arguments.form()
    yield from ("",) if isinstance(fields, Undecodable) else (value or "" for name, value in fields if name == "grant_type")


def _endpoint(request: Request) -> str:
    path = plainest(request.path)
    found = (name for name, methods, pattern in _PATHS if request.method in methods and pattern.fullmatch(path))
    return next(found, "")


def _made(request: Request, name: str) -> Action:
    access, tier, why = _GRANTS[name[6:]] if name.startswith("token.") else _ENDPOINTS[name]
    return Action(
        service=_SERVICE,
        operation=name,
        resource=request.authority,
        access=access,
        tier=tier,
        confidence=Confidence.UNKNOWN if name == "unreadable" else Confidence.PROTOCOL,
        why=why,
        evidence=(_SERVICE,),
    )
