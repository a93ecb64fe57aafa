"""A2A: what one agent asks another to do, in JSON-RPC or by paths, and where that one is to report to."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, is_json
from outgate.actions.operation import Operation
from outgate.actions.paths import plainest, readable
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable
from outgate.intake.request import NoBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.actions.vocabulary import Kind
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

_SERVICE = "a2a"
_PUSH = "tasks/pushNotificationConfig"
_PARAMS: Mapping[str, Kind] = {"task": "string", "url": "string"}
_LONGEST = 2048
_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})

type _Said = tuple[Access, Tier, str]

_OPERATIONS: Mapping[str, _Said] = {
    "message/send": (Access.SEND, Tier.T1, "another agent is told to do something"),
    "message/stream": (Access.SEND, Tier.T1, "another agent is told to do something"),
    "tasks/get": (Access.READ, Tier.T0, "asks how a task goes"),
    "tasks/list": (Access.LIST, Tier.T0, "lists tasks"),
    "tasks/resubscribe": (Access.READ, Tier.T0, "listens how a task goes"),
    "tasks/cancel": (Access.WRITE, Tier.T1, "a task is stopped"),
    f"{_PUSH}/set": (Access.ADMIN, Tier.T2, "what happens is told to an address outside from now on"),
    f"{_PUSH}/get": (Access.READ, Tier.T1, "reads an address and the token for it"),
    f"{_PUSH}/list": (Access.LIST, Tier.T1, "reads addresses and the tokens for them"),
    f"{_PUSH}/delete": (Access.DELETE, Tier.T1, "nobody is told any more"),
    "agent/getAuthenticatedExtendedCard": (Access.READ, Tier.T0, "asks what the agent can do"),
    "card": (Access.READ, Tier.T0, "asks what the agent can do"),
    "unreadable": (Access.UNKNOWN, Tier.T2, "no message of A2A"),
}
OPERATIONS = tuple(
    Operation(service=_SERVICE, operation=name, access=access, tier=tier, why=why, params=_PARAMS)
    for name, (access, tier, why) in _OPERATIONS.items()
)
_TODAY: Mapping[str, str] = {
    "SendMessage": "message/send",
    "SendStreamingMessage": "message/stream",
    "GetTask": "tasks/get",
    "ListTasks": "tasks/list",
    "CancelTask": "tasks/cancel",
    "SubscribeToTask": "tasks/resubscribe",
    "TaskSubscription": "tasks/resubscribe",
    "CreateTaskPushNotificationConfig": f"{_PUSH}/set",
    "SetTaskPushNotificationConfig": f"{_PUSH}/set",
    "GetTaskPushNotificationConfig": f"{_PUSH}/get",
    "ListTaskPushNotificationConfigs": f"{_PUSH}/list",
    "ListTaskPushNotificationConfig": f"{_PUSH}/list",
    "DeleteTaskPushNotificationConfig": f"{_PUSH}/delete",
    "GetExtendedAgentCard": "agent/getAuthenticatedExtendedCard",
    "GetAgentCard": "agent/getAuthenticatedExtendedCard",
}
"""Names of the same methods in version 1.0 and in its gRPC form."""
_METHODS = frozenset({name for name in _OPERATIONS if "/" in name} | {*_TODAY})
_TASK = r"/tasks/(?P<task>[^/:]+)"
_PUSHES = rf"{_TASK}/pushNotificationConfigs"
_PATHS = tuple(
    (name, method, re.compile(rf"(?:/[^/]+)*?{path}"))
    for name, method, path in (
        ("message/send", "POST", r"/message:send"),
        ("message/stream", "POST", r"/message:stream"),
        ("tasks/cancel", "POST", rf"{_TASK}:cancel"),
        ("tasks/resubscribe", "POST", rf"{_TASK}:subscribe"),
        ("tasks/resubscribe", "GET", rf"{_TASK}:subscribe"),
        (f"{_PUSH}/set", "POST", _PUSHES),
        (f"{_PUSH}/list", "GET", _PUSHES),
        (f"{_PUSH}/get", "GET", rf"{_PUSHES}/[^/]+"),
        (f"{_PUSH}/delete", "DELETE", rf"{_PUSHES}/[^/]+"),
        ("tasks/get", "GET", _TASK),
        ("tasks/list", "GET", r"/tasks"),
        ("card", "GET", r"/\.well-known/agent(?:-card)?\.json"),
        ("agent/getAuthenticatedExtendedCard", "GET", r"/(?:card|extendedAgentCard)"),
    )
)


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared may be one: its body or its path must say so."""
    if request.method == "POST":
        return is_json(request)
    return (found := _by_path(request)) is not None and found[0] == "card"


