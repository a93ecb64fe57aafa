"""Fields of an operation: what its query, its headers and its body may say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from outgate.actions.openapi.references import Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.openapi.references import Reading
    from outgate.document import Path

type Place = Literal["query", "header", "path", "form", "json", "args"]

MOST_SCHEMAS = 200
"""Schemas that one is put together of, all told: more are more than stand in each other."""
MOST = 400
"""Fields of one body."""
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a request may say. `type` is JSON Schema's; `items` that of a list's items."""

    place: Place
    name: str
    type: str = ""
    items: str = ""
    required: bool = False
    enum: tuple[str, ...] = ()
    format: str = ""
    description: str = ""


def fields_of(reading: Reading, item: Spot, operation: Spot) -> tuple[Field, ...]:
    """Give every field; an operation's own parameter stands for the path's one of the same name and place."""
    parameters = [*reading.items(reading.inside(item, "parameters")), *reading.items(reading.inside(operation, "parameters"))]
    told: dict[tuple[str, str], Field] = {}
    bodies: list[Field] = []
    for one in parameters:
        if not isinstance(one.value, dict):
            continue
        name, place = one.value.get("name"), one.value.get("in")
        if place == "body":
            bodies.extend(_properties(reading, reading.inside(one, "schema"), "json"))
        elif not isinstance(name, str) or not isinstance(place, str):
            reading.fault(one.path, "a parameter has a `name`, and says where it is with `in`")
        elif field := _parameter(reading, one, name, place):
            told[place, name] = field
    return (*told.values(), *bodies, *_body(reading, reading.inside(operation, "requestBody")))


def _parameter(reading: Reading, at: Spot, name: str, place: str) -> Field | None:
    """A parameter has a schema, or in Swagger 2.0 is one itself."""
    schema = reading.inside(at, "schema") if "schema" in at.value else at
    required = at.value.get("required") is True
    match place:
        case "query" | "header" | "path":
            return replace(_field(reading, schema, name, place), required=required)
        case "formData":
            return replace(_field(reading, schema, name, "form"), required=required)
        case "cookie":
            return None
        case _:
            reading.fault((*at.path, "in"), f"a parameter is in path, query, header or cookie, not in '{place}'")
            return None


def _body(reading: Reading, at: Spot) -> tuple[Field, ...]:
    """Fields of a body that may come as JSON, as a form, or as either."""
    found: dict[str, list[Field]] = {}
    for kind, media in reading.members(reading.inside(at, "content")):
        plain = kind.partition(";")[0].strip().lower()
        place: Place | None = "form" if plain in _FORMS else "json" if plain == "*/*" or plain.endswith("json") else None
        if place is not None and place not in found:
            found[place] = list(_properties(reading, reading.inside(media, "schema"), place))
    if len(found) < 2:
        return tuple(field for fields in found.values() for field in fields)
    both = {field.name for field in found["json"]} & {field.name for field in found["form"]}
    return tuple(replace(field, place="args") for field in found["json"] if field.name in both)


def _properties(reading: Reading, schema: Spot, place: Place) -> Iterator[Field]:
    made: dict[str, Field] = {}
    for name, spot, required in _walk(reading, schema, set()):
        if len(made) >= MOST:
            reading.note(schema.path, f"this body has more than {MOST} fields; the others are not read")
            break
        field = replace(_field(reading, spot, name, place), required=required)
        known = made.setdefault(name, field)
        if known.type != field.type:
            made[name] = replace(known, type="")
    yield from made.values()


def _walk(reading: Reading, schema: Spot, seen: set[Path]) -> Iterator[tuple[str, Spot, bool]]:
    """Properties of a schema and of those that it is put together of, whichever of them holds: each schema once."""
    if not isinstance(schema.value, dict) or schema.path in seen or len(seen) >= MOST_SCHEMAS:
        return
    seen.add(schema.path)
    required = schema.value.get("required")
    must = required if isinstance(required, list) else []
    for name, spot in reading.members(reading.inside(schema, "properties")):
        yield name, spot, name in must
    for key in ("allOf", "oneOf", "anyOf"):
        for one in reading.items(reading.inside(schema, key)):
            yield from _walk(reading, one, seen)


def _field(reading: Reading, schema: Spot, name: str, place: Place) -> Field:
    said = _one_of(reading, schema, set())
    items = reading.inside(said, "items") if isinstance(said.value, dict) and _type(said.value) == "array" else Spot(None, ())
    table: dict[str, Any] = said.value if isinstance(said.value, dict) else {}
    enum = table.get("enum")
    return Field(
        place=place,
        name=name,
        type=_type(table),
        items=_type(items.value) if isinstance(items.value, dict) else "",
        enum=tuple(one for one in enum if isinstance(one, str)) if isinstance(enum, list) else (),
        format=str(table.get("format", "")),
        description=str(table.get("description", "")),
    )


def _one_of(reading: Reading, schema: Spot, seen: set[Path]) -> Spot:
    """The one schema that several say together, where they say one type: a thing, or null."""
    if not isinstance(schema.value, dict) or _type(schema.value) or schema.path in seen or len(seen) >= MOST_SCHEMAS:
        return schema
    seen.add(schema.path)
    for key in ("allOf", "oneOf", "anyOf"):
        options = [_one_of(reading, one, seen) for one in reading.items(reading.inside(schema, key))]
        typed = [one for one in options if isinstance(one.value, dict) and _type(one.value) not in {"", "null"}]
        if len({_type(one.value) for one in typed}) == 1:
            return typed[0]
    return schema


def _type(schema: dict[str, Any]) -> str:
    said = schema.get("type")
    if isinstance(said, list):
        others = [one for one in said if one != "null"]
        return str(others[0]) if len(others) == 1 else ""
    if isinstance(said, str):
        return said
    return "object" if "properties" in schema else "string" if isinstance(schema.get("enum"), list) else ""
