"""From a host to a service and from a path to an operation: tries, matched on what is sent, byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

MOST_SEGMENTS = 256
"""A longer path is no operation's."""

LONGEST_MIXED = 512
"""So that `{a}-{b}` takes no time on a segment of thousands of hyphens."""

ENDS, ONE, MANY, MIXED = "/", "/1", "/+", "/~"
"""Keys of a tree that are no segment: no segment has a slash."""

type Tree = dict[str, Any]
"""A node of a tree of templates, as JSON has it: a node for each literal segment; under `ENDS` what ends here, by method; under
`ONE` the node of `{one}`, under `MANY` that of `{many+}`; under `MIXED` pairs of a segment such as `{}.json` and its node, the
one with more literal text first."""

_VARIABLE = re.compile(r"\{(_?[a-z][A-Za-z0-9_]*)(\+?)\}")
_LITERAL = re.compile(r"[!-z|~]*")


@dataclass(frozen=True, slots=True)
class Found[T]:
    """What a path leads to. `captures` are raw, in the order of the template's variables."""

    value: T
    captures: tuple[str, ...]


class Router[T]:
    """Path templates, of which the most literal one wins.

    The first segment from the left that differs decides: literal before mixed (`{id}.json`, more literal text first)
    before `{one}` before `{many+}`, the longest `{many+}` first, but one that ends its template last. A template without
    the method asked for is passed over.
    """

    def __init__(self) -> None:
        self._tree: Tree = {}

    def add(self, method: str, template: str, value: T) -> None:
        """Add `METHOD /a/{b}/{c+}`. Raises ValueError with a sentence for a template that is none, or is there already."""
        if not plant(self._tree, method, template, value):
            raise ValueError(f"'{method} {template}' leads to two operations, keep one")

    def find(self, method: str, path: str) -> Found[T] | None:
        """Find what a raw path leads to."""
        return match(self._tree, method, path)

    def __bool__(self) -> bool:
        """Whether there is any template."""
        return bool(self._tree)


def plant(tree: Tree, method: str, template: str, value: object) -> bool:
    """Add a template to a tree; False where one just like it is there. Raises ValueError with a sentence for what is none."""
    variables(template)
    node = tree
    for segment in template.split("/")[1:]:
        node = _child(node, segment)
    ends = node.setdefault(ENDS, {})
    if method in ends:
        return False
    ends[method] = value
    return True


def match(tree: Tree, method: str, path: str) -> Found[Any] | None:
    """Find what a raw path leads to in a tree."""
    segments = path.split("/", MOST_SEGMENTS + 1)[1:]
    if len(segments) > MOST_SEGMENTS:
        return None
    found = _find(tree, segments, 0, method)
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


def _child(node: Tree, segment: str) -> Tree:
    variable = _VARIABLE.fullmatch(segment)
    if variable is None and "{" in segment:
        return _mixed(node, _VARIABLE.sub("{}", segment))
    key = segment if variable is None else MANY if variable[2] else ONE
    child: Tree = node.setdefault(key, {})
    return child


def _mixed(node: Tree, segment: str) -> Tree:
    pairs: list[tuple[str, Tree]] = node.setdefault(MIXED, [])
    for known, child in pairs:
        if known == segment:
            return child
    made: Tree = {}
    pairs.append((segment, made))
    pairs.sort(key=lambda pair: (-len(pair[0].replace("{}", "")), pair[0]))
    return made


@lru_cache(maxsize=4096)
def _pattern(segment: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, segment.split("{}"))))


type _Way = tuple[Any, list[str]] | None
"""What ends there, and the captures, last first."""


