"""JSON-RPC and MCP in the sandbox: a session can be had, tools say that nothing was done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from outgate.mock.exchange import Answer, in_json

if TYPE_CHECKING:
    from outgate.intake.bodies import JsonValue
    from outgate.mock.exchange import Asked

VERSION = "2025-06-18"
"""Of MCP: answered where a client names none."""
_BATCH = 100
_EMPTY: dict[str, dict[str, JsonValue]] = {
    "ping": {},
    "tools/list": {"tools": []},
    "resources/list": {"resources": []},
    "resources/templates/list": {"resourceTemplates": []},
    "resources/read": {"contents": []},
    "resources/subscribe": {},
    "resources/unsubscribe": {},
    "prompts/list": {"prompts": []},
    "completion/complete": {"completion": {"values": []}},
    "logging/setLevel": {},
}


def answer(asked: Asked, *, declared: bool) -> Answer | None:
    """None where the request is none of JSON-RPC. `declared`: its service speaks MCP, whatever it looks like."""
    if asked.method != "POST":
        return _session(asked) if declared else None
    said = asked.said
    calls = said if isinstance(said, list) else [said]
    if not calls or not all(isinstance(call, dict) and call.get("jsonrpc") == "2.0" for call in calls):
        return None
    answers: list[JsonValue] = [_answered(call) for call in calls[:_BATCH] if isinstance(call, dict) and _awaits(call)]
    if not answers:
        return Answer(status=202)
    return in_json(answers if isinstance(said, list) else answers[0])


def _session(asked: Asked) -> Answer:
    """A stream of messages is not offered (MCP, "Listening for Messages from the Server"); to end a session is."""
    return Answer(status=204) if asked.method == "DELETE" else Answer(status=405, headers=(("allow", "POST, DELETE"),))


def _awaits(call: dict[str, JsonValue]) -> bool:
    return "id" in call and isinstance(call.get("method"), str)


def _answered(call: dict[str, JsonValue]) -> JsonValue:
    params = call.get("params")
    return {
        "jsonrpc": "2.0",
        "id": call["id"],
        "result": _result(str(call["method"]), params if isinstance(params, dict) else {}),
    }


def _result(method: str, params: dict[str, JsonValue]) -> JsonValue:
    match method:
        case "initialize":
            return _initialized(params)
        case "tools/call":
            return _called(params)
        case "prompts/get":
            return {"messages": []}
        case _ if method in _EMPTY:
            return dict(_EMPTY[method])
        case _:
            return {"sandbox": True, "method": method, "params": params}


def _initialized(params: dict[str, JsonValue]) -> JsonValue:
    version = params.get("protocolVersion")
    return {
        "protocolVersion": version if isinstance(version, str) else VERSION,
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "outgate-sandbox", "version": "1"},
        "instructions": "This is a sandbox: what is called here is answered and not done.",
    }


def _called(params: dict[str, JsonValue]) -> JsonValue:
    asked = json.dumps(params.get("arguments", {}), ensure_ascii=False)
    name = params.get("name")
    text = f"This is a sandbox: {name if isinstance(name, str) else 'the tool'} was accepted and not done. Arguments: {asked}"
    return {"content": [{"type": "text", "text": text}], "isError": False}
