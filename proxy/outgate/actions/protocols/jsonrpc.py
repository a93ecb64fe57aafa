"""JSON-RPC as MCP speaks it over HTTP: which method of which server, and of a tool call which tool."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.actions.access import access_of
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, has_variants, is_json
from outgate.actions.operation import Operation
from outgate.actions.protocols import nested
from outgate.actions.protocols.mcp_servers import judge_tool
from outgate.intake.bodies import Undecodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.action import Param
    from outgate.actions.protocols.mcp_servers import Judged, Server
    from outgate.actions.vocabulary import Kind
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

MOST_CALLS = 100
"""In one batch."""

_METHOD = re.compile(r"[A-Za-z$][A-Za-z0-9_./$-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")
_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_PARAMS = frozenset({"name", "uri", "arguments"})
_MARKS = frozenset({"mcp-method", "mcp-name", "mcp-session-id", "mcp-protocol-version"})
_LAST_WITH_BATCHES = "2025-03-26"
_LONGEST = 2048
_NO_NAME = "The MCP request does not name what it calls."


def _operation(name: str, access: Access, tier: Tier, why: str, params: Mapping[str, Kind] = MappingProxyType({})) -> Operation:
    return Operation(service="mcp", operation=name, access=access, tier=tier, why=why, params=params)


_KNOWN: Mapping[str, Operation] = {
    operation.operation: operation
    for operation in (
        _operation("initialize", Access.READ, Tier.T0, "agrees on versions"),
        _operation("ping", Access.READ, Tier.T0, "asks for a sign of life"),
        _operation("tools/list", Access.LIST, Tier.T0, "lists what there is"),
        _operation("resources/list", Access.LIST, Tier.T0, "lists what there is"),
        _operation("resources/templates/list", Access.LIST, Tier.T0, "lists what there is"),
        _operation("prompts/list", Access.LIST, Tier.T0, "lists what there is"),
        _operation("resources/subscribe", Access.READ, Tier.T0, "asks to be told of changes"),
        _operation("resources/unsubscribe", Access.READ, Tier.T0, "asks not to be told of changes"),
        _operation("completion/complete", Access.READ, Tier.T0, "asks for completions of an argument"),
        _operation("logging/setLevel", Access.READ, Tier.T0, "asks for more or fewer messages"),
        *(
            _operation(f"notifications/{name}", Access.SEND, Tier.T0, "tells the server about this client")
            for name in ("initialized", "cancelled", "progress", "roots/list_changed", "tasks/status")
        ),
        _operation("tasks/get", Access.READ, Tier.T0, "asks how a task goes"),
        _operation("tasks/result", Access.READ, Tier.T0, "asks what came of a task"),
        _operation("tasks/list", Access.LIST, Tier.T0, "lists tasks"),
        _operation("tasks/cancel", Access.WRITE, Tier.T1, "a task is stopped"),
        _operation("server/discover", Access.READ, Tier.T0, "asks what the server can do"),
        _operation("resources/read", Access.READ, Tier.T0, "reads a resource", {"uri": "string"}),
        _operation("answer", Access.SEND, Tier.T1, "answers what the server asked"),
        _operation("listen", Access.READ, Tier.T0, "listens for messages"),
        _operation("close", Access.WRITE, Tier.T1, "ends its own session"),
        _operation("unreadable", Access.UNKNOWN, Tier.T2, "the message can't be read"),
    )
}
_NAMED: Mapping[str, str] = {"tools/call": "name", "resources/read": "uri", "prompts/get": "name"}
"""Methods whose operation goes on with what they name, and the parameter that names it."""

_OURS = frozenset({"answer", "listen", "close", "unreadable"})
"""Names that no method has."""
_OF_OTHERS = frozenset({"tasks/get", "tasks/list", "tasks/cancel"})
"""Methods that A2A has as well: they don't tell that this is MCP."""

OPERATIONS = (
    *_KNOWN.values(),
    _operation("tools/call:*", Access.UNKNOWN, Tier.T2, "what a tool does is judged by its name"),
    _operation("prompts/get:*", Access.READ, Tier.T0, "reads a prompt"),
    _operation("other:*", Access.UNKNOWN, Tier.T2, "no method of MCP; judged by its name"),
)


