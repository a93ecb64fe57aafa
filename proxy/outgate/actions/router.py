"""From a host to a service and from a path to an operation: tries, matched on what is sent, byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

MOST_SEGMENTS = 256
"""A longer path is no operation's."""

LONGEST_MIXED = 512
"""So that `{a}-{b}` takes no time on a segment of thousands of hyphens."""

_VARIABLE = re.compile(r"\{(_?[a-z][A-Za-z0-9_]*)(\+?)\}")
_LITERAL = re.compile(r"[!-z|~]*")


@dataclass(frozen=True, slots=True)
class Found[T]:
    """What a path leads to. `captures` are raw, in the order of the template's variables."""

    value: T
    captures: tuple[str, ...]


@dataclass(slots=True)
class _Node[T]:
    literal: dict[str, _Node[T]] = field(default_factory=dict)
    mixed: list[tuple[re.Pattern[str], _Node[T]]] = field(default_factory=list)
    one: _Node[T] | None = None
    rest: _Node[T] | None = None
    ends: dict[str, T] = field(default_factory=dict)


class Router[T]:
    """Path templates, of which the most literal one wins.

    The first segment from the left that differs decides: literal before mixed (`{id}.json`, more literal text first)
    before `{one}` before `{many+}`, the longest `{many+}` first, but one that ends its template last. A template without
    the method asked for is passed over.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: str, value: T) -> None:
        """Add `METHOD /a/{b}/{c+}`. Raises ValueError with a sentence for a template that is none, or is there already."""
        variables(template)
        node = self._root
        for segment in template.split("/")[1:]:
            node = _child(node, segment)
        if method in node.ends:
            raise ValueError(f"'{method} {template}' leads to two operations, keep one")
        node.ends[method] = value

    def find(self, method: str, path: str) -> Found[T] | None:
        """Find what a raw path leads to."""
        segments = path.split("/", MOST_SEGMENTS + 1)[1:]
        if len(segments) > MOST_SEGMENTS:
            return None
        found = _find(self._root, segments, 0, method)
        return None if found is None else Found(found[0], tuple(reversed(found[1])))


@lru_cache(maxsize=16)  # of one template it is asked a few times in a row
def variables(template: str) -> tuple[str, ...]:
    """Name the variables of a template. Raises ValueError with a sentence for what is no template."""
    if not template.startswith("/"):
        raise ValueError(f"path '{template}' must start with '/'")
    for segment in template.split("/"):
        plain = _VARIABLE.sub("", segment)
        if not _LITERAL.fullmatch(plain) or "{" in plain:
            raise ValueError(f"path '{template}' has a segment that is neither text nor a {{variable}}")
        greedy = [match for match in _VARIABLE.finditer(segment) if match[2]]
        if greedy and segment != greedy[0][0]:
            raise ValueError(f"in path '{template}' a {{many+}} must be a whole segment")
    names = tuple(match[1] for match in _VARIABLE.finditer(template))
    if len(set(names)) != len(names):
        raise ValueError(f"path '{template}' names a variable twice")
    return names


def is_kept(variable: str) -> bool:
    """Whether a variable is a parameter: one that starts with `_` is matched and then forgotten, as secrets are."""
    return not variable.startswith("_")


def _child[T](node: _Node[T], segment: str) -> _Node[T]:
    match = _VARIABLE.fullmatch(segment)
    if match is None:
        return _mixed(node, segment) if "{" in segment else node.literal.setdefault(segment, _Node())
    if match[2]:
        node.rest = node.rest or _Node()
        return node.rest
    node.one = node.one or _Node()
    return node.one


def _mixed[T](node: _Node[T], segment: str) -> _Node[T]:
    pattern = re.compile("(.+?)".join(map(re.escape, _VARIABLE.sub("\0", segment).split("\0"))))
    for known, child in node.mixed:
        if known == pattern:
            return child
    made: _Node[T] = _Node()
    node.mixed.append((pattern, made))
    node.mixed.sort(key=lambda pair: (-len(pair[0].pattern.replace("(.+?)", "")), pair[0].pattern))
    return made


def _find[T](node: _Node[T], segments: list[str], at: int, method: str) -> tuple[T, list[str]] | None:
    """Depth first, best first. Captures come back last first."""
    if at == len(segments):
        value = node.ends.get(method)
        return None if value is None else (value, [])
    segment = segments[at]
    child = node.literal.get(segment)
    if child is not None and (found := _find(child, segments, at + 1, method)) is not None:
        return found
    if node.mixed and (found := _find_mixed(node, segments, at, method)) is not None:
        return found
    if node.one is not None and segment and (found := _find(node.one, segments, at + 1, method)) is not None:
        found[1].append(segment)
        return found
    return None if node.rest is None else _find_rest(node.rest, segments, at, method)


def _find_mixed[T](node: _Node[T], segments: list[str], at: int, method: str) -> tuple[T, list[str]] | None:
    if len(segments[at]) > LONGEST_MIXED:
        return None
    for pattern, child in node.mixed:
        match = pattern.fullmatch(segments[at])
        if match is not None and (found := _find(child, segments, at + 1, method)) is not None:
            found[1].extend(reversed(match.groups()))
            return found
    return None


def _find_rest[T](node: _Node[T], segments: list[str], at: int, method: str) -> tuple[T, list[str]] | None:
    for end in (*range(len(segments) - 1, at, -1), len(segments)):
        if (found := _find(node, segments, end, method)) is not None:
            found[1].append("/".join(segments[at:end]))
            return found
    return None


@dataclass(slots=True)
class _Label[T]:
    literal: dict[str, _Label[T]] = field(default_factory=dict)
    one: _Label[T] | None = None
    value: T | None = None
    below: T | None = None
    """Of any name of one label more, or of several."""


class HostRouter[T]:
    """Host patterns: `api.x.test`, `{tenant}.x.test` (one label), `*.x.test` (one or more). The most literal one wins."""

    def __init__(self) -> None:
        self._root: _Label[T] = _Label()

    def add(self, pattern: str, value: T) -> None:
        """Add a pattern. Raises ValueError with a sentence for one that is there already."""
        wild, name = pattern.startswith("*."), pattern.removeprefix("*.")
        label = self._root
        for text in reversed(name.split(".")):
            if text.startswith("{"):
                label.one = label.one or _Label()
                label = label.one
            else:
                label = label.literal.setdefault(text, _Label())
        if (label.below if wild else label.value) is not None:
            raise ValueError(f"host '{pattern}' belongs to two services, keep one")
        if wild:
            label.below = value
        else:
            label.value = value

    def find(self, host: str) -> Found[T] | None:
        """Find whose host a canonical name is. Captures are labels, in the order of the pattern."""
        return _find_label(self._root, host.split(".")[::-1], 0)


def _find_label[T](label: _Label[T], names: list[str], at: int) -> Found[T] | None:
    if at == len(names):
        return None if label.value is None else Found(label.value, ())
    child = label.literal.get(names[at])
    if child is not None and (found := _find_label(child, names, at + 1)) is not None:
        return found
    if label.one is not None and (found := _find_label(label.one, names, at + 1)) is not None:
        return Found(found.value, (*found.captures, names[at]))
    return None if label.below is None else Found(label.below, ())
