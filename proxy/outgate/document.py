"""YAML as operators write it: core types of YAML 1.2, no surprises, and where each thing stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

type Path = tuple[str | int, ...]
"""From the document's root to a value: keys and list indexes."""


DEEPEST = 64
"""Levels of nesting in what a person writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed file. `value` is plain dict, list, str, int, float, bool and None."""

    source: str
    value: Any
    places: dict[Path, tuple[int, int]] = field(repr=False)

    def problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        """Name the place of `path`, or of the nearest thing around it that has one. `key`: of the key itself."""
        line, column = 0, 0
        for end in range(len(path), -1, -1):
            wanted = (*path[:end], _KEY) if key and end == len(path) else path[:end]
            if wanted in self.places:
                line, column = self.places[wanted]
                break
        return Problem(source=self.source, line=line, column=column, message=message)


_KEY = "\0key"


class _CoreLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml where it is: ten times as fast
    """YAML 1.2 core resolution: `off`, `NO` and `19:00` stay text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own class attribute


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?[0-9]+\.[0-9]+$", "-+0123456789"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def parse(text: str, source: str, *, shaped: bool = False) -> Document:
    """Read one YAML document. Raises ConfigError with every duplicate key and alias, or the first syntax error.

    `shaped`: it has no alias and is not deep, for it comes with Outgate and is tested; to look takes a third of the time.
    """
    loader = _CoreLoader(text)
    try:
        if not shaped:
            _refuse_shapes(text, source)
        node = loader.get_single_node()
        walk = _Walk(source=source)
        value = walk.build(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line, column = _place(error.problem_mark or error.context_mark)
        said = error.problem or error.context or "not YAML"
        raise ConfigError(Problem(source=source, line=line, column=column, message=f"not YAML: {said}")) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(Problem(source=source, message=f"not YAML: {error}")) from error
    finally:
        loader.dispose()
    if walk.problems:
        raise ConfigError(*walk.problems)
    return Document(source=source, value=value, places=walk.places)


def _place(mark: Any) -> tuple[int, int]:  # PyYAML has two Mark classes, one of them in C
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _refuse_shapes(text: str, source: str) -> None:
    """Look at the bare events first: building a tree of what is nested without end would overflow the stack, in C."""
    found: list[Problem] = []
    depth = 0
    for event in yaml.parse(text, Loader=_CoreLoader):
        match event:
            case yaml.AliasEvent():
                found.append(_problem(source, event, f"alias '*{event.anchor}' is not allowed here, write the value out"))
            case yaml.CollectionStartEvent():
                depth += 1
                if depth > DEEPEST:
                    raise ConfigError(_problem(source, event, f"nested deeper than {DEEPEST} levels"))
            case yaml.CollectionEndEvent():
                depth -= 1
            case _:
                pass
    if found:
        raise ConfigError(*found)


def _problem(source: str, event: yaml.Event, message: str) -> Problem:
    line, column = _place(event.start_mark)
    return Problem(source=source, line=line, column=column, message=message)


@dataclass(slots=True, kw_only=True)
class _Walk:
    source: str
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.places[path] = _place(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node.value, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, pairs: Iterable[tuple[yaml.Node, yaml.Node]], path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, child in pairs:
            place = _place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._report(place, "a key must be plain text")
                continue
            name = str(key.value)
            if name in made:
                self._report(place, f"'{name}' is here twice, keep one")
                continue
            self.places[(*path, name, _KEY)] = place
            made[name] = self.build(child, (*path, name))
        return made

    def _scalar(self, node: yaml.Node) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        match tag:
            case "str":
                return node.value
            case "int":
                return int(node.value)
            case "float":
                return float(node.value)
            case "bool":
                return node.value == "true"
            case "null":
                return None
            case _:
                self._report(_place(node.start_mark), f"tag '{node.tag}' is not allowed here")
                return None

    def _report(self, place: tuple[int, int], message: str) -> None:
        self.problems.append(Problem(source=self.source, line=place[0], column=place[1], message=message))
