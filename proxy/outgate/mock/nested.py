"""Forms with brackets, as JSON: `metadata[order]=1&items[0][price]=p` is what clients of such APIs mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.intake.bodies import JsonValue

DEEPEST = 8
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, JsonValue]:
    """Undo brackets. `a[]` and a name that comes again are a list; so is a table whose keys are 0, 1, 2 and so on."""
    made: dict[str, JsonValue] = {}
    for name, value in pairs:
        _put(made, _steps(name), value)
    return {name: _listed(value) for name, value in made.items()}


def _steps(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        return [name]
    steps = [match[1], *_PART.findall(match[2])]
    return steps if len(steps) <= DEEPEST else [name]


def _put(table: dict[str, JsonValue], steps: list[str], value: str) -> None:
    *around, last = steps
    for step in around:
        inner = table.setdefault(step or str(len(table)), {})
        if not isinstance(inner, dict):
            return  # the same name is a value and a table: the first holds
        table = inner
    last = last or (str(len(table)) if around else "")
    known = table.get(last)
    if last not in table:
        table[last] = value
    elif isinstance(known, list):
        known.append(value)
    elif isinstance(known, str):
        table[last] = [known, value]


def _listed(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(one) for name, one in value.items()}
    return list(inner.values()) if inner and list(inner) == [str(n) for n in range(len(inner))] else inner
