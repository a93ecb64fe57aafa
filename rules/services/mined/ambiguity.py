"""Ambiguity: templates of which each is the more literal one somewhere, so that servers may differ in which they take.

`/a/{x}` and `/{y}/b` both fit `/a/b`. Which one is meant depends on the server, so both are marked. Where one of two is more
literal throughout, servers agree. `{many+}` is left out: it is what is tried last everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outgate.actions.router import ENDS, MANY, MIXED, ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.router import Tree

type _Edge = tuple[str, Tree]
"""A segment, `{}` for a variable, and where it leads."""

type _Pair = tuple[Tree, Tree, bool, bool]
"""Two nodes that one path leads to, and whether the first, and the second, was the more literal one somewhere."""


def crossing(tree: Tree) -> Iterator[tuple[Any, Any]]:
    """Give what ends at each two templates that cross each other, for each method that both have."""
    seen: set[tuple[int, int, bool, bool]] = set()
    waiting: list[_Pair] = [(tree, tree, False, False)]
    while waiting:
        one, other, first, second = pair = waiting.pop()
        key = (id(one), id(other), first, second)
        if key not in seen:
            seen.add(key)
            waiting.extend(_below(pair))
            if first and second:
                ends, others = one.get(ENDS, {}), other.get(ENDS, {})
                yield from ((ends[method], others[method]) for method in sorted(ends.keys() & others.keys()))


def _below(pair: _Pair) -> Iterator[_Pair]:
    one, other, first, second = pair
    for segment, child in _edges(one):
        for another, below in _facing(segment, other):
            if one is not other or segment <= another:
                more = _literal(segment) - _literal(another)
                yield child, below, first or more > 0, second or more < 0


def _edges(node: Tree) -> Iterator[_Edge]:
    yield from ((key, child) for key, child in node.items() if not key.startswith("/"))
    yield from node.get(MIXED, ())
    if ONE in node:
        yield "{}", node[ONE]


def _facing(segment: str, node: Tree) -> Iterator[_Edge]:
    """Give the edges of a node that fit a segment which this one fits, too."""
    if "{}" not in segment:
        if segment in node and segment not in {ENDS, ONE, MANY, MIXED}:
            yield segment, node[segment]
        yield from ((another, child) for another, child in node.get(MIXED, ()) if _fits(segment, another))
        if ONE in node:
            yield "{}", node[ONE]
    else:
        yield from ((another, child) for another, child in _edges(node) if _meet(segment, another))


def _meet(segment: str, another: str) -> bool:
    if "{}" not in another:
        return _fits(another, segment)
    before, after = segment.partition("{}")[0], segment.rpartition("{}")[2]
    start, end = another.partition("{}")[0], another.rpartition("{}")[2]
    return (before.startswith(start) or start.startswith(before)) and (after.endswith(end) or end.endswith(after))


def _fits(literal: str, segment: str) -> bool:
    before, after = segment.partition("{}")[0], segment.rpartition("{}")[2]
    return len(literal) > len(before) + len(after) and literal.startswith(before) and literal.endswith(after)


def _literal(segment: str) -> int:
    """How literal a segment is: one without a variable more than any with."""
    return len(segment) + 1_000 if "{}" not in segment else len(segment.replace("{}", ""))
