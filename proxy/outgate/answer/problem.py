"""Problem details (RFC 9457), readable by clients that know only `message` or `error.message` too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal

TYPE = "http://outgate.internal/problems/"


def render(refusal: Refusal) -> tuple[str, bytes]:
    """Give the media type and the body."""
    body = {
        "type": TYPE + refusal.kind,
        "title": refusal.kind.replace("-", " ").capitalize(),
        "status": refusal.status,
        "detail": refusal.tell,
        "message": refusal.tell,
        "error": {"type": refusal.kind.replace("-", "_"), "message": refusal.tell},
    }
    return "application/problem+json", json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
