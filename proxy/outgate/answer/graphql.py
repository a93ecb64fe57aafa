"""GraphQL: a request error, in `errors` (GraphQL over HTTP, "Status Codes")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.answer.ask import accepts, media
from outgate.answer.problem import encode, members
from outgate.answer.reply import Reply

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.intake.request import Request

_OWN_KIND = "application/graphql-response+json"


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where the request does not look like GraphQL."""
    own = _OWN_KIND in accepts(request)
    if not (own or media(request) == "application/graphql" or request.path.rstrip("/").endswith("/graphql")):
        return None
    code = refusal.kind.replace("-", "_").upper()
    body = encode({"errors": [{"message": refusal.tell, "extensions": {"code": code, **members(refusal)}}]})
    kind = _OWN_KIND if own else "application/json"
    return Reply(status=refusal.status, headers=(("Content-Type", kind),), body=body)
