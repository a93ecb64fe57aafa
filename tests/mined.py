"""A part as it is mined, small, for tests: packed as `rules/services/mined` has it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from outgate.actions.mined import Mined, Part
from outgate.actions.router import plant, variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

type Written = tuple[str, str, str, str, str, list[str]]
"""Name, method, template, level, marks, params."""


def packed(service: str, operations: Iterable[Written], *, part: str = "", meta: Mapping[str, Any] | None = None) -> bytes:
    paths: dict[str, Any] = {}
    listed = []
    for index, (name, method, template, level, marks, params) in enumerate(operations):
        plant(paths, method, template, index)
        listed.append([name, level, marks, list(variables(template)), params])
    said = {"outgate": "mined/v1", "service": service, "part": part, "operations": listed, "paths": paths, "meta": meta or {}}
    return gzip.compress(json.dumps(said).encode(), mtime=0)


def mined(service: str, *operations: Written) -> Mined:
    return Mined((Part(service, "", packed(service, operations), f"{service}.json.gz"),))
