"""A guess: what a protocol says of a request to a host that nobody declared, where it may mean anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Confidence, Tier
from outgate.intake.request import NoBody

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.intake.request import Request

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def guessed(action: Action, request: Request, protocol: str) -> Action:
    """Weigh an action as a guess: it is a read only where the method is one as well, and nothing comes with it."""
    if action.confidence is Confidence.UNKNOWN:
        return action
    reads = request.method in _READING and isinstance(request.body, NoBody) and not request.websocket
    doubt = action.access.only_reads and not reads
    return replace(
        action,
        access=Access.UNKNOWN if doubt else action.access,
        tier=max(action.tier, Tier.T2) if doubt else action.tier,
        confidence=Confidence.HEURISTIC,
        evidence=(*action.evidence, f"no service file says that this host speaks {protocol}"),
    )
