"""Arguments of GraphQL fields: the values that rules can read, and what a field is done to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.arguments import LONGEST, Arguments
from outgate.actions.protocols.graphql_document import Doubtful, resolved
from outgate.actions.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param as Value
    from outgate.actions.operation import Source
    from outgate.actions.protocols.graphql_document import Given
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

_MOST = 48
_DEEPEST = 3
_PAGES = frozenset({"first", "last"})
"""How many are asked for, as Relay's connections say it: `limit` everywhere else."""
_KINDS = {bool: "bool", int: "int", str: "string", tuple: "list"}


def said(
    arguments: Mapping[str, Given], variables: Mapping[str, JsonValue], defaults: Mapping[str, Given]
) -> dict[str, JsonValue] | None:
    """Give the arguments of a field with its variables put in; None where something is said twice."""
    made: dict[str, JsonValue] = {}
    for name, given in arguments.items():
        value = resolved(given, variables, defaults)
        if isinstance(value, Doubtful):
            return None
        made[name] = value
    return made


class FieldArguments(Arguments):
    """The arguments of one field, read like those of a request: what names a place says where in them."""

    def __init__(self, request: Request, given: Mapping[str, JsonValue]) -> None:
        super().__init__(request)
        self._given = dict(given)

    def values(self, source: Source) -> list[JsonValue]:
        return list(_walk(self._given, source.path))


def _walk(value: JsonValue, path: tuple[str, ...]) -> Iterator[JsonValue]:
    if not path:
        yield value
    elif path[0] == "*" and isinstance(value, list):
        for item in value:
            yield from _walk(item, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def free(given: Mapping[str, JsonValue]) -> dict[str, Value]:
    """The plain values in arguments that nobody has listed, by the last word of where they stand: none that stands twice."""
    found: dict[str, Value] = {}
    twice = set[str]()
    for name, value in _plain(given):
        if (wanted := VOCABULARY.get(name)) is not None and wanted != _KINDS[type(value)]:
            continue
        if name in found and found[name] != value:
            twice.add(name)
        found[name] = value
        if len(found) >= _MOST:
            break
    return {name: value for name, value in found.items() if name not in twice}


def _plain(given: Mapping[str, JsonValue]) -> Iterator[tuple[str, Value]]:
    level: list[Mapping[str, JsonValue]] = [given]
    for _ in range(_DEEPEST):
        for name, value in (pair for inside in level for pair in inside.items()):
            if isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= LONGEST):
                yield ("limit" if name in _PAGES and isinstance(value, int) else name), value
            elif isinstance(value, list) and value:
                texts = tuple(item for item in value if isinstance(item, str) and len(item) <= LONGEST)
                if len(texts) == len(value):
                    yield name, texts
        level = [value for inside in level for value in inside.values() if isinstance(value, dict)]


def resource_of(params: Mapping[str, Value]) -> str:
    """What a field is done to, as far as its arguments say: `owner/name`, else the first thing that they identify."""
    owner, name = params.get("owner"), params.get("name")
    if isinstance(owner, str) and isinstance(name, str) and owner and name:
        found = f"{owner}/{name}"
    else:
        found = next((v for k, v in params.items() if isinstance(v, str) and (k == "id" or k.endswith(("Id", "_id")))), "")
    return found if found.isprintable() else ""
