"""From a host to a service and from a path to an operation: tries, matched on what is sent, byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def routes(self) -> Iterator[tuple[str, str, T]]:
        """Give method, template with `{}` for each variable, and what it leads to, for each route."""
        yield from walk(self._tree)

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


def walk(node: Tree, above: str = "") -> Iterator[tuple[str, str, Any]]:
    """Give method, template with `{}` for each variable and `{+}` for one of many segments, and what ends there."""
    for key, below in node.items():
        if key == ENDS:
            for method, ends in below.items():
                for one in ends if isinstance(ends, list) else [ends]:
                    yield method, above, one
        elif key == MIXED:
            for segment, inside in below:
                yield from walk(inside, f"{above}/{segment}")
        else:
            yield from walk(below, f"{above}/{ {ONE: '{}', MANY: '{+}'}.get(key, key) }")


def match(tree: Tree, method: str, path: str, *, folded: bool = False) -> Found[Any] | None:
    """Find what a raw path leads to in a tree. `folded`: its segments are in small letters, and a path's may be in any."""
    segments = path.split("/", MOST_SEGMENTS + 1)[1:]
    if len(segments) > MOST_SEGMENTS:
        return None
    found = _find(tree, _Path(segments, _folded(segments) if folded else segments, method, set()), 0)
    return None if found is None else Found(found[0], tuple(reversed(found[1])))


def every(tree: Tree, method: str, path: str, *, folded: bool = False) -> list[Any]:
    """Give what ends at each template that fits a raw path, the most literal first: another server may take another one."""
    segments = path.split("/", MOST_SEGMENTS + 1)[1:]
    if len(segments) > MOST_SEGMENTS:
        return []
    return list(_ends(tree, _Path(segments, _folded(segments) if folded else segments, method, set()), 0))


def _folded(segments: list[str]) -> list[str]:
    """ASCII alone: other letters are escaped in a path."""
    return "/".join(segments).lower().split("/")


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


@lru_cache(maxsize=65_536)
def _around(segment: str) -> tuple[str, str, bool]:
    """Text before the first variable and after the last, and whether that is the same one."""
    before, *between, after = segment.split("{}")
    return before, after, not between


type _Way = tuple[Any, list[str]] | None
"""What ends there, and the captures, last first."""


@dataclass(slots=True)
class _Path:
    """A path while it is matched: `texts` are captured, `keys` compared. `dead` are nodes and where nothing fits below them."""

    texts: list[str]
    keys: list[str]
    method: str
    dead: set[tuple[int, int]]


def _find(node: Tree, path: _Path, at: int) -> _Way:
    """Depth first, best first."""
    keys = path.keys
    if at == len(keys):
        ends = node.get(ENDS)
        return None if ends is None or (value := ends.get(path.method)) is None else (value, [])
    key = keys[at]
    child = node.get(key)
    if child is not None and (found := _find(child, path, at + 1)) is not None:
        return found
    if MIXED in node and (found := _find_mixed(node[MIXED], path, at)) is not None:
        return found
    if key and ONE in node and (found := _find(node[ONE], path, at + 1)) is not None:
        found[1].append(path.texts[at])
        return found
    return _find_many(node[MANY], path, at) if MANY in node else None


def _find_mixed(pairs: list[tuple[str, Tree]], path: _Path, at: int) -> _Way:
    for segment, child in pairs:
        captured = _captured(segment, path.keys[at], path.texts[at])
        if captured is not None and (found := _find(child, path, at + 1)) is not None:
            found[1].extend(reversed(captured))
            return found
    return None


def _captured(segment: str, key: str, text: str) -> tuple[str, ...] | None:
    """Give what the variables of `{}.json` hold; None where it does not fit. One variable needs no expression."""
    before, after, single = _around(segment)
    if len(key) <= len(before) + len(after) or not key.endswith(after) or not key.startswith(before) or len(key) > LONGEST_MIXED:
        return None
    if single:
        return (text[len(before) : len(text) - len(after)],)
    fits = _pattern(segment).fullmatch(key)
    return None if fits is None else tuple(text[fits.start(at) : fits.end(at)] for at in range(1, len(fits.regs)))


def _find_many(node: Tree, path: _Path, at: int) -> _Way:
    """The longest first, but what ends a template last. Of nodes below several `{many+}` each is tried once from a place."""
    if (id(node), at) in path.dead:
        return None
    for end in (*range(len(path.keys) - 1, at, -1), len(path.keys)):
        if (found := _find(node, path, end)) is not None:
            found[1].append("/".join(path.texts[at:end]))
            return found
    path.dead.add((id(node), at))
    return None


def _ends(node: Tree, path: _Path, at: int) -> Iterator[Any]:
    """Each node once from a place."""
    if (id(node), at) in path.dead:
        return
    path.dead.add((id(node), at))
    if at == len(path.keys):
        if path.method in node.get(ENDS, ()):
            yield node[ENDS][path.method]
        return
    key = path.keys[at]
    if key in node:
        yield from _ends(node[key], path, at + 1)
    for segment, child in node.get(MIXED, ()):
        if _captured(segment, key, key) is not None:
            yield from _ends(child, path, at + 1)
    if key and ONE in node:
        yield from _ends(node[ONE], path, at + 1)
    if MANY in node:
        for end in (*range(len(path.keys) - 1, at, -1), len(path.keys)):
            yield from _ends(node[MANY], path, end)


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
