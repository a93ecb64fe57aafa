"""The text of an OpenAPI document, YAML or JSON, with the place of everything in it."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from outgate.document import DEEPEST, Document, parse
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.document import Path

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_KEY = "\0key"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SKIPPED = frozenset({"responses", "example", "examples"})
"""Most of a document by size, and nothing that an operation is read from."""


def read_text(text: str, source: str, *, is_json: bool = False) -> Document:
    """Read JSON where it is said to be some or starts like it, else YAML.

    Raises ConfigError with every duplicate key, or the first syntax error.
    """
    starts = text.lstrip("\ufeff \t\r\n").startswith("{")
    return _read_json(text, source) if is_json or starts else parse(text, source)


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonDocument(Document):
    """Where things stand is worked out when somebody first asks: a document without faults is never asked."""

    text: str

    def problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        if not self.places:
            self.places.update((at, place) for at, place, _ in _placed(self.text))
        return Document.problem(self, path, message, key=key)


def _read_json(text: str, source: str) -> Document:
    twice = False

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(pairs)
        twice = twice or len(made) < len(pairs)
        return made

    try:
        value = json.loads(text.lstrip("\ufeff"), object_pairs_hook=table, parse_constant=_refused)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        problem = Problem(source=source, line=error.lineno, column=error.colno, message=f"not JSON: {error.msg.lower()}")
        raise ConfigError(problem) from error
    except UnicodeEncodeError as error:
        raise ConfigError(Problem(source=source, message="not JSON: half of a surrogate pair is no text")) from error
    except _ConstantError as error:
        raise ConfigError(Problem(source=source, message=f"not JSON: it has no '{error}'")) from error
    except RecursionError as error:
        raise ConfigError(Problem(source=source, message=f"nested deeper than {DEEPEST} levels")) from error
    if _is_deep(value):
        raise ConfigError(Problem(source=source, message=f"nested deeper than {DEEPEST} levels"))
    if twice:
        raise ConfigError(*_duplicates(text, source))
    return _JsonDocument(source=source, value=value, places={}, text=text)


class _ConstantError(Exception):
    """Infinity or NaN."""


def _refused(constant: str) -> NoReturn:
    raise _ConstantError(constant)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
        if not level:
            return False
    return True


def _duplicates(text: str, source: str) -> list[Problem]:
    return [
        Problem(source=source, line=line, column=column, message=f"'{path[-2]}' is here twice, keep one")
        for path, (line, column), again in _placed(text, everything=True)
        if again
    ]


def _placed(text: str, *, everything: bool = False) -> Iterator[tuple[Path, tuple[int, int], bool]]:
    """Give the path and place of each value and each key of sound JSON; True with a key that its table has already."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    open_: list[tuple[Path, set[str] | None]] = []
    path: Path = ()
    awaits_key = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        line = bisect_right(starts, token.start())
        place = line, token.start() - starts[line - 1] + 1
        if word == ",":
            path = open_[-1][0] if open_[-1][1] is not None else (*path[:-1], int(path[-1]) + 1)
            awaits_key = open_[-1][1] is not None
        elif word in "}]":
            path = open_.pop()[0]
        elif word == ":":
            continue
        elif awaits_key:
            name, awaits_key = json.loads(word), False
            above, names = open_[-1]
            path = (*above, name)
            yield (*path, _KEY), place, names is not None and name in names
            if names is not None:
                names.add(name)
        else:
            if everything or not _SKIPPED & {*path}:
                yield path, place, False
            if word in "{[":
                awaits_key = word == "{"
                open_.append((path, set() if awaits_key else None))
                path = path if awaits_key else (*path, 0)
