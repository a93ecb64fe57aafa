"""Hosted: what customers run at AWS under names of AWS's. What is done there is theirs, so that only the method speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.access import access_of
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments
from outgate.actions.languages import LANGUAGES, Envelope
from outgate.actions.operation import Told
from outgate.actions.paths import readable
from outgate.actions.unreadable import unreadable
from outgate.intake.request import NoBody, WholeBody

if TYPE_CHECKING:
    from outgate.actions.protocols.aws.asked import Pairs
    from outgate.actions.protocols.aws.hosts import Endpoint
    from outgate.actions.service import Service
    from outgate.intake.request import Request

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MILD = frozenset({Access.READ, Access.LIST, Access.UNKNOWN})


def actions(request: Request, service: Service, endpoint: Endpoint, query: Pairs) -> tuple[Action, ...]:
    """Give what a request does: AppSync speaks GraphQL, of all else only the method is known."""
    action = _guessed(request, service, endpoint, query)
    if not is_graphql(request, endpoint):
        return (action,)
    said = Envelope(
        action=action,
        request=request,
        arguments=Arguments(request),
        told=Told(language="graphql"),
        service=service,
        inner=lambda inner: (unreadable(service.name, inner.host, "a request inside of a request to AppSync"),),
    )
    return LANGUAGES["graphql"].read(said)


def is_graphql(request: Request, endpoint: Endpoint) -> bool:
    """Whether it is for an API that AppSync runs."""
    return endpoint.name == "appsync-api" and not request.websocket and request.method in {"GET", "POST"}


def _guessed(request: Request, service: Service, endpoint: Endpoint, query: Pairs) -> Action:
    """A guess, and no read where a body comes with it or a field of the query names a deed."""
    reads = request.method in _READS and not request.websocket and not _has_body(request) and not any(map(_deed, query))
    method = "WEBSOCKET" if request.websocket else request.method
    return Action(
        service=service.name,
        operation=f"{endpoint.name}.{method}",
        resource=f"{request.host}/{readable(request.path[1:])}",
        instance=f"account:{endpoint.account}" if endpoint.account else "",
        access=Access.READ if reads else Access.UNKNOWN,
        tier=Tier.T0 if reads else Tier.T2,
        params={"region": endpoint.region} if endpoint.region else {},
        confidence=Confidence.HEURISTIC,
        why="the method alone says so" if reads else "nothing says what it does",
        evidence=("host", "method"),
    )


def _has_body(request: Request) -> bool:
    match request.body:
        case NoBody():
            return False
        case WholeBody(content):
            return bool(content)
        case _:
            return True


def _deed(field: tuple[str, str]) -> bool:
    return any(access_of(text[:64])[0] not in _MILD for text in field)
