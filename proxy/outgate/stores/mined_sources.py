"""What the mined part of the catalog was mined of: packages with their versions and licences."""

from __future__ import annotations

import json
from dataclasses import dataclass

from outgate.stores.catalog_files import SOURCES
from outgate.stores.shipped import shipped
from outgate.stores.texts import text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedOf:
    """A package, and how many operations of one service came of it."""

    package: str
    registry: str
    version: str
    licence: str
    operations: int


def mined_of(service: str) -> tuple[MinedOf, ...]:
    """Name the packages that a service was mined of."""
    found = json.loads(text_of(shipped("rules", "services", "mined", SOURCES)))["sources"]
    return tuple(
        MinedOf(
            package=one["package"],
            registry=one["registry"],
            version=one["version"],
            licence=one["licence"],
            operations=one["services"][service],
        )
        for one in found
        if service in one["services"]
    )
