"""Rows: how many things came back in an answer, where its form says."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from outgate.intake.bodies import DECODED_LIMIT, Undecodable, strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.intake.bodies import JsonValue

_LISTS: Final = frozenset(
    {
        *("data", "items", "results", "result", "records", "rows", "value", "values", "entries", "objects", "hits"),
        *("documents", "docs", "nodes", "edges", "list", "elements", "resources", "contents", "content", "included"),
        *("data_array", "members", "messages", "files", "users", "events"),
    }
)
"""Keys under which services put what was asked for, in small letters: the first six are nearly all of them."""
_ANSWERS: Final = "responses"
"""Where services answer several requests in one: Elasticsearch's `_msearch`, Microsoft Graph's `$batch`."""
_WRAPPED: Final = 4
"""How many objects may be around a list."""
_LINES: Final = frozenset(
    {"application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines", "application/json-seq"}
)
_SEPARATED: Final = {"text/csv": ",", "application/csv": ",", "text/tab-separated-values": "\t"}
_MOST_LINES: Final = 100_000
_GRAPHQL: Final = frozenset({"data", "errors", "extensions"})


def rows_in(content_type: str, content: bytes) -> int | None:
    """How many things a body has, its coding undone. None where that can't be told: malformed, too large, another type.

    Of JSON: the items of the list, or of the longest where there are several (in objects around it, under the names that
    services use, else under any name if its items are objects or lists); what holds no list is one thing; null, and nothing, is
    none. Lists inside the items don't count, but where the client chooses how much of what is in one answer: in those of
    GraphQL, that is all that stands in any list; of batches, what all their answers have together. Of JSON lines, CSV and TSV:
    the lines, without the header.
    """
    if not content.strip():
        return 0
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if len(content) > DECODED_LIMIT:
        return None
    if kind in _LINES:
        return _json_lines(content)
    if kind in _SEPARATED:
        return _separated(content, _SEPARATED[kind], header="header=absent" not in parameters.replace(" ", "").lower())
    if kind.endswith(("/json", "+json")):
        value = strict_json(content)
        return None if isinstance(value, Undecodable) else _rows(value)
    return None


def _rows(value: JsonValue) -> int:
    match value:
        case None:
            return 0
        case list() if value and all(_is_answer(item) for item in value):
            return sum(map(_rows, value))
        case list():
            return len(value)
        case dict() if _is_graphql(value):
            return _things(value["data"])
        case dict():
            return _longest(value)
        case _:
            return 1


def _is_answer(value: JsonValue) -> bool:
    """One of a batch: its list is what counts, not the batch's."""
    return isinstance(value, dict) and (_is_graphql(value) or value.get("jsonrpc") == "2.0")


def _is_graphql(value: dict[str, JsonValue]) -> bool:
    return isinstance(value.get("data"), dict) and value.keys() <= _GRAPHQL


def _longest(value: dict[str, JsonValue]) -> int:
    """A list under a name that says so is what was asked for, whatever else is there."""
    named, others = [], []
    for key, found in _lists(value):
        if key.lower() == _ANSWERS:
            named.append(sum(map(_rows, found)))
        elif key.lower() in _LISTS:
            named.append(len(found))
        elif all(isinstance(item, dict | list) for item in found):
            others.append(len(found))
    return max(named or others, default=1)


def _lists(value: dict[str, JsonValue]) -> Iterator[tuple[str, list[JsonValue]]]:
    around = [value]
    for _ in range(_WRAPPED):
        inner: list[dict[str, JsonValue]] = []
        for held in around:
            for key, found in held.items():
                if isinstance(found, list):
                    yield key, found
                elif isinstance(found, dict):
                    inner.append(found)
        around = inner


def _things(data: JsonValue) -> int:
    """All that stands in lists: under other names, or further in, the same things can be asked for any number of times."""
    count, listed = 0, False
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            count, listed = count + len(value), True
            waiting.extend(item for item in value if isinstance(item, dict | list))
        elif isinstance(value, dict):
            waiting.extend(item for item in value.values() if isinstance(item, dict | list))
    return count if listed else 1


def _json_lines(content: bytes) -> int | None:
    count = 0
    for line in content.replace(b"\x1e", b"\n").split(b"\n"):
        if line.strip():
            count += 1
            if count > _MOST_LINES or isinstance(strict_json(line.strip()), Undecodable):
                return None
    return count


def _separated(content: bytes, delimiter: str, *, header: bool) -> int | None:
    if b"\0" in content:  # two bytes a character: its lines are not these
        return None
    lines = content.decode("latin-1").removeprefix("ï»¿").splitlines(keepends=True)
    try:
        count = sum(1 for row in csv.reader(lines, delimiter=delimiter, strict=True) if row)
    except csv.Error:
        return None
    return max(0, count - header)
