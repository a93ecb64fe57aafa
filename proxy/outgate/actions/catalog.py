"""What we know about services: which request is which operation, its access and tier."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from outgate.actions.action import Access, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

type Kind = Literal["string", "int", "bool", "money", "list"]
"""What a parameter is; one name has one kind in the whole catalog, so that `params.amount` always means the same type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a service can do. `name` may end in `*`: the rest is chosen by the request (`mcp.tools/call:*`)."""

    service: str
    operation: str
    access: Access
    tier: Tier
    params: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    why: str = ""

    @property
    def name(self) -> str:
        """`service.operation`, as rules say it."""
        return f"{self.service}.{self.operation}"


GENERIC = (
    *(Operation(service="http", operation=m, access=Access.READ, tier=Tier.T0) for m in ("GET", "HEAD", "OPTIONS")),
    *(Operation(service="http", operation=m, access=Access.UNKNOWN, tier=Tier.T2) for m in ("POST", "PUT", "PATCH", "DELETE")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything that is known, from all service files."""

    def services(self) -> tuple[str, ...]:
        """Names of services, sorted. `http` is what no service file knows."""
        return tuple(sorted({o.service for o in self.operations()}))

    def operations(self) -> tuple[Operation, ...]:
        """Every operation."""
        return GENERIC

    def params(self) -> Mapping[str, Kind]:
        """Every parameter that some operation has, and its kind."""
        return {name: kind for o in self.operations() for name, kind in o.params.items()}
