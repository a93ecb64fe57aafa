"""A part of a service, from what a miner found to the bytes of its file; what is there already comes back the same way."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ambiguity import crossing
from outgate.actions.router import ENDS, MANY, MIXED, ONE, plant, variables
from outgate.actions.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from outgate.actions.router import Tree

LANGUAGE = "mined/v1"
MARKS = "sbmiupea"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"})

type Level = Literal["", "r", "l", "w", "t", "p", "d", "x"]
"""What the vendor's own data says: nothing, read, list, write, tagging, permissions, delete, execute."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_]+")
_SEGMENT = re.compile(r"[!-z|~]*")
_PLACE = r"(?:query|header|form|json|args)\.\S+"
_PARAM = re.compile(rf"([a-z][A-Za-z0-9_]*) (string|int|bool|list|money) {_PLACE}(?: in {_PLACE})?")


class MiningError(Exception):
    """Nothing can be mined, or not this; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """One route of one operation, or an operation without a route; several of one name are one operation."""

    name: str
    method: str | None = None
    template: str | None = None
    """`/v1/{customer}/x/{rest+}`: names are made to fit, `{+rest}` and `{rest*}` are understood, a query is none of it."""
    level: Level = ""
    marks: str = ""
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The operations of a service, or those of some of its hosts. `told_apart`: its protocol knows which of a clash is meant."""

    service: str
    operations: tuple[Mined, ...]
    part: str = ""
    hosts: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    told_apart: bool = False

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.service}.{self.part}.json.gz" if self.part else f"{self.service}.json.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A part as it is written. `clashes` are routes that lead to several operations, in words."""

    content: bytes
    operations: frozenset[str]
    clashes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


type _Row = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]
type _Routes = dict[tuple[str, str], tuple[str, list[_Row]]]
"""By method and shape: a template and what it leads to."""


def write(part: Part) -> Written:
    """Give the bytes of a part: the same for the same operations, in whatever order they came."""
    rows, routes, clashes = _rows(part)
    unsure = {row for pair in crossing(_tree(routes)) for ends in pair for row in ends}
    told = {row: _marked(row) if row in unsure and not part.told_apart else row for row in rows}
    rows = sorted(set(told.values()))
    at = {row: index for index, row in enumerate(rows)}
    tree = _tree(routes, lambda ended: _ended(sorted(at[told[row]] for row in ended)))
    said: dict[str, Any] = {
        "outgate": LANGUAGE,
        "service": part.service,
        "part": part.part,
        "operations": rows,
        "paths": tree,
        "meta": part.meta,
    }
    if part.hosts:
        said["hosts"] = sorted(set(part.hosts))
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    content = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    return Written(content=content, operations=frozenset(row[0] for row in rows), clashes=clashes)


def first_named(operations: Iterable[Mined]) -> tuple[Mined, ...]:
    """Give of routes with several names the one with the plainest: SDKs have more functions than services have operations."""
    plainest: dict[tuple[str | None, str], Mined] = {}
    for one in sorted(operations, key=_plainness):
        plainest.setdefault((one.method, _VARIABLE.sub("{}", one.template or one.name)), one)
    return tuple(plainest.values())


def _plainness(one: Mined) -> tuple[object, ...]:
    return one.name.rpartition(".")[2] not in _PLAIN, len(one.name), *_place(one)


def _place(one: Mined) -> tuple[object, ...]:
    """Everything of it, so that the same operations come in the same order; of two alike the one that says more first."""
    said = (-len(one.params), -len(one.level), -len(one.marks), one.level, one.marks, one.params)
    return one.name, one.method or "", one.template or "", *said


_PLAIN = frozenset({"create", "complete", "start", "append", "restart", "list", "retrieve", "get", "update"})


def read(content: bytes) -> dict[str, Any]:
    """Give what a file says. Raises MiningError for one that is no part."""
    try:
        said: dict[str, Any] = json.loads(gzip.decompress(content))
    except (OSError, EOFError, ValueError) as error:
        raise MiningError(f"that is no mined part ({error}), build it again") from error
    if said.get("outgate") != LANGUAGE:
        raise MiningError("that is a part in another form, build it again")
    return said


def names(said: Mapping[str, Any]) -> Iterator[str]:
    """Give the names of everything that its operations capture, and of those parameters that are text."""
    for _, _, _, captures, params in said["operations"]:
        yield from captures
        yield from (param.split(" ", 1)[0] for param in params if param.split(" ")[1] == "string")


def described(said: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Give for each operation lines that say all that is known of it."""
    routes: dict[int, list[str]] = defaultdict(list)
    for route, index in _walk(said["paths"], ""):
        routes[index].append(route)
    lines: dict[str, list[str]] = defaultdict(list)
    for index, (name, level, marks, captures, params) in enumerate(said["operations"]):
        facts = [f"level {level}" if level else "", f"marks {marks}" if marks else "", " ".join(captures), "; ".join(params)]
        lines[name] += [" · ".join(filter(None, [route, *facts])) for route in sorted(routes.get(index, [])) or [""]]
    return {name: tuple(sorted(found)) for name, found in lines.items()}


