"""Problem details (RFC 9457), readable too by clients that look for `message` or `error.message`."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

from outgate.answer.ask import accepts
from outgate.answer.reply import Reply
from outgate.answer.words import seconds

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.digest import Json
    from outgate.intake.request import Request, Unreadable

_TYPE = "http://outgate.internal/problems/"
"""Under a name that nobody outside can own: an address in a refusal is one that an agent may follow."""

_TITLES = {
    "blocked": "Blocked by policy",
    "approval-required": "Approval required",
    "over-limit": "Over a limit",
    "sandbox-only": "Allowed in the sandbox only",
    "unreadable": "Not one request in one reading",
    "destination": "Destination refused",
    "upstream": "Upstream not reached",
    "agent": "Agent not known",
    "halted": "Halted",
    "approval-denied": "A person said no",
    "withheld": "Carried out, and its answer withheld",
    "cannot-decide": "Could not be decided",
}


def title(refusal: Refusal) -> str:
    """The same words for the same kind, as RFC 9457 asks."""
    return _TITLES.get(refusal.kind) or refusal.kind.replace("-", " ").capitalize()


def members(refusal: Refusal) -> dict[str, Json]:
    """The registered members, and ours."""
    said: dict[str, Json] = {
        "type": _TYPE + refusal.kind,
        "title": title(refusal),
        "status": refusal.status,
        "detail": refusal.tell,
        "decision": refusal.answer,
    }
    if refusal.receipt:
        said["receipt"] = refusal.receipt
    if refusal.actions:
        said["actions"] = refusal.actions
    if (after := seconds(refusal)) is not None:
        said["retry_after"] = after
    if (asked := refusal.approval) is not None:
        said |= {"approval_id": asked.id, "status_url": asked.status_url, "expires_at": asked.expires}
    if refusal.limits:
        said["limits"] = [
            {"name": one.name, "quota": one.quota, "window": one.window, "remaining": one.left, "reset": one.reset}
            for one in refusal.limits
        ]
    return said


def encode(body: Json) -> bytes:
    """ASCII JSON: whatever is in it, it can be written, and no reader takes it for markup in another charset."""
    return json.dumps(body, separators=(",", ":")).replace("<", "\\u003c").encode("ascii")


def render(refusal: Refusal, reading: Request | Unreadable) -> Reply:
    """The form for everybody whose protocol has none: JSON, unless the client asks for text or a page alone."""
    for wanted in accepts(reading):
        match wanted:
            case "application/problem+json" | "application/*" | "*/*":
                break
            case "text/html" | "application/xhtml+xml":
                return _reply(refusal, "text/html; charset=utf-8", _page(refusal))
            case "text/plain" | "text/markdown" | "text/*":
                return plain(refusal)
            case json_like if json_like.endswith(("/json", "+json")):
                return _reply(refusal, "application/json", _json(refusal))
            case _:
                continue
    return _reply(refusal, "application/problem+json", _json(refusal))


def plain(refusal: Refusal) -> Reply:
    """The sentence as text."""
    receipt = f"Receipt: {refusal.receipt}\n" if refusal.receipt else ""
    return _reply(refusal, "text/plain; charset=utf-8", f"{refusal.tell}\n{receipt}".encode())


def _json(refusal: Refusal) -> bytes:
    """`message`: GitHub and many more; `error`: OpenAI and those like it, Stripe, Google."""
    error: dict[str, Json] = {"message": refusal.tell, "type": refusal.kind, "code": refusal.kind, "param": None}
    return encode({**members(refusal), "message": refusal.tell, "error": error})


def _page(refusal: Refusal) -> bytes:
    head, tell, receipt = (html.escape(text) for text in (title(refusal), refusal.tell, refusal.receipt))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{head}</title>'
        f"<h1>{head}</h1><p>{tell}</p><p><small>Outgate {receipt}</small></p></html>\n"
    ).encode()


def _reply(refusal: Refusal, kind: str, body: bytes) -> Reply:
    return Reply(status=refusal.status, headers=(("Content-Type", kind),), body=body)
