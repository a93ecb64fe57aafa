"""Mined: what machines found out of a service, inflated when a request first needs it."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from outgate.actions.router import HostRouter, every, match, walk
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.router import Found, Tree

LANGUAGE = "mined/v1"
LARGEST = 32 * 1024 * 1024
"""Bytes of a part, inflated. No real one is near."""

type Level = Literal["", "r", "l", "w", "t", "p", "d", "x"]
"""What the vendor's own data says of an operation: nothing, read, list, write, tagging, permissions, delete, execute."""

_GZIP = 31
"""zlib's window bits for gzip with a header and a checksum that must be right."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One operation as it was mined. `captures` name its path's variables in order; `params` are written as in service files.

    `marks`: s sensitive · b bulk · m money · i irreversible · u suspends · p permissions or public · e egress · a ambiguous.
    """

    name: str
    level: Level = ""
    marks: str = ""
    captures: tuple[str, ...] = ()
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Inflated:
    facts: tuple[Fact, ...]
    paths: Tree
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Some operations of a service: all of them, or those of some hosts. `packed` is its file as it lies on disk."""

    service: str
    name: str
    packed: bytes = field(repr=False)
    file: str = ""

    def __reduce__(self) -> tuple[type[Part], tuple[str, str, bytes, str]]:
        """Go to another process packed."""
        return Part, (self.service, self.name, self.packed, self.file)

    @cached_property
    def _inflated(self) -> _Inflated:
        said = unpack(self.packed, self.file)
        facts = tuple(Fact(name, level, marks, tuple(c), tuple(p)) for name, level, marks, c, p in said["operations"])
        return _Inflated(facts, said["paths"], MappingProxyType(said["meta"]))

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every operation, in the order of its file."""
        return self._inflated.facts

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the protocol of the service needs beside."""
        return self._inflated.meta

    @cached_property
    def by_name(self) -> Mapping[str, Fact]:
        """Every operation by its name in the service."""
        return MappingProxyType({fact.name: fact for fact in self.facts})

    def find(self, method: str, path: str) -> Found[int | list[int]] | None:
        """Find what a raw path leads to: the index of an operation, or of several that something else tells apart."""
        return match(self._inflated.paths, method, path, folded=self._folded)

    def every(self, method: str, path: str) -> list[int]:
        """Give the indexes of all operations whose templates fit a raw path, the most literal template first."""
        found = every(self._inflated.paths, method, path, folded=self._folded)
        return [index for ends in found for index in (ends if isinstance(ends, list) else [ends])]

    @cached_property
    def _folded(self) -> bool:
        """Whether the service compares paths without regard to case: its templates are in small letters."""
        return self.meta.get("folded") is True

    @property
    def rpc(self) -> bool:
        """Whether the service takes any method for any operation: it tells nothing of what one does."""
        return self.meta.get("rpc") is True

    def routes(self) -> Iterator[tuple[str, str, int]]:
        """Give method, template with `{}` for each variable, and the index of an operation, for each route."""
        yield from walk(self._inflated.paths)


@dataclass(frozen=True)
class Mined:
    """The parts of one service."""

    parts: tuple[Part, ...]
    hosts: tuple[tuple[str, str], ...] = ()
    """Host patterns, or `/segment` for what paths start with, and the names of the parts that are found there; none where one
    part is for all."""
    heads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of parts, and the first words of their operations' names, its own left out. A part that is not here may have any."""

    @cached_property
    def by_name(self) -> Mapping[str, Part]:
        """Every part by its name."""
        return MappingProxyType({part.name: part for part in self.parts})

    @cached_property
    def _router(self) -> HostRouter[str]:
        router: HostRouter[str] = HostRouter()
        for pattern, name in self.hosts:
            if not pattern.startswith("/"):
                router.add(pattern, name)
        return router

    @cached_property
    def _starts(self) -> Mapping[str, str]:
        return MappingProxyType({pattern[1:]: name for pattern, name in self.hosts if pattern.startswith("/")})

    def at(self, authority: str, path: str = "/") -> Part | None:
        """Give the part whose operations are found at a host, or below the first segment of a path."""
        if self._starts:
            return self.by_name.get(self._starts.get(path[1:].partition("/")[0].lower(), ""))
        found = self._router.find(authority) if self.hosts else None
        if found is not None:
            return self.by_name[found.value]
        return self.by_name.get("")

    def fact(self, operation: str) -> Fact | None:
        """Give an operation by its name in the service. Only parts that have names with its first word are inflated."""
        asked = self.starting(f"{operation.partition('.')[0]}.")
        return next((part.by_name[operation] for part in asked if operation in part.by_name), None)

    def starting(self, prefix: str) -> Iterator[Part]:
        """Give the parts that may have operations whose names start so, the one of that name first."""
        head, whole, _ = prefix.partition(".")
        for part in sorted(self.parts, key=lambda part: part.name != head):
            heads = self._heads.get(part.name)
            if not whole or heads is None or part.name == head or head in heads:
                yield part

    @cached_property
    def _heads(self) -> Mapping[str, frozenset[str]]:
        return MappingProxyType({name: frozenset(words) for name, words in self.heads})

    def facts(self) -> Iterator[Fact]:
        """Give every operation once."""
        seen: set[str] = set()
        for part in self.parts:
            for fact in part.facts:
                if fact.name not in seen:
                    seen.add(fact.name)
                    yield fact


NOTHING = Mined(parts=())


def unpack(packed: bytes, file: str) -> dict[str, Any]:
    """Inflate a part and check its form. Raises ConfigError that names the file for one that is damaged."""
    inflating = zlib.decompressobj(_GZIP)
    try:
        said = json.loads(inflating.decompress(packed, LARGEST))
    except (zlib.error, ValueError) as error:
        raise ConfigError(damaged(file, str(error))) from error
    if not inflating.eof or inflating.unused_data:
        raise ConfigError(damaged(file, "it does not end where it should"))
    if not isinstance(said, dict) or said.get("outgate") != LANGUAGE or not said.keys() >= _KEYS:
        raise ConfigError(damaged(file, "its form is another one"))
    return said


_KEYS = {"service", "part", "operations", "paths", "meta"}


def damaged(file: str, why: str) -> Problem:
    """Say that a mined file can't be used, and what to do."""
    return Problem(source=file, message=f"the mined catalog file is damaged ({why}), install Outgate again")