def wants_body(request: Request) -> bool:
    """Whether the body says what is done: of a message it does."""
    return request.method == "POST"


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the actions of a request to another agent; none where it is no message of A2A and nobody says that it must be."""
    found = _by_path(request)
    if found is not None and (declared or found[0] == "card" or ":" in request.path):
        actions = tuple(_restful(request, *found))
    elif request.method == "POST" and not request.websocket:
        actions = tuple(_called(request, declared=declared))
    else:
        return ()
    return actions if declared else tuple(guessed(action, request, "A2A") for action in actions)


def _by_path(request: Request) -> tuple[str, str] | None:
    if len(request.path) > _LONGEST:
        return None
    path = plainest(request.path)
    for name, method, pattern in _PATHS:
        if method == request.method and (found := pattern.fullmatch(path)):
            return name, readable(found.groupdict().get("task") or "")
    return None


def _restful(request: Request, name: str, task: str) -> Iterator[Action]:
    yield _made(request, name, {"task": task} if task else {})
    if request.method != "POST" or isinstance(request.body, NoBody):
        return
    arguments = Arguments(request)
    body = Undecodable("The message is too large to be read.") if arguments.unread else arguments.json()
    if isinstance(body, Undecodable):
        yield _unreadable(request, body.why)
    else:
        yield from _reports(request, name, body)


def _called(request: Request, *, declared: bool) -> Iterator[Action]:
    """JSON-RPC: one message, whose method is one of A2A's."""
    arguments = Arguments(request)
    body = Undecodable("The message is too large to be read.") if arguments.unread else arguments.json()
    if not isinstance(body, dict):
        if declared:
            yield _unreadable(request, body.why if isinstance(body, Undecodable) else "The body is no single message.")
        return
    method = body.get("method")
    if not isinstance(method, str) or method not in _METHODS or body.get("jsonrpc") != "2.0" or _has_twins(body):
        if declared or (isinstance(method, str) and method in _METHODS):
            yield _unreadable(request, "The message is not one of A2A's.")
        return
    name, params = _TODAY.get(method, method), body.get("params")
    task = params.get("id", params.get("taskId")) if isinstance(params, dict) else None
    yield _made(request, name, {"task": task} if isinstance(task, str) and len(task) <= _LONGEST else {})
    yield from _reports(request, name, params)


def _has_twins(body: Mapping[str, object]) -> bool:
    return any(key not in _ENVELOPE and key.casefold() in _ENVELOPE for key in body)


def _reports(request: Request, name: str, params: JsonValue) -> Iterator[Action]:
    """Where the other agent is told to report to, when a message says so: as if that had been asked for by itself."""
    if name == f"{_PUSH}/set":
        return
    for url in _addresses(params):
        yield replace(_made(request, f"{_PUSH}/set", {"url": url}), resource=url)


def _addresses(params: JsonValue) -> Iterator[str]:
    """Of `configuration.pushNotificationConfig` and its later name, snake case too."""
    configuration = params.get("configuration") if isinstance(params, dict) else None
    for key, value in configuration.items() if isinstance(configuration, dict) else ():
        if key.replace("_", "").casefold() in {"pushnotificationconfig", "pushnotification", "taskpushnotificationconfig"}:
            inner = value.get("pushNotificationConfig", value) if isinstance(value, dict) else None
            url = inner.get("url") if isinstance(inner, dict) else None
            yield url[:_LONGEST] if isinstance(url, str) and url.isprintable() else ""


def _unreadable(request: Request, why: str) -> Action:
    return replace(_made(request, "unreadable", {}), why=why, confidence=Confidence.UNKNOWN)


def _made(request: Request, name: str, params: Mapping[str, Param]) -> Action:
    access, tier, why = _OPERATIONS[name]
    return Action(
        service=_SERVICE,
        operation=name,
        resource=f"{request.authority}{readable(request.path)}",
        access=access,
        tier=tier,
        params=params,
        confidence=Confidence.PROTOCOL,
        why=why,
        evidence=(_SERVICE,),
    )
