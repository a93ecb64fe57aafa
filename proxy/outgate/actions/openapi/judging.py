"""What an operation of a document is, access and tier: by its scopes, its method and its names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from outgate.actions.access import judge
from outgate.actions.action import Access, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outgate.actions.openapi.operations import Described

_WORDS = re.compile(r"[A-Za-z]+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READS = _set("read readonly view viewer list get search")
_WRITES = _set("write edit create update modify manage readwrite delete remove send publish admin owner full all execute pay")
_ADMINS = _set("admin administration owner")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Judgement(NamedTuple):
    """Access, tier, and what the tier comes from."""

    access: Access
    tier: Tier
    why: str


def judged(one: Described, name: str) -> Judgement:
    """Judge one operation. What stands in another document is unknown."""
    if one.remote:
        return Judgement(Access.UNKNOWN, Tier.T2, "what it is stands in another document")
    plain = judge(name, method=one.method, path=one.template)
    level = _level(one, told=any(evidence.startswith("verb") for evidence in plain.evidence))
    found = judge(name, method=one.method, path=one.template, level=level) if level else plain
    if plain.tier > found.tier and level != "r":
        found = plain
    return Judgement(found.access, found.tier, found.why)


def _level(one: Described, *, told: bool) -> str:
    """What scopes say beyond the method: a GET that writes, a POST that only reads, what is for administrators alone."""
    ways = [frozenset(word.lower() for scope in way for word in _WORDS.findall(scope)) for way in one.ways]
    if not ways or one.method == "DELETE":
        return ""
    reads = all(way & _READS and not way & _WRITES for way in ways)
    writes = all(way & _WRITES and not way & _READS for way in ways)
    if one.method in _READING:
        return "w" if writes else ""
    if all(way & _ADMINS for way in ways):
        return "p"
    return "r" if reads and one.method == "POST" and not told else ""


def ambiguous(routes: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Give pairs of routes, method and template, that some path fits alike, neither being the more literal: winner to other."""
    trees: dict[str, dict[str, dict]] = {}  # type: ignore[type-arg]  # a tree of trees
    found: dict[tuple[str, str], tuple[str, str]] = {}
    listed = [(method, template, _shape(template)) for method, template in routes]
    for method, template, shape in listed:
        node = trees.setdefault(method, {})
        for segment in shape:
            node = node.setdefault(segment, {})
        node["/"] = template  # type: ignore[assignment]
    for method, template, shape in listed:
        for other in _alike(trees[method], shape, 0, ahead=False, behind=False):
            found[method, template] = (method, other)
    return found


def _shape(template: str) -> tuple[str, ...]:
    return tuple("{}" if re.fullmatch(r"\{[^{}]*\}", segment) else segment for segment in template.split("/")[1:])


def _alike(node: Mapping[str, object], shape: tuple[str, ...], at: int, *, ahead: bool, behind: bool) -> Iterable[str]:
    """Walk templates that a path of this shape may fit too: this one must be literal first, the other somewhere later."""
    if at == len(shape):
        if ahead and behind and isinstance(node.get("/"), str):
            yield str(node["/"])
        return
    segment = shape[at]
    for key, below in node.items():
        if key == "/" or not isinstance(below, dict):
            continue
        if key == segment:
            yield from _alike(below, shape, at + 1, ahead=ahead, behind=behind)
        elif key == "{}":
            yield from _alike(below, shape, at + 1, ahead=True, behind=behind)
        elif segment == "{}" and ahead:
            yield from _alike(below, shape, at + 1, ahead=ahead, behind=True)
