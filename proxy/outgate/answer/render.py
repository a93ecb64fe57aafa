"""Render: a refusal in the words of the protocol that asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from outgate.answer import aws, git, graphql, grpc, jsonrpc, problem, vendors
from outgate.answer.reply import Reply
from outgate.answer.words import phrase, safe
from outgate.intake.request import Request, Unreadable

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal

_FORMS = (grpc.render, git.render, jsonrpc.render, graphql.render, aws.render, vendors.render)


def render(refusal: Refusal, reading: Request | Unreadable) -> Reply:
    """Give the whole response. Total: every refusal reads in some form, whatever was asked.

    The plane drops the body where an unreadable head was that of a HEAD request.
    """
    said = safe(refusal)
    form = _form(said, reading)
    silent = isinstance(reading, Request) and reading.method == "HEAD"
    return Reply(
        status=form.status,
        headers=(*form.headers, *_headers(said)),
        body=b"" if silent else form.body,
        reason=phrase(said.tell) if form.status >= 400 else "",
    )


def _form(refusal: Refusal, reading: Request | Unreadable) -> Reply:
    if isinstance(reading, Request):
        for form in _FORMS:
            if (reply := form(refusal, reading)) is not None:
                return reply
    return problem.render(refusal, reading)


def _headers(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    said = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Outgate-Decision", refusal.answer)]
    if refusal.receipt:
        said.append(("Outgate-Receipt", refusal.receipt))
    if refusal.answer != "throttle":
        said.append(("x-should-retry", "false"))
    if refusal.retry_after is not None and refusal.answer in {"throttle", "escalate"}:
        said.append(("Retry-After", str(max(1, math.ceil(refusal.retry_after.total_seconds())))))
    if refusal.status == 407:
        said.append(("Proxy-Authenticate", 'Basic realm="outgate"'))
    return tuple(said)
