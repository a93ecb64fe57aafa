"""Shapes: what a file may hold, said once: checked with places and remedies, and given out as JSON Schema."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from outgate.document import parse
from outgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.digest import Json
    from outgate.document import Document, Path
    from outgate.errors import Problem

_MOST_NAMED = 14


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words. `later` are words of the language that this version can't act on, each with why not."""

    what: str
    words: tuple[str, ...]
    later: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a form. `form` names it for people."""

    what: str
    pattern: str = r"(?s).*\S.*"
    form: str = "text"


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false`."""

    what: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text, a whole number or a truth value."""

    what: str


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number from `least`, and to `most` where there is one."""

    what: str
    least: int = 1
    most: int | None = None

    def has(self, value: Any) -> bool:
        """Whether a value is such a number."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.least <= value and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever YAML can say."""

    what: str


@dataclass(frozen=True, slots=True)
class Many:
    """A list of one or more; a single one may stand without brackets, unless `bare` is false."""

    of: Shape
    bare: bool = True


@dataclass(frozen=True, slots=True)
class Named:
    """A table from names of our choosing to one shape."""

    what: str
    of: Shape
    name: str = r"[a-z][a-z0-9_-]{0,62}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of known keys. `families` are keys by pattern; `later` are keys that this version can't act on."""

    what: str
    keys: Mapping[str, Shape]
    required: frozenset[str] = frozenset()
    families: tuple[tuple[str, str, Shape], ...] = ()
    """Pattern, how it is written for people, shape."""
    later: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Either:
    """A word, or a table that says it in detail."""

    word: Words
    table: Table


type Shape = Words | Text | Truth | Scalar | Count | Anything | Many | Named | Table | Either


def meant(word: str, known: Iterable[str], prefix: str = "") -> str:
    """The remedy for a wrong word: the nearest known one, else all if they are few. `prefix` goes before what is named."""
    names = sorted(set(known))
    near = get_close_matches(word, names, n=1, cutoff=0.6) or [
        n for n in names if n.lower() == word.lower() or n.endswith(f".{word}")
    ]
    if near:
        return f", did you mean '{prefix}{near[0]}'?"
    if not names or len(names) > _MOST_NAMED:
        return ""
    return f", use {'one of ' if len(names) > 1 else ''}{', '.join(prefix + name for name in names)}"


def problems(shape: Shape, document: Document, path: Path = ()) -> list[Problem]:
    """Everything in the document, or in what stands at `path`, that is not of this shape."""
    value = document.value
    for step in path:
        value = value[step]
    return list(_check(shape, document, path, value))


def shaped(shape: Shape, text: str, source: str) -> Document:
    """Read a file's text, which has this shape. Raises ConfigError with everything that is wrong in it."""
    document = parse(text, source)
    wrong = problems(shape, document)
    if wrong:
        raise ConfigError(*sorted(wrong))
    return document


def _check(shape: Shape, document: Document, path: Path, value: Any) -> Iterator[Problem]:  # noqa: C901, PLR0912  # one case a shape
    match shape:
        case Words():
            yield from _word(shape, document, path, value)
        case Text():
            yield from _text(shape, document, path, value)
        case Truth():
            if not isinstance(value, bool):
                yield document.problem(path, f"{shape.what} is true or false, not {shown(value)}")
        case Scalar():
            if not isinstance(value, (str, int)):
                yield document.problem(path, f"{shape.what} is text, a whole number or true or false, not {shown(value)}")
        case Count():
            if not shape.has(value):
                upto = "" if shape.most is None else f" to {shape.most}"
                yield document.problem(path, f"{shape.what} is a whole number from {shape.least}{upto}, not {shown(value)}")
        case Anything():
            pass
        case Many():
            yield from _many(shape, document, path, value)
        case Named():
            yield from _named(shape, document, path, value)
        case Table():
            yield from _table(shape, document, path, value)
        case Either():
            yield from _check(shape.word if isinstance(value, str) else shape.table, document, path, value)


def _word(shape: Words, document: Document, path: Path, value: Any) -> Iterator[Problem]:
    if isinstance(value, str) and value in shape.later:
        yield document.problem(path, f"{shape.what} '{value}' is not in this version: {shape.later[value]}")
    elif not isinstance(value, str) or value not in shape.words:
        word = value if isinstance(value, str) else ""
        yield document.problem(path, f"unknown {shape.what} {shown(value)}{meant(word, shape.words)}")


