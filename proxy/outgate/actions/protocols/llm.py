"""Model APIs: what a request has the provider fetch or call elsewhere, past this gate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.intake.bodies import JsonValue

MOST = 200
"""Destinations told apart; more than that are counted with the last."""

_URL_KEYS = frozenset({"url", "file_url", "image_url", "video_url", "audio_url", "webhook_url", "callback_url"})
_REMOTE = re.compile(r"(?i)(https?|wss?|ftp)://([^/?#\\\s]{1,255})([^?#\s]{0,1024})")
_TOOL = re.compile(r"(web_search|web_fetch|url_context|google_search|code_interpreter|code_execution)\w*")
_NOT_FOLLOWED = frozenset(
    {"input_schema", "parameters", "schema", "json_schema", "metadata", "arguments", "annotations", "citations"}
)
"""What a provider hands to a model or keeps: nobody follows a URL in it."""
_PAST = re.compile(r"\w+_tool_result|\w*(?:search_result|fetch_result|result_location|url_citation|search_call)")
"""Blocks that say what was found before."""
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "mcp_call"})
"""Blocks that say what a model asked the client for before."""

URL, MCP, TOOL, UNREADABLE_PLACE = "egress:url", "egress:mcp", "egress:tool", "egress:unreadable"


def operations(service: str) -> tuple[Operation, ...]:
    """What a service may be told to do elsewhere."""
    return (
        _operation(service, URL, Access.SEND, Tier.T1, "the provider fetches a URL that the request names"),
        _operation(service, MCP, Access.EXECUTE, Tier.T2, "the provider calls tools of a server that the request names"),
        _operation(service, TOOL, Access.SEND, Tier.T1, "the provider searches, fetches or runs code by itself"),
        _operation(service, UNREADABLE_PLACE, Access.UNKNOWN, Tier.T2, "the provider is told of a place that can't be read"),
    )


def _operation(service: str, name: str, access: Access, tier: Tier, why: str) -> Operation:
    return Operation(service=service, operation=name, access=access, tier=tier, params={"via": "string"}, why=why)


def egress(service: str, body: JsonValue) -> tuple[Action, ...]:
    """Give one action for each place that the provider is sent to, in the order of the body."""
    found: dict[tuple[str, str, str], int] = {}
    for place in _places(body):
        key = place if place in found or len(found) < MOST else (UNREADABLE_PLACE, "", "")
        found[key] = found.get(key, 0) + 1
    if not found:
        return ()
    known = {operation.operation: operation for operation in operations(service)}
    return tuple(_action(known[name], resource, via, count) for (name, resource, via), count in found.items())


def _action(operation: Operation, resource: str, via: str, count: int) -> Action:
    return Action(
        service=operation.service,
        operation=operation.operation,
        resource=resource,
        access=operation.access,
        tier=operation.tier,
        params={"via": via},
        count=count,
        confidence=Confidence.CATALOG,
        why=operation.why,
        evidence=("llm",),
    )


def _places(body: JsonValue) -> Iterator[tuple[str, str, str]]:
    """Operation, resource, and what it stands in. Iterative: the JSON reader bounds depth, not size."""
    waiting: list[tuple[str, JsonValue]] = [("", body)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, list):
            waiting.extend((key, inner) for inner in reversed(value))
        elif isinstance(value, dict):
            kind = value.get("type")
            yield from _of(key, value, kind if isinstance(kind, str) else "")
            waiting.extend(reversed(list(_followed(value, kind if isinstance(kind, str) else ""))))


def _followed(value: dict[str, JsonValue], kind: str) -> Iterator[tuple[str, JsonValue]]:
    """The parts in which a provider may find places to go to."""
    if _PAST.fullmatch(kind):
        return
    for key, inner in value.items():
        if isinstance(inner, dict | list) and key not in _NOT_FOLLOWED and not (key == "input" and kind in _CALLS):
            yield key, inner


def _of(key: str, value: dict[str, JsonValue], kind: str) -> Iterator[tuple[str, str, str]]:
    if key == "mcp_servers" or kind == "mcp":
        yield _server(value)
        return
    if key == "tools" and (match := _TOOL.fullmatch(kind)):
        yield TOOL, match[1], kind
    if "web_search_options" in value:
        yield TOOL, "web_search", "web_search_options"
    if not _PAST.fullmatch(kind):
        for name, named in value.items():
            if name in _URL_KEYS:
                yield from _url(name, named, kind or key)


def _server(value: dict[str, JsonValue]) -> tuple[str, str, str]:
    named = value.get("server_url") or value.get("url") or value.get("connector_id")
    if not isinstance(named, str) or not named.isprintable():
        return UNREADABLE_PLACE, "", "mcp"
    remote = _REMOTE.match(named)
    return MCP, f"{remote[2].lower()}{remote[3]}" if remote else named[:256], "mcp"


def _url(name: str, named: JsonValue, kind: str) -> Iterator[tuple[str, str, str]]:
    """`data:` goes nowhere; what is text and no URL may be a place all the same."""
    if not isinstance(named, str) or named[:5].lower() == "data:":
        return
    remote = _REMOTE.match(named)
    via = kind or name
    yield (URL, f"{remote[2].lower()}{remote[3]}", via) if remote and named.isprintable() else (UNREADABLE_PLACE, "", via)
