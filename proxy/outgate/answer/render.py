"""Render: a refusal in the words of the protocol that asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.answer import problem
from outgate.answer.reply import Reply
from outgate.intake.request import Request, Unreadable

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal


def render(refusal: Refusal, reading: Request | Unreadable) -> Reply:
    """Give the whole response. Total: every refusal reads in some form, whatever was asked."""
    kind, body = problem.render(refusal)
    headers = (("Content-Type", kind), *_headers(refusal))
    silent = isinstance(reading, Request) and reading.method == "HEAD"
    return Reply(status=refusal.status, headers=headers, body=b"" if silent else body)


def _headers(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    said = [("Cache-Control", "no-store"), ("Outgate-Decision", refusal.answer)]
    if refusal.receipt:
        said.append(("Outgate-Receipt", refusal.receipt))
    if refusal.answer != "throttle":
        said.append(("x-should-retry", "false"))
    return tuple(said)
