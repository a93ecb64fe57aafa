"""Operations of a document: each method of each path, with all that is said of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outgate.actions.openapi.fields import Field, fields_of
from outgate.actions.openapi.references import Spot
from outgate.actions.openapi.servers import Server, servers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.openapi.references import Reading
    from outgate.document import Path

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
EXTENSION = "x-outgate-action"
SAYABLE = ("name", "skip", "access", "tier", "why", "resource", "params", "worse", "egress", "reads")
"""What `x-outgate-action` and an overlay may say of an operation."""

_HOLE = re.compile(r"\{([^{}]*)\}")
_LITERAL = re.compile(r"[!\"$-;=@-z|~]*")
_OTHERS = {"summary", "description", "servers", "parameters", "$ref", "trace", "query", "additionalOperations"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One operation as its document describes it. `path` is where that stands; `said` is its extension, at `said_at`."""

    method: str
    template: str
    path: Path
    name: str
    tag: str
    deprecated: bool
    ways: tuple[frozenset[str], ...]
    """The scopes that each way to be let in asks for; none where nothing is said of scopes."""
    servers: tuple[Server, ...]
    fields: tuple[Field, ...]
    said: Mapping[str, Any]
    said_at: Path
    remote: bool = False
    """What it is stands in another document."""


def described(reading: Reading, overlay: Mapping[str, Spot]) -> tuple[Described, ...]:
    """Read all operations, in the order of the document. `overlay` is by operationId or by `METHOD /path`."""
    found: list[Described] = []
    paths = reading.at("paths")
    for template, at in _members(paths):
        if not _is_template(reading, template, at):
            continue
        item = reading.followed(at)
        if reading.is_remote(at.value):
            found.extend(_unknown(template, at, method) for method in ("get", "post", "put", "patch", "delete"))
            continue
        if not isinstance(item.value, dict):
            if item.value is not None:
                reading.fault(at.path, "a path has a table of methods")
            continue
        found.extend(_each(reading, template, item, overlay))
    _check_names(reading, found)
    return tuple(found)


def _members(spot: Spot) -> Iterator[tuple[str, Spot]]:
    for name, value in spot.value.items() if isinstance(spot.value, dict) else ():
        if not name.startswith("x-"):
            yield name, Spot(value, (*spot.path, name))


def _is_template(reading: Reading, template: str, at: Spot) -> bool:
    """Whether a path can be one. Says what is wrong with it."""
    plain = _HOLE.sub("", template)
    wrong = (
        "must start with '/'"
        if not template.startswith("/")
        else "has a query or a fragment in it: parameters stand under `parameters`"
        if "?" in plain or "#" in plain
        else "has a brace without the other one"
        if "{" in plain or "}" in plain
        else "has characters that a path can't have: write them as %XX"
        if not _LITERAL.fullmatch(plain)
        else ""
    )
    if wrong:
        reading.fault(at.path, f"path '{template}' {wrong}", key=True)
    names = _HOLE.findall(template)
    if twice := next((name for name in names if names.count(name) > 1), None):
        reading.fault(at.path, f"path '{template}' has '{{{twice}}}' twice, rename one", key=True)
        return False
    return not wrong


def _each(reading: Reading, template: str, item: Spot, overlay: Mapping[str, Spot]) -> Iterator[Described]:
    for name, value in item.value.items():
        at = Spot(value, (*item.path, name))
        if name not in METHODS:
            if name not in _OTHERS and not name.startswith("x-"):
                reading.fault(at.path, f"'{name}' is no method, use one of {', '.join(METHODS)}", key=True)
            elif name in {"trace", "query", "additionalOperations"}:
                reading.note(at.path, f"'{name}' is not read: requests of it stay unknown", key=True)
        elif not isinstance(value, dict):
            reading.fault(at.path, "an operation is a table")
        else:
            yield _operation(reading, template, item, at, overlay)


def _operation(reading: Reading, template: str, item: Spot, at: Spot, overlay: Mapping[str, Spot]) -> Described:
    method = str(at.path[-1]).upper()
    name, tags = at.value.get("operationId"), at.value.get("tags")
    if name is not None and not isinstance(name, str):
        reading.fault((*at.path, "operationId"), "an operationId is text")
    said = _said(reading, at, overlay, (str(name), f"{method} {template}"))
    own = servers_of(reading, reading.inside(at, "servers")) or servers_of(reading, reading.inside(item, "servers"))
    return Described(
        method=method,
        template=template,
        path=at.path,
        name=name if isinstance(name, str) else "",
        tag=str(tags[0]) if isinstance(tags, list) and tags else "",
        deprecated=at.value.get("deprecated") is True,
        ways=_ways(reading, at),
        servers=own,
        fields=fields_of(reading, item, at),
        said=said.value or {},
        said_at=said.path,
    )


def _said(reading: Reading, at: Spot, overlay: Mapping[str, Spot], names: tuple[str, ...]) -> Spot:
    """The extension, and over it the overlay. Problems of both are told where they stand in the document."""
    own = Spot(at.value.get(EXTENSION), (*at.path, EXTENSION))
    if own.value is not None and not isinstance(own.value, dict):
        reading.fault(own.path, f"`{EXTENSION}` is a table of {', '.join(SAYABLE)}")
        own = Spot(None, own.path)
    for key in own.value or ():
        if key not in SAYABLE:
            reading.fault((*own.path, key), f"unknown key '{key}', use one of {', '.join(SAYABLE)}", key=True)
    more = [overlay[name].value for name in names if name in overlay]
    merged = {key: value for said in (own.value or {}, *more) for key, value in said.items() if key in SAYABLE}
    return Spot(merged, own.path if own.value else at.path)


def _ways(reading: Reading, at: Spot) -> tuple[frozenset[str], ...]:
    said = at.value.get("security", reading.at("security").value)
    listed = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    ways = (frozenset(str(s) for scopes in one.values() if isinstance(scopes, list) for s in scopes) for one in listed)
    found = tuple(ways)
    return found if all(found) else ()


def _unknown(template: str, at: Spot, method: str) -> Described:
    return Described(
        method=method.upper(),
        template=template,
        path=at.path,
        name="",
        tag="",
        deprecated=False,
        ways=(),
        servers=(),
        fields=(),
        said={},
        said_at=at.path,
        remote=True,
    )


def _check_names(reading: Reading, found: list[Described]) -> None:
    """The same operationId twice, and the same path under two spellings: a request would be either."""
    names: dict[str, Described] = {}
    shapes: dict[tuple[str, str], Described] = {}
    for one in found:
        first = names.setdefault(one.name, one) if one.name else one
        if first is not one:
            message = f"operationId '{one.name}' is that of {first.method} {first.template} too, rename one"
            reading.fault((*one.path, "operationId"), message)
        shape = one.method, _HOLE.sub("{}", one.template)
        other = shapes.setdefault(shape, one)
        if other is not one:
            message = f"path '{one.template}' is '{other.template}' under another name: a request would be both, keep one"
            reading.fault(one.path[:2], message, key=True)
