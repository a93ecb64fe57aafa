"""A value of a schema: its example, its default, or one that is made up; the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.mock.names import uuid

if TYPE_CHECKING:
    from collections.abc import Callable

    from outgate.intake.bodies import JsonValue

type Schema = dict[str, JsonValue]

DEEPEST = 12
"""Levels of a made-up value: further in there is nothing more, so that what contains itself has an end."""
MOST_VALUES = 20_000
"""Values in one, all told."""
_FORMATS: dict[str, JsonValue] = {
    "date-time": "2026-01-31T08:00:00Z",
    "date": "2026-01-31",
    "time": "08:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "host.example.com",
    "idn-hostname": "host.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/",
    "iri": "https://example.com/",
    "uuid": uuid(bytes(32)),
    "byte": "c2FuZGJveA==",
    "binary": "",
    "password": "",
    "json-pointer": "",
    "regex": ".*",
}


@dataclass(slots=True)
class Maker:
    """Makes values up. `resolve` gives what a local `$ref` means, None where nothing does."""

    resolve: Callable[[str], JsonValue]
    left: int = MOST_VALUES

    def value(self, schema: JsonValue, level: int = 0) -> JsonValue:
        """Give a value that the schema allows, as far as it says what it allows in words that are understood here."""
        self.left -= 1
        found = self._followed(schema)
        if found is None or level > DEEPEST or self.left < 0:
            return None
        for key in ("example", "const", "default"):
            if key in found:
                return found[key]
        for key in ("examples", "enum"):
            listed = found.get(key)
            if isinstance(listed, list) and listed:
                return listed[0]
        for key in ("oneOf", "anyOf"):
            options = found.get(key)
            if isinstance(options, list) and options:
                return self.value(self._preferred(options), level)
        if isinstance(found.get("allOf"), list):
            return self._merged(found, level)
        return self._of_type(found, level)

    def _followed(self, schema: JsonValue) -> Schema | None:
        for _ in range(DEEPEST):
            if not isinstance(schema, dict):
                return {} if schema is True else None
            ref = schema.get("$ref")
            if not isinstance(ref, str):
                return schema
            schema = self.resolve(ref)
        return None

    def _preferred(self, options: list[JsonValue]) -> JsonValue:
        """The first that is more than null."""
        return next((one for one in options if not (isinstance(one, dict) and one.get("type") == "null")), options[0])

    def _merged(self, schema: Schema, level: int) -> JsonValue:
        parts = schema["allOf"] if isinstance(schema["allOf"], list) else []
        rest: Schema = {key: value for key, value in schema.items() if key != "allOf"}
        values = [self.value(part, level + 1) for part in parts]
        if rest.get("properties"):
            values.append(self.value(rest, level + 1))
        tables = [value for value in values if isinstance(value, dict)]
        if tables:
            return {key: value for table in tables for key, value in table.items()}
        return next((value for value in values if value is not None), None)

    def _of_type(self, schema: Schema, level: int) -> JsonValue:  # noqa: PLR0911  # one case a type
        match _type(schema):
            case "object":
                return self._table(schema, level)
            case "array":
                return self._list(schema, level)
            case "string":
                return _text(schema)
            case "integer":
                return int(_number(schema))
            case "number":
                return _number(schema)
            case "boolean":
                return True
            case _:
                return None

    def _table(self, schema: Schema, level: int) -> JsonValue:
        """All properties near the top; further in only those that must be there."""
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        must = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        kept = (name for name, one in properties.items() if name in must or (level < DEEPEST // 3 and not _write_only(one)))
        made = {name: self.value(properties[name], level + 1) for name in kept}
        return made | dict.fromkeys(must - made.keys())

    def _list(self, schema: Schema, level: int) -> JsonValue:
        least = schema.get("minItems")
        count = max(1, least if isinstance(least, int) else 1)
        if level >= DEEPEST // 2 and not least:
            return []
        items = schema.get("items", {})
        return [self.value(items, level + 1) for _ in range(min(count, 100))]


def _type(schema: Schema) -> str:
    said = schema.get("type")
    if isinstance(said, list):
        return next((str(one) for one in said if one != "null"), "null")
    if isinstance(said, str):
        return said
    return "object" if "properties" in schema else "array" if "items" in schema else "string" if "format" in schema else ""


def _write_only(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and schema.get("writeOnly") is True


def _text(schema: Schema) -> str:
    kind = schema.get("format")
    made = str(_FORMATS.get(kind, "text")) if isinstance(kind, str) else "text"
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(made) < least:
        made = made.ljust(min(least, 4096), "x")
    return made[:most] if isinstance(most, int) and most >= 0 and not kind else made


def _number(schema: Schema) -> float:
    least, most, step = (_said(schema, key) for key in ("minimum", "maximum", "multipleOf"))
    above, below = _said(schema, "exclusiveMinimum"), _said(schema, "exclusiveMaximum")
    if above is not None:
        least = above + 1 if below is None or above + 1 < below else (above + below) / 2
    elif schema.get("exclusiveMinimum") is True and least is not None:
        least += 1
    if least is None:
        least = 1.0 if most is None or most >= 1 else most
    return least if not step else -(-least // step) * step


def _said(schema: Schema, key: str) -> float | None:
    value = schema.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
