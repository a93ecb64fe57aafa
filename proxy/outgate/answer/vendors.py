"""JSON errors as a vendor's own clients read them, where problem details are not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.answer.ask import accepts, header, is_under
from outgate.answer.problem import encode, members
from outgate.answer.reply import Reply
from outgate.answer.words import retry_soon

if TYPE_CHECKING:
    from collections.abc import Callable

    from outgate.answer.reply import Refusal
    from outgate.digest import Json
    from outgate.intake.request import Request

_ANTHROPIC = {400: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 502: "api_error", 503: "api_error"}
_GOOGLE = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 502: "UNAVAILABLE", 503: "INTERNAL"}

_ELASTIC = ("elastic.cloud", "found.io", "cloud.es.io", "elastic-cloud.com")


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where problem details serve: GitHub, OpenAI, Kubernetes and most others read those."""
    if is_under(request.host, "stripe.com"):
        return _reply(refusal, _stripe(refusal), *_stripe_retries(refusal))
    body = next((body for is_theirs, body in _FORMS if is_theirs(request)), None)
    return None if body is None else _reply(refusal, body(refusal))


def _anthropic(refusal: Refusal) -> dict[str, Json]:
    kind = _ANTHROPIC.get(refusal.status, "permission_error")
    return {"type": "error", "error": {"type": kind, "message": refusal.tell}, "request_id": refusal.receipt, **_about(refusal)}


def _google(refusal: Refusal) -> dict[str, Json]:
    status = _GOOGLE.get(refusal.status, "PERMISSION_DENIED")
    return {"error": {"code": refusal.status, "message": refusal.tell, "status": status}, **_about(refusal)}


def _elastic(refusal: Refusal) -> dict[str, Json]:
    """Its clients, and those of OpenSearch, show the root cause alone."""
    cause: dict[str, Json] = {"type": refusal.kind.replace("-", "_"), "reason": refusal.tell}
    return {"error": {**cause, "root_cause": [cause]}, "status": refusal.status, **_about(refusal)}


def _slack(refusal: Refusal) -> dict[str, Json]:
    return {"ok": False, "error": refusal.kind.replace("-", "_"), "message": refusal.tell, **_about(refusal)}


def _npm(refusal: Refusal) -> dict[str, Json]:
    return {"error": refusal.tell, "message": refusal.tell, **_about(refusal)}


def _stripe(refusal: Refusal) -> dict[str, Json]:
    error: dict[str, Json] = {"type": "invalid_request_error", "code": refusal.kind, "message": refusal.tell}
    return {"error": error, **_about(refusal)}


def _is_anthropic(request: Request) -> bool:
    return is_under(request.host, "anthropic.com") or bool(header(request, "anthropic-version"))


def _is_google(request: Request) -> bool:
    return is_under(request.host, "googleapis.com")


def _is_slack(request: Request) -> bool:
    return is_under(request.host, "slack.com")


def _is_elastic(request: Request) -> bool:
    """Elastic's own hosts, and a cluster of one's own by its client."""
    by_client = header(request, "x-elastic-client-meta") or header(request, "user-agent").startswith("opensearch-")
    return bool(by_client) or is_under(request.host, *_ELASTIC)


def _is_npm(request: Request) -> bool:
    """npm, pnpm and yarn, at a registry of one's own too."""
    if is_under(request.host, "registry.npmjs.org", "registry.yarnpkg.com"):
        return True
    agent = header(request, "user-agent")
    return agent.startswith(("npm/", "pnpm/", "yarn/")) or "application/vnd.npm.install-v1+json" in accepts(request)


def _stripe_retries(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    return () if retry_soon(refusal) else (("Stripe-Should-Retry", "false"),)


def _about(refusal: Refusal) -> dict[str, Json]:
    return {"outgate": members(refusal)}


def _reply(refusal: Refusal, body: dict[str, Json], *headers: tuple[str, str]) -> Reply:
    return Reply(status=refusal.status, headers=(("Content-Type", "application/json"), *headers), body=encode(body))


_FORMS: tuple[tuple[Callable[[Request], bool], Callable[[Refusal], dict[str, Json]]], ...] = (
    (_is_anthropic, _anthropic),
    (_is_google, _google),
    (_is_slack, _slack),
    (_is_npm, _npm),
    (_is_elastic, _elastic),
)
