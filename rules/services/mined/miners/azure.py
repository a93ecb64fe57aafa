"""Azure Resource Manager: the spelling of its providers, types and actions. What they are follows from the path by itself."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from fetch import members
from outgate.actions.protocols.azure_names import classified, named
from write import Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_METHODS = ("get", "put", "post", "delete", "patch", "head")


def mine(archive: Path) -> Iterable[Part]:
    """Servers take names in any case: of several spellings the one that most descriptions have."""
    spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for _, content in members(archive, r"package/api/azure\.com/[^/]+\.json"):
        for name in _names(json.loads(content).get("paths", {})):
            spelled[name.lower()][name] += 1
    found = sorted(max(sorted(spellings), key=spellings.__getitem__) for spellings in spelled.values())
    yield Part(service="azure", operations=tuple(_operation(name) for name in found))


def _names(paths: dict[str, dict[str, object]]) -> Iterator[str]:
    for path, operations in paths.items():
        plain = re.sub(
            r"\{(?:scope|resourceId|resourceUri|resourceScope)\}", "subscriptions/x/resourceGroups/x", path.partition("?")[0]
        )
        segments = [re.sub(r"^\{.*\}$", "{}", segment) for segment in plain.split("/") if segment]
        for method in _METHODS:
            found = named(method.upper(), segments) if method in operations else None
            if found is not None and "{" not in found.name:
                yield found.name


def _operation(name: str) -> Mined:
    level, marks = classified(name)
    return Mined(name=name, level=level, marks=marks)  # type: ignore[arg-type]  # one of the letters
