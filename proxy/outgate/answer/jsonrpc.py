"""JSON-RPC 2.0, and with it MCP: an error object for each request, with its id.

It goes out with 200, as JSON-RPC errors do: on a 403 MCP's Python client before 2.0 ends the whole session and shows nothing.
A notification awaits no answer, so its refusal is an HTTP status.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from outgate.answer.ask import content
from outgate.answer.problem import encode, members
from outgate.answer.reply import Reply

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.digest import Json
    from outgate.intake.request import Request

_LARGEST = 1 << 20
_BATCH = 100
_ID = 256


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where no call in the body awaits a JSON-RPC answer."""
    sent = _parsed(content(request))
    calls = sent[:_BATCH] if isinstance(sent, list) else [sent]
    answers = [_error(refusal, call["id"]) for call in calls if _awaits_answer(call)]
    if not answers:
        return None
    body: Json = answers if isinstance(sent, list) else answers[0]
    return Reply(status=200, headers=(("Content-Type", "application/json"),), body=encode(body))


def _parsed(body: bytes) -> Any:
    if len(body) > _LARGEST or b'"jsonrpc"' not in body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _awaits_answer(call: Any) -> bool:
    """A request, so neither a notification (no id) nor a response to the server (no method)."""
    return isinstance(call, dict) and call.get("jsonrpc") == "2.0" and "id" in call and isinstance(call.get("method"), str)


def _error(refusal: Refusal, asked: Any) -> dict[str, Json]:
    """The code is the HTTP status: JSON-RPC leaves to applications what is above -32768."""
    data = {name: value for name, value in members(refusal).items() if name != "actions"}
    return {"jsonrpc": "2.0", "id": _echoed(asked), "error": {"code": refusal.status, "message": refusal.tell, "data": data}}


def _echoed(asked: Any) -> Any:
    """An id as it came; null where no honest client would send one like it."""
    if isinstance(asked, str):
        return asked if len(asked) <= _ID else None
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        return None
    return asked if math.isfinite(asked) and abs(asked) < 1 << 64 else None