def _text(shape: Text, document: Document, path: Path, value: Any) -> Iterator[Problem]:
    if not isinstance(value, str):
        hint = ", put it in quotes" if isinstance(value, (bool, int, float)) else ""
        yield document.problem(path, f"{shape.what} is {shape.form}, not {shown(value)}{hint}")
    elif not re.fullmatch(shape.pattern, value):
        yield document.problem(path, f"{shape.what} is {shape.form}, not {shown(value)}")


def _many(shape: Many, document: Document, path: Path, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list):
        if shape.bare:
            yield from _check(shape.of, document, path, value)
        else:
            yield document.problem(path, f"this is a list, not {shown(value)}")
        return
    if not value:
        yield document.problem(path, "an empty list matches nothing, name at least one")
    for index, one in enumerate(value):
        if one in value[:index]:
            yield document.problem((*path, index), f"{shown(one)} is here twice, keep one")
        yield from _check(shape.of, document, (*path, index), one)


def _named(shape: Named, document: Document, path: Path, value: Any) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield document.problem(path, f"'{path[-1]}' is a table of {shape.what}, not {shown(value)}")
        return
    for name, one in value.items():
        if not re.fullmatch(shape.name, name):
            message = f"'{name}' can't name {shape.what}, use small letters, digits, '-' and '_', starting with a letter"
            yield document.problem((*path, name), message, key=True)
        yield from _check(shape.of, document, (*path, name), one)


def _table(shape: Table, document: Document, path: Path, value: Any) -> Iterator[Problem]:
    if not isinstance(value, dict):
        wanted = f"a table with {', '.join(sorted(shape.required or shape.keys))}"
        yield document.problem(path, f"{shape.what} is {wanted}, not {shown(value)}")
        return
    missing = sorted(shape.required - value.keys())
    if missing:
        yield document.problem(path, f"{shape.what} lacks {', '.join(f"'{name}'" for name in missing)}")
    for name, one in value.items():
        of = key_shape(shape, name)
        if of is not None:
            yield from _check(of, document, (*path, name), one)
        else:
            yield document.problem((*path, name), _unknown(shape, name), key=True)


def key_shape(table: Table, name: str) -> Shape | None:
    """What may stand under a key; None where the table has no such key."""
    if name in table.keys:
        return table.keys[name]
    return next((shape for pattern, _, shape in table.families if re.fullmatch(pattern, name)), None)


def _unknown(shape: Table, name: str) -> str:
    if name in shape.later:
        return f"'{name}' is not in this version: {shape.later[name]}"
    known = [*shape.keys, *(written for _, written, _ in shape.families)]
    return f"{shape.what} has no key '{name}'{meant(name, known)}"


def shown(value: Any) -> str:
    """A wrong value, for a message: short, and what it is where that is the mistake."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}'" if len(value) <= 40 else f"'{value[:39]}…'"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return str(value)


def schema(shape: Shape) -> dict[str, Json]:  # noqa: C901, PLR0911  # one case a shape
    """The same shape as JSON Schema (2020-12): what editors complete and check with."""
    match shape:
        case Words():
            return {"enum": list(shape.words), "description": shape.what}
        case Text():
            return {"type": "string", "description": f"{shape.what}: {shape.form}"}
        case Truth():
            return {"type": "boolean", "description": shape.what}
        case Scalar():
            return {"type": ["string", "integer", "boolean"], "description": shape.what}
        case Count():
            upto: dict[str, Json] = {} if shape.most is None else {"maximum": shape.most}
            return {"type": "integer", "minimum": shape.least, **upto, "description": shape.what}
        case Anything():
            return {"description": shape.what}
        case Many():
            listed: dict[str, Json] = {"type": "array", "items": schema(shape.of), "minItems": 1, "uniqueItems": True}
            return {"anyOf": [schema(shape.of), listed]} if shape.bare else listed
        case Named():
            return {
                "type": "object",
                "description": shape.what,
                "patternProperties": {f"^{shape.name}$": schema(shape.of)},
                "additionalProperties": False,
            }
        case Table():
            return _table_schema(shape)
        case Either():
            return {"anyOf": [schema(shape.word), schema(shape.table)]}


def _table_schema(shape: Table) -> dict[str, Json]:
    made: dict[str, Json] = {
        "type": "object",
        "description": shape.what,
        "properties": {name: schema(of) for name, of in shape.keys.items()},
        "additionalProperties": False,
    }
    if shape.families:
        made["patternProperties"] = {f"^{pattern}$": schema(of) for pattern, _, of in shape.families}
    if shape.required:
        made["required"] = sorted(shape.required)
    return made
