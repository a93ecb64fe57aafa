"""REST: the protocols of AWS's in which method, path, and at times the query or a header, say what is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outgate.actions.arguments import Arguments
from outgate.actions.paths import is_ambiguous, plainest
from outgate.actions.protocols.aws.asked import Found, Unclear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.mined import Part
    from outgate.actions.protocols.aws.asked import Asked

_ONE_FOR_ALL = "s3"
_NONE = "nothing in its query and headers says which operation it is"
_NOTHING: list[list[str]] = [[], [], [], []]


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells operations of a service apart beside the path: fields of the query, and headers."""

    folded: frozenset[str]
    headers: frozenset[str]
    plain: tuple[int, ...]
    """Those that none of it tells: what it is where none is there."""

    def has(self, name: str) -> bool:
        """Whether some server may see one in a field of the query, in capitals or not; headers may stand there too."""
        folded = name.strip().casefold()
        return folded in self.folded or folded in self.headers


def find(asked: Asked) -> Found | Unclear:
    """Find the operation that a path leads to, of whichever service at this host."""
    found: list[Found] = []
    for part in asked.speaking("rest-json", "rest-xml"):
        one = _in(part, asked)
        if isinstance(one, Unclear):
            return one
        found += [] if one is None else [one]
    if not found:
        return Unclear("no operation of this host's has this method and path")
    first, *others = found
    also = tuple((other.part, other.index) for other in others)
    return Found(
        part=first.part,
        index=first.index,
        how="path",
        arguments=first.arguments,
        captures=first.captures,
        also=(*first.also, *also),
    )


def _in(part: Part, asked: Asked) -> Found | Unclear | None:
    method, path = asked.request.method, asked.request.path
    led = _led(part, method, path)
    if is_ambiguous(path) and _led(part, method, plainest(path)) != led:
        return Unclear("its path can be read in two ways")
    if led is None:
        return None
    indexes, captures = led
    chosen = chosen_of(part, indexes, asked)
    if isinstance(chosen, Unclear):
        return chosen
    index, *also = chosen
    return Found(
        part=part,
        index=index,
        how="path",
        arguments=Arguments(asked.request, json=True),
        captures=captures,
        also=tuple((part, other) for other in also),
    )


def _led(part: Part, method: str, path: str) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """Some templates end in a slash and some don't: one more or less leads to no other operation."""
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    for asked in (method, "GET") if method == "HEAD" else (method,):
        found = part.find(asked, path) or part.find(asked, other)
        if found is not None:
            return (tuple(found.value) if isinstance(found.value, list) else (found.value,)), found.captures
    return None


def chosen_of(part: Part, indexes: tuple[int, ...], asked: Asked) -> tuple[int, ...] | Unclear:
    """Choose among operations that have one method and path; those that nothing tells apart come together.

    1. What an operation is told by, it has; of those that remain, the one that is told by most.
    2. Nothing else is there that would tell another operation: a server may look at that first.
    """
    apart: Mapping[str, list[list[str]]] = part.meta.get("apart", {})
    if not apart or (len(indexes) == 1 and part.facts[indexes[0]].name not in apart):
        return indexes
    marks = _marks(part, indexes, asked)
    telling = [pair for pair in asked.query if marks.has(pair[0])]
    headers = frozenset(name for name, _ in asked.request.headers if name in marks.headers)
    if not telling and not headers:
        return marks.plain or Unclear(_NONE)
    fields = dict(telling)
    if len(fields) != len(telling):
        return Unclear("a field of the query that says which operation it is is there twice")
    several = len(indexes) > 1
    told = ((index, apart.get(part.facts[index].name, _NOTHING)) for index in indexes)
    fitting = [(index, by) for index, by in told if _fits(by, fields, headers, several=several)]
    if not fitting:
        return Unclear(_NONE)
    most = max(_weight(by) for _, by in fitting)
    best = [(index, by) for index, by in fitting if _weight(by) == most]
    stray = _stray(marks, best[0][1], fields, headers)
    return Unclear(f"'{stray}' is of another operation") if stray else tuple(index for index, _ in best)


def _weight(by: list[list[str]]) -> tuple[int, int]:
    return len(by[0]), len(by[1]) + len(by[2])


def _fits(by: list[list[str]], fields: Mapping[str, str], headers: frozenset[str], *, several: bool) -> bool:
    literals, needs, wanted, _ = by
    if not all(
        fields.get(name) == value if mark else name in fields for name, mark, value in (one.partition("=") for one in literals)
    ):
        return False
    return not several or (fields.keys() >= set(needs) and headers.issuperset(wanted))


def _stray(marks: Marks, by: list[list[str]], fields: Mapping[str, str], headers: frozenset[str]) -> str:
    """What would tell another operation, or a server that is lenient about capitals and about where a header stands."""
    literals, needs, wanted, takes = by
    own = {*(one.partition("=")[0] for one in literals), *needs, *wanted, *takes}
    stray = next((name for name in fields if name not in own or name in marks.headers), "")
    return stray or next(iter(sorted(headers - own)), "")


def _marks(part: Part, indexes: tuple[int, ...], asked: Asked) -> Marks:
    """Of those that share a path; in S3 of all, whose paths are but a bucket and a key."""
    key = ("aws apart", part.name, indexes)
    known: Any = asked.service.at_hand.get(key)
    if known is None:
        apart: Mapping[str, list[list[str]]] = part.meta["apart"]
        names = apart if part.name == _ONE_FOR_ALL else [part.facts[index].name for index in indexes]
        telling = [apart.get(name, _NOTHING) for name in names]
        folded = frozenset(name.partition("=")[0].casefold() for by in telling for name in (*by[0], *by[1]))
        headers = frozenset(name for by in telling for name in by[2])
        plain = tuple(index for index in indexes if not any(apart.get(part.facts[index].name, _NOTHING)[:3]))
        known = asked.service.at_hand[key] = Marks(folded, headers, plain)
    marks: Marks = known
    return marks
