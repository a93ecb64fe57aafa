"""Search: operations of the whole catalog by words, the best first; and names that are near to one that nobody has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from outgate.actions.mined import unpack
from outgate.actions.service import METHODS, WEBSOCKET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.actions.action import Access, Tier
    from outgate.actions.catalog import Catalog
    from outgate.actions.mined import Part
    from outgate.actions.operation import Operation
    from outgate.actions.service import Service

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
MOST_WORDS = 8
_FALLBACKS = frozenset({*METHODS, WEBSOCKET, "unreadable"})
"""What a request is that no operation is: nobody looks for them by a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Operations that were found, the best first; `total` counts those beyond the ones given too."""

    operations: tuple[Operation, ...]
    total: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An operation by its name alone: it is judged only where somebody asks for it."""

    score: float
    name: str
    service: Service | None
    part: Part | None = None
    index: int = 0
    operation: Operation | None = None


def search(  # noqa: PLR0913  # each narrows what is found
    text: str,
    catalog: Catalog,
    *,
    services: Iterable[str] = (),
    access: Access | None = None,
    tier: Tier | None = None,
    most: int = 20,
) -> Hits:
    """Find operations that have all the words in their names; without words, all.

    A whole word counts more than its beginning, and that more than a part of it; the name that says the least beside comes first.
    """
    wanted = tuple(
        word.lower() for word in re.findall(r"[A-Za-z0-9]+", text) for word in ([word] if word.islower() else _WORD.findall(word))
    )
    found = sorted(_candidates(wanted[:MOST_WORDS], catalog, frozenset(services)), key=lambda one: (-one.score, one.name))
    if access is None and tier is None:
        return Hits(operations=tuple(_judged(found[:most])), total=len(found))
    kept = [one for one in _judged(found) if access in {None, one.access} and tier in {None, one.tier}]
    return Hits(operations=tuple(kept[:most]), total=len(kept))


def _words(text: str) -> tuple[str, ...]:
    said = re.findall(r"[A-Za-z0-9]+", text)
    return tuple(word.lower() for one in said for word in ([one] if one.islower() else _WORD.findall(one)))[:MOST_WORDS]


def near(name: str, catalog: Catalog, *, most: int = 5) -> tuple[str, ...]:
    """Names like one that nobody has: of its service, or of its last word; whatever its case."""
    service, _, rest = name.partition(".")
    names = {one.name.lower(): one.name for one in _candidates((), catalog, frozenset({service}))}
    if not names:
        services = get_close_matches(service, catalog.services(), n=1, cutoff=0.7)
        names = {one.name.lower(): one.name for one in _candidates((), catalog, frozenset(services))} if services else {}
        if services and not rest:
            return (services[0],)
        name = f"{services[0]}.{rest}" if services else name
    close = get_close_matches(name.lower(), names, n=most, cutoff=0.6)
    return tuple(names[one] for one in close) or _by_word(rest or service, catalog, most)


def _by_word(text: str, catalog: Catalog, most: int) -> tuple[str, ...]:
    """By the word that is nearest to the last one."""
    if found := search(text, catalog, most=most).operations:
        return tuple(one.name for one in found)
    words = {word.lower() for one in _candidates((), catalog, frozenset()) for word in _WORD.findall(one.name)}
    close = get_close_matches((re.findall("[a-z0-9]+", text.lower()) or [""])[-1], words, n=1, cutoff=0.7)
    return tuple(one.name for word in close for one in search(word, catalog, most=most).operations)


def _candidates(wanted: tuple[str, ...], catalog: Catalog, services: frozenset[str]) -> Iterator[_Candidate]:
    seen: set[str] = set()
    for operation in catalog.listed():
        if (not services or operation.service in services) and operation.operation not in _FALLBACKS:
            score = _score(operation.operation, operation.service, wanted)
            if score is not None:
                yield _Candidate(score, operation.name, catalog.service(operation.service), operation=operation)
    for name in catalog.services():
        service = catalog.service(name)
        if service is None or (services and name not in services):
            continue
        seen.update(operation.name for operation in service.operations)
        for part in service.mined.parts:
            for index, (said, *_) in enumerate(unpack(part.packed, part.file)["operations"]):
                score = _score(said, name, wanted)
                if score is not None and (full := f"{name}.{said}") not in seen:
                    seen.add(full)
                    yield _Candidate(score, full, service, part, index)


def _score(operation: str, service: str, wanted: tuple[str, ...]) -> float | None:
    """None where a word is nowhere in the name."""
    plain = f"{service}.{operation}".lower()
    for word in wanted:
        if word not in plain and word.rstrip("s") not in plain:
            return None
    if not wanted:
        return 0.0
    words = [word.lower() for word in _WORD.findall(operation)]
    own = {*words, *(word.rstrip("s") for word in words)}
    return sum(_worth(word, own, service) for word in wanted) - 0.1 * len(words)


def _worth(word: str, own: set[str], service: str) -> float:
    if word.rstrip("s") in own or word in service.split("-"):
        return 4.0
    return 2.0 if any(one.startswith(word) for one in own) else 1.0


def _judged(found: Iterable[_Candidate]) -> Iterator[Operation]:
    methods: dict[str, dict[int, str]] = {}
    for one in found:
        if one.operation is not None:
            yield one.operation
        elif one.service is not None and one.part is not None:
            known = methods.setdefault(one.part.file, {}) or methods[one.part.file]
            if not known:
                known.update({index: method for method, _, index in one.part.routes()})
            yield one.service.route(one.part, one.index, known.get(one.index, "")).operation