def looks_like_mcp(request: Request) -> bool:
    """Whether a request bears marks of MCP: its headers, or that it takes both JSON and a stream for an answer."""
    if any(name in _MARKS for name, _ in request.headers):
        return True
    accepted = " ".join(value for name, value in request.headers if name == "accept").lower()
    return request.method == "POST" and "application/json" in accepted and "text/event-stream" in accepted and is_json(request)


def may_be_jsonrpc(request: Request) -> bool:
    """Whether a request could carry JSON-RPC: then its body must be seen to know."""
    return request.method == "POST" and (is_json(request) or looks_like_mcp(request))


def identify(request: Request, *, declared: bool, known: Server | None = None) -> tuple[Action, ...]:
    """Give the actions of a request to a host that speaks MCP, or that looks as if it did. `known`: what is said of its tools.

    Nothing is given for a request that is no JSON-RPC and of which nobody says that it must be.
    """
    server = f"{request.authority}{request.path}"
    if request.method != "POST":
        return _session(request, server, declared=declared)
    arguments = Arguments(request)
    body = Undecodable("The message is too large to be read.") if arguments.unread else arguments.json()
    must = declared or looks_like_mcp(request)
    if isinstance(body, Undecodable):
        return (_unreadable(server, body.why),) if must or _smells(request) else ()
    if isinstance(body, list) and _is_without_batches(request):
        return (_unreadable(server, "This version of MCP has no batches."),)
    messages: list[JsonValue] = list(body) if isinstance(body, list) else [body]
    if not any(map(_is_message if must else _is_mcp, messages)):
        return (_unreadable(server, "The body is not JSON-RPC."),) if must else ()
    if len(messages) > MOST_CALLS or not all(map(_is_message, messages)):
        return (_unreadable(server, "The batch is too long or not all of it is JSON-RPC."),)
    actions = tuple(_action(message, server, known) for message in messages if isinstance(message, dict))
    return tuple(_weigh(action, declared=declared) for action in _checked(request, messages, actions, server))


def _is_without_batches(request: Request) -> bool:
    """Only MCP 2025-03-26 and what came before take several messages in one body."""
    return any(name == "mcp-protocol-version" and value > _LAST_WITH_BATCHES for name, value in request.headers)


def _session(request: Request, server: str, *, declared: bool) -> tuple[Action, ...]:
    """Streamable HTTP: GET listens, DELETE ends the session. Undeclared, a GET is a GET and a DELETE a DELETE."""
    if not declared or request.method not in {"GET", "DELETE"} or request.websocket:
        return ()
    known = _KNOWN["listen" if request.method == "GET" else "close"]
    return (_known(known, server),)


def _smells(request: Request) -> bool:
    """Whether a body that could not be read as JSON was perhaps JSON-RPC for somebody more lenient."""
    content = getattr(request.body, "content", b"")
    return b"jsonrpc" in content[:4096]


def _is_message(value: JsonValue) -> bool:
    return isinstance(value, dict) and "jsonrpc" in value


def _is_mcp(value: JsonValue) -> bool:
    """JSON-RPC is spoken by many; without a mark of MCP only its methods tell."""
    method = value.get("method") if isinstance(value, dict) and _is_message(value) else None
    return isinstance(method, str) and method not in _OF_OTHERS and (method in _KNOWN or method in _NAMED)


def _unreadable(server: str, why: str) -> Action:
    return replace(_known(_KNOWN["unreadable"], server), why=why, confidence=Confidence.UNKNOWN)


def _known(operation: Operation, server: str) -> Action:
    return Action(
        service="mcp",
        operation=operation.operation,
        resource=server,
        access=operation.access,
        tier=operation.tier,
        confidence=Confidence.PROTOCOL,
        why=operation.why,
        evidence=("mcp",),
    )