def _find(node: Tree, segments: list[str], at: int, method: str) -> _Way:
    """Depth first, best first."""
    if at == len(segments):
        ends = node.get(ENDS)
        return None if ends is None or (value := ends.get(method)) is None else (value, [])
    segment = segments[at]
    child = node.get(segment)
    if child is not None and (found := _find(child, segments, at + 1, method)) is not None:
        return found
    if MIXED in node and (found := _find_mixed(node[MIXED], segments, at, method)) is not None:
        return found
    if segment and ONE in node and (found := _find(node[ONE], segments, at + 1, method)) is not None:
        found[1].append(segment)
        return found
    return _find_many(node[MANY], segments, at, method) if MANY in node else None


def _find_mixed(pairs: list[tuple[str, Tree]], segments: list[str], at: int, method: str) -> _Way:
    if len(segments[at]) > LONGEST_MIXED:
        return None
    for segment, child in pairs:
        fits = _pattern(segment).fullmatch(segments[at])
        if fits is not None and (found := _find(child, segments, at + 1, method)) is not None:
            found[1].extend(reversed(fits.groups()))
            return found
    return None


def _find_many(node: Tree, segments: list[str], at: int, method: str) -> _Way:
    for end in (*range(len(segments) - 1, at, -1), len(segments)):
        if (found := _find(node, segments, end, method)) is not None:
            found[1].append("/".join(segments[at:end]))
            return found
    return None


@dataclass(slots=True)
class _Label[T]:
    literal: dict[str, _Label[T]] = field(default_factory=dict)
    mixed: list[tuple[str, _Label[T]]] = field(default_factory=list)
    one: _Label[T] | None = None
    value: T | None = None
    below: T | None = None
    """Of any name of one label more, or of several."""


class HostRouter[T]:
    """Host patterns: `api.x.test`, `{tenant}.x.test` (one label), `{region}-x.test` (a part), `*.x.test` (one or more labels).

    The most literal one wins.
    """

    def __init__(self) -> None:
        self._root: _Label[T] = _Label()

    def add(self, pattern: str, value: T) -> None:
        """Add a pattern. Raises ValueError with a sentence for one that is there already."""
        wild, name = pattern.startswith("*."), pattern.removeprefix("*.")
        label = self._root
        for text in reversed(name.split(".")):
            label = _below(label, text)
        if (label.below if wild else label.value) is not None:
            raise ValueError(f"host '{pattern}' belongs to two services, keep one")
        if wild:
            label.below = value
        else:
            label.value = value

    def find(self, host: str) -> Found[T] | None:
        """Find whose host a canonical name is. Captures are labels and parts of them, in the order of the pattern."""
        return _find_label(self._root, host.split(".")[::-1], 0)


def host_variables(pattern: str) -> tuple[str, ...]:
    """Name the variables of a host pattern."""
    return tuple(_HOST_VARIABLE.findall(pattern))


_HOST_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def _below[T](label: _Label[T], text: str) -> _Label[T]:
    if "{" not in text:
        return label.literal.setdefault(text, _Label())
    if _HOST_VARIABLE.fullmatch(text):
        label.one = label.one or _Label()
        return label.one
    segment = _HOST_VARIABLE.sub("{}", text)
    for known, child in label.mixed:
        if known == segment:
            return child
    made: _Label[T] = _Label()
    label.mixed.append((segment, made))
    label.mixed.sort(key=lambda pair: (-len(pair[0]), pair[0]))
    return made


def _find_label[T](label: _Label[T], names: list[str], at: int) -> Found[T] | None:
    if at == len(names):
        return None if label.value is None else Found(label.value, ())
    child = label.literal.get(names[at])
    if child is not None and (found := _find_label(child, names, at + 1)) is not None:
        return found
    for segment, inside in label.mixed:
        fits = _pattern(segment).fullmatch(names[at])
        if fits is not None and (found := _find_label(inside, names, at + 1)) is not None:
            return Found(found.value, (*found.captures, *fits.groups()))
    if label.one is not None and (found := _find_label(label.one, names, at + 1)) is not None:
        return Found(found.value, (*found.captures, names[at]))
    return None if label.below is None else Found(label.below, ())
