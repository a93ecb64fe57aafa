"""What does a request do? Request in, one or more actions out; never none, never an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier

if TYPE_CHECKING:
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Request

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def identify(request: Request, catalog: Catalog) -> tuple[Action, ...]:  # noqa: ARG001
    """Give every action of a request, at least one. Total: what can't be understood is an action too."""
    reads = request.method in _READS
    return (
        Action(
            service="http",
            operation=request.method,
            resource=f"{request.authority}{request.path}",
            access=Access.READ if reads else Access.UNKNOWN,
            tier=Tier.T0 if reads else Tier.T2,
            confidence=Confidence.HEURISTIC,
            why="no service file knows this host",
            evidence=("http",),
        ),
    )


def wants_body(request: Request, catalog: Catalog) -> bool:  # noqa: ARG001
    """Whether `identify` must see the body to say what the request does."""
    return False
