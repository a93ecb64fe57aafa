"""Render: a refusal in the words of the protocol that asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.answer import aws, git, graphql, grpc, jsonrpc, problem, vendors
from outgate.answer.reply import Reply
from outgate.answer.words import phrase, retry_soon, safe, seconds
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
        reason=phrase(said) if form.status >= 400 else "",
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
    if not retry_soon(refusal):
        said.append(("x-should-retry", "false"))
    if (after := seconds(refusal)) is not None:
        said.append(("Retry-After", str(after)))
    if refusal.approval is not None:
        said.append(("Outgate-Approval", refusal.approval.id))
    if refusal.status == 407:
        said.append(("Proxy-Authenticate", 'Basic realm="outgate"'))
    return (*said, *_limits(refusal))


def _limits(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    """draft-ietf-httpapi-ratelimit-headers, sections 3 and 4: lists of strings with parameters (RFC 9651)."""
    if not refusal.limits:
        return ()
    policies = ", ".join(f'"{one.name}";q={one.quota};w={one.window}' for one in refusal.limits)
    states = ", ".join(f'"{one.name}";r={one.left};t={one.reset}' for one in refusal.limits)
    return ("RateLimit-Policy", policies), ("RateLimit", states)
