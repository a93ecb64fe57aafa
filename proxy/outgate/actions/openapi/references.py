"""References of a document: followed within it, never out of it, and never without end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.document import Document, Path
    from outgate.errors import Problem

LONGEST = 8
"""References that lead to references."""
_DATA = frozenset({"example", "examples", "default", "enum", "const"})
"""What stands there is no reference, whatever it looks like."""
_REMOTE = "leads out of this document, which is never followed: bundle it into one file"


def is_remote(ref: str) -> bool:
    """Whether a reference leads out of its document: such are never followed."""
    return re.match(r"#(?:/|$)", ref) is None


def resolve(root: Any, ref: str) -> Any:
    """Give what a local reference means (RFC 6901), within this document alone; None where nothing is."""
    value = root
    for step in steps(ref):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def steps(ref: str) -> tuple[str, ...]:
    """Take a local reference apart, from the root on."""
    return tuple(unquote(part).replace("~1", "/").replace("~0", "~") for part in ref.removeprefix("#").split("/")[1:])


def references(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Give each reference of a document and where it stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        if key == "$ref" and isinstance(one, str):
            yield path, one
        elif key not in _DATA:
            yield from references(one, (*path, key))


@dataclass(slots=True)
class Spot:
    """A part of a document: what stands there, and where that is, for whoever has something to say about it."""

    value: Any
    path: Path


@dataclass(slots=True)
class Reading:
    """A document while it is read. `faults` refuse it; `notes` say what could not be told, and stays unknown."""

    document: Document
    faults: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    _told: set[tuple[Path, str]] = field(default_factory=set)

    def fault(self, path: Path, message: str, *, key: bool = False) -> None:
        """Say what is wrong, once."""
        self._say(self.faults, path, message, key=key)

    def note(self, path: Path, message: str, *, key: bool = False) -> None:
        """Say what can't be told, once."""
        self._say(self.notes, path, message, key=key)

    def _say(self, where: list[Problem], path: Path, message: str, *, key: bool) -> None:
        if (path, message) not in self._told:
            self._told.add((path, message))
            where.append(self.document.problem(path, message, key=key))

    def at(self, *path: str | int) -> Spot:
        """Give a part by its path; of nothing where it is not there."""
        value = self.document.value
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return Spot(value, path)

    def inside(self, spot: Spot, name: str) -> Spot:
        """Give a member, behind the references that lead to it."""
        value = spot.value.get(name) if isinstance(spot.value, dict) else None
        return self.followed(Spot(value, (*spot.path, name)))

    def items(self, spot: Spot) -> Iterator[Spot]:
        """Give each item of a list, behind its references."""
        if isinstance(spot.value, list):
            for at, value in enumerate(spot.value):
                yield self.followed(Spot(value, (*spot.path, at)))

    def members(self, spot: Spot) -> Iterator[tuple[str, Spot]]:
        """Give each member of a table by its name, behind its references."""
        if isinstance(spot.value, dict):
            for name, value in spot.value.items():
                yield name, self.followed(Spot(value, (*spot.path, name)))

    def followed(self, spot: Spot) -> Spot:
        """Give what a reference leads to; nothing, and a word about it, where that is nowhere, or out of the document."""
        begun = spot.path
        for _ in range(LONGEST):
            ref = spot.value.get("$ref") if isinstance(spot.value, dict) else None
            if not isinstance(ref, str):
                return spot
            if is_remote(ref):
                self.note(begun, f"'{ref}' {_REMOTE}; what depends on it is unknown")
                return Spot(None, begun)
            found = resolve(self.document.value, ref)
            if found is None:
                self.fault(begun, f"'{ref}' leads nowhere in this document, correct it or add what it names")
                return Spot(None, begun)
            spot = Spot(found, steps(ref))
        self.fault(begun, f"'{spot.value['$ref']}' leads back to itself, or over more than {LONGEST} others: write it out")
        return Spot(None, begun)

    def is_remote(self, value: Any) -> bool:
        """Whether something is nothing but a reference out of the document."""
        return isinstance(value, dict) and isinstance(value.get("$ref"), str) and is_remote(value["$ref"])
