"""Guessing: what a request does when only its method says anything, and what gives that the lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from outgate.actions.access import access_of
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.catalog import GENERIC
from outgate.actions.paths import plainest
from outgate.actions.service import WEBSOCKET, fallback
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from outgate.actions.operation import Operation
    from outgate.intake.request import Request

_TELLING = re.compile(
    r"(?i:delete|remove|destroy|purge|drop|terminate|revoke|kill|exec|execute|eval|shutdown|reboot)(?:[A-Z_-].*)?"
    r"|(?i:send|publish|trigger|update|insert|unsubscribe|restart|stop|build|pay|do_?delete|upload|formresponse)"
    r"|(?i:(?:send|forward|pin|ban)_?(?:message|sms|email|mail|chat_?member|chat_?message)s?|build_?with_?parameters)"
    r"|(?:send|create|update|publish|pay|transfer|upload|write|ban|set|add|forward|pin|edit|post|put|insert|approve|restrict|promote"
    r"|cancel|enable|disable|trigger|invoke|do)[A-Z][A-Za-z]*"
    r"|[A-Za-z.]+\.(?:post|send|create|update|delete|remove|add|set|edit|ban)"
)
"""The last part of a path that gives a reading method the lie, where it comes with arguments."""

_NAMING = re.compile(r"(?i:action|op|operation|cmd|command|do|act|_?method|\$?http_?method|x-http-method(?:-override)?)")
_MUTATION = re.compile(r"\s*mutation\b")
_DEED = re.compile(r"[A-Za-z_.-]{1,64}")
_QUERY_API = "Action"
"""As AWS writes it: the value is what is done, and no page's view."""


def method_of(request: Request) -> str:
    """Its method, or that it opens a WebSocket."""
    return WEBSOCKET if request.websocket else request.method


def generic(request: Request) -> Action:
    """Of a host that nobody knows."""
    return guessed(fallback(GENERIC, method_of(request)), request, f"{request.authority}{request.path}")


def guessed(operation: Operation, request: Request, resource: str) -> Action:
    """Only the method speaks, and it is no read where a body comes with it or the path says what it does."""
    doubt = operation.access.only_reads and (_has_body(request) or _tells(request))
    return Action(
        service=operation.service,
        operation=operation.operation,
        resource=resource,
        access=Access.UNKNOWN if doubt else operation.access,
        tier=Tier.T2 if doubt else operation.tier,
        confidence=Confidence.HEURISTIC,
        why="a read that brings a body or names a deed" if doubt else operation.why,
        evidence=("method",),
    )


def _has_body(request: Request) -> bool:
    match request.body:
        case NoBody():
            return False
        case WholeBody(content):
            return bool(content)
        case SpooledBody() | UnreadBody():
            return True


def _tells(request: Request) -> bool:
    """Whether path or query of a reading method say that something is done: `/delete?id=3`, `?Action=TerminateInstances`."""
    if not request.query:
        return False
    last = plainest(request.path).rpartition("/")[2]
    return _TELLING.fullmatch(last) is not None or any(map(_names_a_deed, request.query.split("&")))


def _names_a_deed(pair: str) -> bool:
    name, _, value = (unquote_plus(part, "latin-1") for part in pair.partition("="))
    if name == "grant_type" or (name == "query" and _MUTATION.match(value)):
        return True
    if not _NAMING.fullmatch(name) or not _DEED.fullmatch(value):
        return False
    harmless = {Access.READ, Access.LIST} if name == _QUERY_API else {Access.READ, Access.LIST, Access.UNKNOWN}
    return access_of(value)[0] not in harmless
