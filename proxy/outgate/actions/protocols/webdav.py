"""WebDAV and CalDAV: what each of their methods does, and to where something is copied or moved."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation
from outgate.actions.paths import readable
from outgate.actions.protocols.guess import guessed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.intake.request import Request

_SERVICE = "webdav"

type _Said = tuple[Access, Tier, str]

_READ: _Said = (Access.READ, Tier.T0, "it reads")
_LIST: _Said = (Access.LIST, Tier.T0, "it lists")
_WRITE: _Said = (Access.WRITE, Tier.T1, "it changes something")
_METHODS: Mapping[str, _Said] = {
    **dict.fromkeys(("GET", "HEAD", "OPTIONS"), _READ),
    **dict.fromkeys(("PROPFIND", "REPORT", "SEARCH"), _LIST),
    **dict.fromkeys(
        (
            *("PUT", "PATCH", "MKCOL", "MKCALENDAR", "MKACTIVITY", "MKWORKSPACE", "PROPPATCH", "COPY", "MOVE", "LOCK", "UNLOCK"),
            *("CHECKIN", "CHECKOUT", "UNCHECKOUT", "VERSION-CONTROL", "BASELINE-CONTROL", "LABEL", "UPDATE", "MERGE", "BIND"),
            *("REBIND", "ORDERPATCH", "UPDATEREDIRECTREF", "MKREDIRECTREF"),
        ),
        _WRITE,
    ),
    "DELETE": (Access.DELETE, Tier.T2, "it is deleted"),
    "UNBIND": (Access.DELETE, Tier.T2, "it is not found there any more"),
    "ACL": (Access.ADMIN, Tier.T2, "who may do what changes"),
}  # fmt: skip
"""RFC 4918, 3253, 3648, 3744, 4437, 4791, 5323, 5842."""
_WEB = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST", "UPDATE", "MERGE", "LABEL"})
"""What other servers have as well: these alone do not tell that WebDAV is spoken."""
_TO_ELSEWHERE = frozenset({"COPY", "MOVE", "BIND", "REBIND"})
_ALL_BELOW = "all below it is deleted"
OPERATIONS = (
    *(
        Operation(service=_SERVICE, operation=method, access=access, tier=tier, why=why, params={"destination": "string"})
        for method, (access, tier, why) in _METHODS.items()
    ),
    Operation(service=_SERVICE, operation="POST", access=Access.UNKNOWN, tier=Tier.T2, why="WebDAV does not say what POST does"),
    Operation(service=_SERVICE, operation="unreadable", access=Access.UNKNOWN, tier=Tier.T2, why="where it goes can't be told"),
)


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared has a method that only WebDAV has."""
    return request.method in _METHODS and request.method not in _WEB


def wants_body(_request: Request) -> bool:
    """Whether the body says what is done: never, the method does."""
    return False


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the actions of a request: what the method does, and to the place that Destination names."""
    if request.websocket or request.method not in {*_METHODS, "POST"}:
        return ()
    actions = tuple(_actions(request))
    return actions if declared else tuple(guessed(action, request, "WebDAV") for action in actions)


def _actions(request: Request) -> Iterator[Action]:
    said = {value for name, value in request.headers if name == "destination"}
    if request.method not in _TO_ELSEWHERE:
        yield _made(request, request.path, _said(request), {})
        return
    to = _place(request, next(iter(said))) if len(said) == 1 else ""
    if not to:
        yield _unreadable(request)
        return
    yield _made(request, request.path, _said(request), {"destination": readable(to[1:])})


def _said(request: Request) -> _Said:
    """What is there already is lost unless `Overwrite: F`; a collection is moved and deleted with all below it."""
    access, tier, why = _METHODS.get(request.method, (Access.UNKNOWN, Tier.T2, "WebDAV does not say what POST does"))
    if request.method == "DELETE" and request.path.endswith("/"):
        return access, Tier.T3, _ALL_BELOW
    keeps = [value.strip() for name, value in request.headers if name == "overwrite"] == ["F"]
    if request.method in _TO_ELSEWHERE and not keeps:
        return access, Tier.T2, "what is at the destination is replaced"
    return access, tier, why


def _place(request: Request, destination: str) -> str:
    """The path that a Destination of this host names; empty for any other: a server would carry it elsewhere."""
    try:
        parts = urlsplit(destination)
    except ValueError:
        return ""
    here = not parts.netloc or (parts.scheme == request.scheme and parts.netloc.lower() == request.authority)
    plain = parts.path.startswith("/") and ".." not in parts.path and "%2e" not in parts.path.lower() and not parts.query
    return parts.path if here and plain else ""


def _unreadable(request: Request) -> Action:
    said: _Said = (Access.UNKNOWN, Tier.T2, "Destination does not name one place on this host")
    return _made(request, request.path, said, {}, operation="unreadable")


def _made(request: Request, path: str, said: _Said, params: Mapping[str, Param], operation: str = "") -> Action:
    access, tier, why = said
    return Action(
        service=_SERVICE,
        operation=operation or request.method,
        resource=f"{request.authority}{readable(path)}",
        access=access,
        tier=tier,
        params=params,
        confidence=Confidence.UNKNOWN if operation or request.method == "POST" else Confidence.PROTOCOL,
        why=why,
        evidence=(_SERVICE, f"method {request.method}"),
    )