def _action(message: dict[str, JsonValue], server: str, known: Server | None) -> Action:
    if message.get("jsonrpc") != "2.0" or any(key not in _ENVELOPE and key.casefold() in _ENVELOPE for key in message):
        return _unreadable(server, "The message is not JSON-RPC 2.0, or has a key that differs from one of its in case alone.")
    if "method" not in message:
        answers = ("result" in message) != ("error" in message)
        return _known(_KNOWN["answer"], server) if answers else _unreadable(server, "The message neither asks nor answers.")
    method, params = message["method"], message.get("params", {})
    if not isinstance(method, str) or not _METHOD.fullmatch(method) or not isinstance(params, dict | list):
        return _unreadable(server, "The message has no plain method and parameters.")
    given = params if isinstance(params, dict) else {}
    if has_variants(given, _PARAMS):
        return _unreadable(server, "The parameters have a key that differs from one of MCP's in case alone.")
    return _called(method, given, server, known) if method in _NAMED else _plain(method, server)


def _plain(method: str, server: str) -> Action:
    if method in _KNOWN and method not in _OURS:
        return _known(_KNOWN[method], server)
    access, tier = access_of(method)
    known = _operation(f"other:{method}", access, max(tier, Tier.T1), "no method of MCP; judged by its name")
    return replace(_known(known, server), confidence=Confidence.HEURISTIC)


def _called(method: str, params: dict[str, JsonValue], server: str, tools: Server | None) -> Action:
    name = params.get(_NAMED[method])
    if method == "resources/read":
        if not isinstance(name, str) or not name.isprintable() or len(name) > _LONGEST:
            return _unreadable(server, _NO_NAME)
        return replace(_known(_KNOWN[method], server), params={"uri": name})
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return _unreadable(server, _NO_NAME)
    judged: Judged = Access.READ, Tier.T0, "reads a prompt", ()
    access, tier, why, evidence = judge_tool(name, tools) if method == "tools/call" else judged
    action = _known(_operation(f"{method}:{name}", access, tier, why), server)
    given = params.get("arguments")
    action = replace(action, params=_scalars(given) if isinstance(given, dict) else {}, evidence=("mcp", *evidence))
    return nested.raised(action, given) if method == "tools/call" and given is not None else action


def _scalars(given: dict[str, JsonValue]) -> dict[str, Param]:
    """The arguments that rules can read: plain values and lists of texts."""
    found: dict[str, Param] = {}
    for name, value in given.items():
        if isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= _LONGEST):
            found[name] = value
        elif (
            isinstance(value, list)
            and (texts := tuple(item for item in value if isinstance(item, str)))
            and len(texts) == len(value)
        ):
            found[name] = texts
    return found


def _checked(request: Request, messages: list[JsonValue], actions: tuple[Action, ...], server: str) -> tuple[Action, ...]:
    """MCP 2026-07-28: Mcp-Method and Mcp-Name say the same as the body, or there are two readings."""
    for header, said in (("mcp-method", _methods(messages)), ("mcp-name", _names(messages))):
        if any(name == header and {value} != said for name, value in request.headers):
            return (_unreadable(server, f"The header {header} and the message say different things."),)
    return actions


def _methods(messages: list[JsonValue]) -> set[JsonValue]:
    return {_hashable(message.get("method")) for message in messages if isinstance(message, dict)}


def _names(messages: list[JsonValue]) -> set[JsonValue]:
    found: set[JsonValue] = set()
    for message in messages:
        method = message.get("method") if isinstance(message, dict) else None
        params = message.get("params") if isinstance(message, dict) else None
        key = _NAMED.get(method) if isinstance(method, str) else None
        found.add(_hashable(params.get(key)) if isinstance(params, dict) and key else None)
    return found


def _hashable(value: JsonValue) -> JsonValue:
    return value if isinstance(value, str) else None


def _weigh(action: Action, *, declared: bool) -> Action:
    """Of a server that nobody declared every message is unmapped and none is a read: it may be anything but MCP."""
    if declared or action.confidence is Confidence.UNKNOWN:
        return action
    access = Access.UNKNOWN if action.access.only_reads else action.access
    return replace(
        action,
        access=access,
        tier=max(action.tier, Tier.T1),
        confidence=Confidence.HEURISTIC,
        evidence=("mcp", "no service file says that this host speaks MCP"),
    )
