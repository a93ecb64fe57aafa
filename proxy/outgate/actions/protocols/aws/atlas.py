"""Atlas: which services AWS has, how names of their hosts begin, and what requests to them are signed for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.mined import Part
    from outgate.actions.protocols.aws.hosts import Endpoint
    from outgate.actions.service import Service

INDEX = ""
"""The part that names the others."""
_KEY = "aws"
_HOSTS_AT_HAND = 1024


@dataclass(frozen=True, slots=True)
class Atlas:
    """What the index says. `by_prefix` gives the parts of a host whose name begins so, the one that is called so first."""

    suffixes: tuple[str, ...]
    by_prefix: Mapping[str, tuple[str, ...]]
    signing: Mapping[str, frozenset[str]]
    protocols: Mapping[str, frozenset[str]]
    parts: Mapping[str, Part]
    places: dict[str, dict[str, int]] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    def place(self, part: Part, operation: str) -> int | None:
        """Give where an operation stands in its part, by its name without the part's."""
        known = self.places.get(part.name)
        if known is None:
            cut = len(part.name) + 1
            known = self.places[part.name] = {fact.name[cut:]: at for at, fact in enumerate(part.facts)}
        return known.get(operation)

    def keep(self, host: str, endpoint: Endpoint) -> Endpoint:
        """Remember what a name was read as."""
        if len(self.endpoints) >= _HOSTS_AT_HAND:
            self.endpoints.clear()
        self.endpoints[host] = endpoint
        return endpoint


def atlas_of(service: Service) -> Atlas | None:
    """Give the atlas of a service; None where nothing was mined."""
    known: Atlas | None = service.at_hand.get(_KEY)
    if known is None and (index := service.mined.by_name.get(INDEX)) is not None and "services" in index.meta:
        known = service.at_hand[_KEY] = _made(index, service)
    return known


def _made(index: Part, service: Service) -> Atlas:
    parts: dict[str, list[str]] = defaultdict(list)
    services: Mapping[str, tuple[list[str], list[str], list[str]]] = index.meta["services"]
    for name, (prefixes, _, _) in services.items():
        for prefix in prefixes:
            parts[prefix].append(name)
    return Atlas(
        suffixes=tuple(sorted((f".{suffix}" for suffix in index.meta["suffixes"]), key=len, reverse=True)),
        by_prefix={prefix: tuple(sorted(names, key=lambda name: (name != prefix, name))) for prefix, names in parts.items()},
        signing={name: frozenset(said[1]) for name, said in services.items()},
        protocols={name: frozenset(said[2]) for name, said in services.items()},
        parts=service.mined.by_name,
    )
