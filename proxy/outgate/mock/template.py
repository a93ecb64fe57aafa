"""Text and tables with holes that a request fills: `{path.id}`, `{body.amount:int|0}`. No code, and nothing that runs on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from outgate.intake.bodies import JsonValue

type Kind = Literal["", "int", "text", "bool"]
type Name = tuple[str, ...]

EACH, AS = "$each", "$as"
MOST_EACH = 2048
MOST_NUMBERS = 50_000
"""In all that is made for each: writing JSON holds up every other thread of the program."""
_HOLE = re.compile(
    r"\{\{|\}\}|\{(?P<name>[a-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_$-]+)*)(?::(?P<kind>int|text|bool))?(?P<else>\?|\|[^{}]*)?\}|[{}]"
)


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing is there: not even null."""


ABSENT = Absent()

type Look = Callable[[Name], JsonValue | Absent]
"""What stands under a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """`optional`: what it is in is left out with it. `default` is what stands there where nothing is known, else null."""

    name: Name
    kind: Kind = ""
    optional: bool = False
    default: JsonValue = None


@dataclass(frozen=True, slots=True)
class Said:
    """As it is written."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Mixed:
    """Text with holes in it."""

    parts: tuple[str | Hole, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list."""

    items: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Tabled:
    """A table."""

    items: tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True)
class Each:
    """`{$each: body.input, $as: {…}}`: a list of one for each, `each.value` and `each.index` in it."""

    name: Name
    of: Template


type Template = Said | Hole | Mixed | Listed | Tabled | Each


def template(value: JsonValue) -> Template:
    """Read what may have holes. Raises ValueError with a sentence for what looks like one and is none."""
    match value:
        case str():
            return _text(value)
        case list():
            return Listed(tuple(map(template, value)))
        case dict() if EACH in value:
            return _each(value)
        case dict():
            return Tabled(tuple((name, template(one)) for name, one in value.items()))
        case _:
            return Said(value)


def fill(made: Template, look: Look) -> JsonValue | Absent:
    """Fill every hole. Absent only where all of it is one optional hole."""
    match made:
        case Said(value):
            return value
        case Hole():
            return _filled(made, look)
        case Mixed(parts):
            return _mixed(parts, look)
        case Listed(items):
            return [value for item in items for value in _there(item, look)]
        case Tabled(items):
            return {name: value for name, item in items for value in _there(item, look)}
        case Each():
            return _eached(made, look)


def _there(made: Template, look: Look) -> Iterator[JsonValue]:
    value = fill(made, look)
    if not isinstance(value, Absent):
        yield value


def holes(made: Template) -> Iterator[Name]:
    """Every name that is looked up."""
    match made:
        case Said():
            return
        case Hole(name=name):
            yield name
        case Mixed(parts):
            yield from (part.name for part in parts if isinstance(part, Hole))
        case Listed(items):
            yield from (name for item in items for name in holes(item))
        case Tabled(items):
            yield from (name for _, item in items for name in holes(item))
        case Each(name, of):
            yield name
            yield from holes(of)


def has_each(made: Template) -> bool:
    """Whether something in it is one for each."""
    match made:
        case Each():
            return True
        case Listed(items):
            return any(map(has_each, items))
        case Tabled(items):
            return any(has_each(item) for _, item in items)
        case Said() | Hole() | Mixed():
            return False


def inside(value: JsonValue | Absent, steps: Name) -> JsonValue | Absent:
    """What stands further in: by key, or by number in a list."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, ABSENT)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def plain(value: JsonValue) -> str:
    """A value within a text."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _text(text: str) -> Template:
    parts: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(_part(match, text))
        end = match.end()
    parts.append(text[end:])
    joined = _joined(parts)
    match joined:
        case []:
            return Said("")
        case [str() as only]:
            return Said(only)
        case [Hole() as only]:
            return only
        case _:
            return Mixed(tuple(joined))


def _joined(parts: list[str | Hole]) -> list[str | Hole]:
    made: list[str | Hole] = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] += part
        elif part != "":
            made.append(part)
    return made


def _part(match: re.Match[str], text: str) -> str | Hole:
    if match[0] in {"{{", "}}"}:
        return match[0][0]
    if match["name"] is None:
        raise ValueError(f"'{text}' has a brace that is no hole like {{path.id}}, write {{{{ and }}}} for braces")
    kinds: dict[str | None, Kind] = {None: "", "int": "int", "text": "text", "bool": "bool"}
    said = match["else"] or ""
    return Hole(
        name=tuple(match["name"].split(".")),
        kind=kinds[match["kind"]],
        optional=said == "?",
        default=_default(said[1:]) if said.startswith("|") else None,
    )


def _default(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


def _each(value: dict[str, JsonValue]) -> Each:
    name = value[EACH]
    if set(value) != {EACH, AS} or not isinstance(name, str) or not re.fullmatch(r"[a-z]+(?:\.[A-Za-z0-9_-]+)+", name):
        raise ValueError(f"a list of one for each is written {{{EACH}: body.input, {AS}: …}}")
    return Each(tuple(name.split(".")), template(value[AS]))


def _filled(hole: Hole, look: Look) -> JsonValue | Absent:
    value = look(hole.name)
    if isinstance(value, Absent):
        return ABSENT if hole.optional else hole.default
    return of_kind(value, hole.kind)


def of_kind(value: JsonValue, kind: Kind) -> JsonValue:
    """Say it as another kind, where it can be: a form has only text."""
    match kind:
        case "int" if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        case "bool" if value in {"true", "false"}:
            return value == "true"
        case "text":
            return plain(value)
        case _:
            return value


def _mixed(parts: tuple[str | Hole, ...], look: Look) -> JsonValue | Absent:
    made: list[str] = []
    for part in parts:
        value = part if isinstance(part, str) else _filled(part, look)
        if isinstance(value, Absent):
            return ABSENT
        made.append(plain(value))
    return "".join(made)


def _eached(each: Each, look: Look) -> JsonValue:
    found = look(each.name)
    values = found if isinstance(found, list) else [] if isinstance(found, Absent) else [found]
    made: list[JsonValue] = []
    room = MOST_NUMBERS
    for number, value in enumerate(values[:MOST_EACH]):
        for filled in _there(each.of, _within(look, number, value)):
            room -= _count(filled)
            if room < 0:
                return made
            made.append(filled)
    return made


def _count(value: JsonValue) -> int:
    match value:
        case dict():
            return 1 + sum(map(_count, value.values()))
        case list():
            return 1 + (sum(map(_count, value)) if value and isinstance(value[0], (dict, list)) else len(value))
        case _:
            return 1


def _within(look: Look, number: int, value: JsonValue) -> Look:
    def found(name: Name) -> JsonValue | Absent:
        if name[0] == "each":
            return inside({"index": number, "value": value}, name[1:])
        return look(name)

    return found
