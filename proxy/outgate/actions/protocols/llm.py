"""Model APIs: what a request has the provider fetch or call elsewhere, past this gate."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.vocabulary import Kind
    from outgate.intake.bodies import JsonValue

PARAMS: tuple[tuple[str, Kind], ...] = (("images", "list"),)
"""What `described` adds, and its kind."""
MOST = 200
"""Destinations told apart; more than that are counted with the last."""

_URL_KEYS = frozenset(
    {
        *("url", "file_url", "image_url", "video_url", "audio_url", "document_url", "webhook_url", "callback_url"),
        *("fileUri", "file_uri", "gcsUri", "gcs_uri", "s3Uri", "imageUrl", "videoUrl", "documentUrl"),
    }
)
_REMOTE = re.compile(r"(?i)(https?|wss?|ftp|gs|s3)://([^/?#\\\s]{1,255})([^?#\s]{0,1024})")
_OWN_FILES = re.compile(r"(?i)https://generativelanguage\.googleapis\.com/v[0-9a-z]+/files/[a-z0-9-]+")
"""Gemini's name for a file that was uploaded to it before."""
_TOOL = re.compile(
    r"(web_search|web_fetch|url_context|google_search|google_maps|browser_search|visit_website|code_interpreter|code_execution)\w*"
)
_KEYED_TOOLS = {
    "googleSearch": "google_search",
    "google_search": "google_search",
    "googleSearchRetrieval": "google_search",
    "google_search_retrieval": "google_search",
    "enterpriseWebSearch": "google_search",
    "googleMaps": "google_maps",
    "google_maps": "google_maps",
    "urlContext": "url_context",
    "url_context": "url_context",
    "codeExecution": "code_execution",
    "code_execution": "code_execution",
}
"""Gemini's tools: a key is the tool."""
_SEARCHES = frozenset({"web_search_options", "search_parameters", "search_settings"})
_ONLINE = re.compile(r".*:online|(?:groq/)?compound(?:-\w+)*|(?:perplexity/)?sonar(?:-\w+)*", re.IGNORECASE)
"""Models that search by themselves."""
_MOST_COUNTED = 10_000
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


def described(action: Action, body: JsonValue) -> Action:
    """Say how many answers are asked for, and which images are shown: by media type where they come along, else by URL."""
    if not isinstance(body, dict):
        return action
    inner = body.get("generationConfig")
    asked = [body.get(name) for name in ("n", "num_generations", "best_of")]
    asked.append(inner.get("candidateCount") if isinstance(inner, dict) else None)
    count = max((n for n in asked if isinstance(n, int) and not isinstance(n, bool)), default=1)
    images = tuple(dict.fromkeys(_images(body)))
    params = {**action.params, "images": images} if images and "images" not in action.params else action.params
    return replace(action, count=min(max(count, 1), _MOST_COUNTED), params=params)


def _images(body: JsonValue) -> Iterator[str]:
    waiting: list[JsonValue] = [body]
    seen = 0
    while waiting and seen < MOST:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, dict):
            for said in (value.get(name) for name in ("image_url", "imageUrl", "media_type", "mimeType", "mime_type")):
                text = said.get("url") if isinstance(said, dict) else said
                if isinstance(text, str) and (image := _IMAGE.match(text)):
                    seen += 1
                    yield image[1] or text[:256]
            waiting.extend(inner for key, inner in value.items() if isinstance(inner, dict | list) and key not in _NOT_FOLLOWED)


_IMAGE = re.compile(r"(?:data:)?(image/[a-z0-9.+-]{1,64})|https?://", re.IGNORECASE)


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
    yield from _by_key(key, value)
    for name in _SEARCHES & value.keys():
        yield TOOL, "web_search", name
    if not _PAST.fullmatch(kind):
        for name, named in value.items():
            if name in _URL_KEYS:
                yield from _url(name, named, kind or key)


def _by_key(key: str, value: dict[str, JsonValue]) -> Iterator[tuple[str, str, str]]:
    """What is told by the key that it stands under: Gemini, Cohere, OpenRouter, Azure, Bedrock."""
    if key == "tools":
        yield from ((TOOL, tool, name) for name, tool in _KEYED_TOOLS.items() if name in value)
    elif key in {"connectors", "plugins"}:
        name = value.get("id")
        yield TOOL, name if isinstance(name, str) and name.isprintable() else "", key
    elif key == "s3Location":
        yield from _url("uri", value.get("uri"), key)
    elif key in {"data_sources", "dataSources"}:
        inner = value.get("parameters")
        yield from _url("endpoint", inner.get("endpoint") if isinstance(inner, dict) else "", key)
    if not key and isinstance(model := value.get("model"), str) and _ONLINE.fullmatch(model):
        yield TOOL, "web_search", "model"


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
    if _OWN_FILES.fullmatch(named):
        return
    remote = _REMOTE.match(named)
    via = kind or name
    yield (URL, f"{remote[2].lower()}{remote[3]}", via) if remote and named.isprintable() else (UNREADABLE_PLACE, "", via)