def fitted(template: str) -> str:
    """Give a template with names that the catalog allows for its variables, no two alike. Raises MiningError for what is none."""
    seen: set[str] = set()
    made = _VARIABLE.sub(lambda match: "{" + _fit(match[1], seen) + "}", template)
    for segment in made.split("/")[1:]:
        plain = _VARIABLE.sub("", segment)
        if not made.startswith("/") or not _SEGMENT.fullmatch(plain) or "?" in plain or "#" in plain:
            raise MiningError(f"'{template}' is no path template, have the miner give one")
    return made


def variable(raw: str) -> str:
    """Give the name of a variable as the catalog wants it: no word of the vocabulary that means something else than text."""
    name = _NO_NAME.sub("_", raw).strip("_")
    name = name[:1].lower() + name[1:] if name[:1].isalpha() else f"n{name}"
    return f"{name}_id" if VOCABULARY.get(name, "string") != "string" else name


def _fit(raw: str, seen: set[str]) -> str:
    name = known = variable(raw)
    count = 1
    while name in seen:
        count += 1
        name = f"{known}{count}"
    seen.add(name)
    return f"{name}+" if raw.startswith("+") or raw.endswith(("+", "*")) else name


def _rows(part: Part) -> tuple[list[_Row], _Routes, tuple[str, ...]]:
    """Give operations sorted, what each route leads to, and the clashes."""
    found: dict[tuple[str, str], dict[str, tuple[Mined, str]]] = defaultdict(dict)
    bare: dict[str, Mined] = {}
    for one in sorted(part.operations, key=_place):
        _check(one, part)
        if one.method is None or one.template is None:
            bare.setdefault(one.name, one)
            continue
        template = fitted(one.template)
        shape = _VARIABLE.sub(lambda match: "{+}" if match[1].endswith("+") else "{}", template)
        found[one.method, shape].setdefault(one.name, (one, template))
    routes: _Routes = {}
    clashes: list[str] = []
    for (method, shape), ended in sorted(found.items()):
        clash = len(ended) > 1 and not part.told_apart
        rows = [_row(one, variables(template), ambiguous=clash) for one, template in ended.values()]
        routes[method, shape] = (next(iter(ended.values()))[1], rows)
        clashes += [f"{part.file}: '{method} {shape}' is {' and '.join(ended)}"] if clash else []
    routed = {row for _, rows in routes.values() for row in rows}
    mapped = {row[0] for row in routed}
    every = routed | {_row(one, (), ambiguous=False) for one in bare.values() if one.name not in mapped}
    return sorted(every), routes, tuple(clashes)


def _tree(routes: _Routes, ended: Callable[[list[_Row]], object] = list) -> Tree:
    tree: Tree = {}
    for (method, _), (template, rows) in sorted(routes.items()):
        plant(tree, method, template, ended(rows))
    return tree


def _ended(indexes: list[int]) -> int | list[int]:
    return indexes if len(indexes) > 1 else indexes[0]


def _marked(row: _Row) -> _Row:
    name, level, marks, captures, params = row
    return (name, level, marks if "a" in marks else f"{marks}a", captures, params)


def _row(one: Mined, captures: tuple[str, ...], *, ambiguous: bool) -> _Row:
    marks = "".join(mark for mark in MARKS if mark in one.marks or (ambiguous and mark == "a"))
    return (one.name, one.level, marks, captures, tuple(sorted(set(one.params))))


def _check(one: Mined, part: Part) -> None:
    told = f"{part.file}: operation '{one.name}'"
    if not one.name or any(not " " < letter <= "~" for letter in one.name):
        raise MiningError(f"{told} has no name that can be written in a rule, have the miner make one")
    if set(one.marks) - set(MARKS):
        raise MiningError(f"{told} has marks '{one.marks}', use those of '{MARKS}'")
    if one.method is not None and one.method not in METHODS:
        raise MiningError(f"{told} has method '{one.method}', use one of {', '.join(sorted(METHODS))}")
    for param in one.params:
        said = _PARAM.fullmatch(param)
        if said is None or VOCABULARY.get(said[1], "string") != said[2]:
            raise MiningError(f"{told}: '{param}' must be 'NAME KIND PLACE.FIELD', the kind that of the vocabulary, else string")


def _walk(node: Mapping[str, Any], above: str) -> Iterator[tuple[str, int]]:
    for key, below in node.items():
        match key:
            case "/":
                assert key == ENDS
                for method, ends in below.items():
                    yield from ((f"{method} {above}", index) for index in (ends if isinstance(ends, list) else [ends]))
            case "/~":
                assert key == MIXED
                for segment, inside in below:
                    yield from _walk(inside, f"{above}/{segment}")
            case _:
                yield from _walk(below, f"{above}/{ {ONE: '{}', MANY: '{+}'}.get(key, key) }")
