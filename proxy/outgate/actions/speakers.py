"""Speakers: the protocols that hosts speak, each of which says what a request in it does."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.actions.catalog import Catalog
    from outgate.actions.operation import Operation
    from outgate.actions.service import Service
    from outgate.intake.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A protocol.

    `identify` gives every action of a request; none says that the request is not in this protocol: then method and path count.
    `wants_body` says from the head alone whether `identify` must see the body. `operations` are those that no file lists.
    """

    name: str
    wants_body: Callable[[Request, Service, Catalog], bool]
    identify: Callable[[Request, Service, Catalog], tuple[Action, ...]]
    operations: Callable[[str], tuple[Operation, ...]]
    """Of a service by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesser:
    """A protocol as it is recognised at a host that nobody declared: all that it says is a guess."""

    name: str
    may_be: Callable[[Request], bool]
    """From the head alone: whether its body must be seen to know."""
    identify: Callable[[Request], tuple[Action, ...]]


SPEAKERS: Mapping[str, Speaker] = MappingProxyType({})
"""By the name that `speaks:` says. `rest`, `git` and `mcp` are known to `identify.py` itself."""

GUESSERS: tuple[Guesser, ...] = ()
"""In the order in which they are asked."""


def unreadable(service: str, resource: str, why: str) -> Action:
    """Give what a request is that its protocol can't be read from: never a read."""
    return Action(
        service=service,
        operation="unreadable",
        resource=resource,
        access=Access.UNKNOWN,
        tier=Tier.T2,
        confidence=Confidence.UNKNOWN,
        why=why,
        evidence=(f"services/{service}",),
    )
