"""JSON errors as a vendor's own clients read them, where problem details are not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.answer.ask import accepts, header, is_under
from outgate.answer.problem import encode, members
from outgate.answer.reply import Reply
from outgate.answer.words import retry_soon

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.digest import Json
    from outgate.intake.request import Request

_ANTHROPIC = {400: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 502: "api_error", 503: "api_error"}
_GOOGLE = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 502: "UNAVAILABLE", 503: "INTERNAL"}


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where problem details serve: GitHub, OpenAI, Stripe and most others read those."""
    host = request.host
    if is_under(host, "anthropic.com") or header(request, "anthropic-version"):
        return _reply(refusal, _anthropic(refusal))
    if is_under(host, "googleapis.com"):
        return _reply(refusal, _google(refusal))
    if is_under(host, "slack.com"):
        return _reply(refusal, {"ok": False, "error": refusal.kind.replace("-", "_"), "message": refusal.tell, **_about(refusal)})
    if is_under(host, "registry.npmjs.org", "registry.yarnpkg.com") or _is_npm(request):
        return _reply(refusal, {"error": refusal.tell, "message": refusal.tell, **_about(refusal)})
    if is_under(host, "stripe.com"):
        error: dict[str, Json] = {"type": "invalid_request_error", "code": refusal.kind, "message": refusal.tell}
        return _reply(refusal, {"error": error, **_about(refusal)}, *_stripe_retries(refusal))
    return None


def _anthropic(refusal: Refusal) -> dict[str, Json]:
    kind = _ANTHROPIC.get(refusal.status, "permission_error")
    return {"type": "error", "error": {"type": kind, "message": refusal.tell}, "request_id": refusal.receipt, **_about(refusal)}


def _google(refusal: Refusal) -> dict[str, Json]:
    status = _GOOGLE.get(refusal.status, "PERMISSION_DENIED")
    return {"error": {"code": refusal.status, "message": refusal.tell, "status": status}, **_about(refusal)}


def _is_npm(request: Request) -> bool:
    """npm, pnpm and yarn, at a registry of one's own."""
    agent = header(request, "user-agent")
    return agent.startswith(("npm/", "pnpm/", "yarn/")) or "application/vnd.npm.install-v1+json" in accepts(request)


def _stripe_retries(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    return () if retry_soon(refusal) else (("Stripe-Should-Retry", "false"),)


def _about(refusal: Refusal) -> dict[str, Json]:
    return {"outgate": members(refusal)}


def _reply(refusal: Refusal, body: dict[str, Json], *headers: tuple[str, str]) -> Reply:
    return Reply(status=refusal.status, headers=(("Content-Type", "application/json"), *headers), body=encode(body))
