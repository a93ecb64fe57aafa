"""Change one entry of a file that people write, and nothing else of it: their comments and their order stay."""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from outgate.disk import Disk, make_folder, replace_whole
from outgate.document import parse
from outgate.errors import ConfigError, UnavailableError
from outgate.stores.texts import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from outgate.document import Document

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
_NOT_TEXT = frozenset({"true", "false", "null"})
_INDENT = "  "


def with_entry(text: str, source: str, table: str, name: str, entry: Mapping[str, Any]) -> str:
    """Give the text with that entry in that table, in place of one of the same name or after the others.

    Where its shape leaves no room for that (all in one line, say), the whole is written anew. Raises ConfigError for text
    that is no YAML.
    """
    document = parse(text, source)
    whole = dict(document.value or {})
    whole[table] = {**(whole.get(table) or {}), name: dict(entry)}
    changed = _changed(text, document, table, name, f"{_scalar(name)}: {_flow(entry)}")
    if changed is not None and _says(changed, source, whole):
        return changed
    return _written(whole)


def without_entry(text: str, source: str, table: str, name: str) -> str:
    """Give the text without that entry of that table, as `with_entry` would change it. Raises ConfigError."""
    document = parse(text, source)
    whole = dict(document.value or {})
    whole[table] = {key: value for key, value in (whole.get(table) or {}).items() if key != name}
    changed = _removed(text, document, table, name, last=not whole[table])
    if changed is not None and _says(changed, source, whole):
        return changed
    return _written(whole)


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keep everybody else who changes files beside this one from doing so meanwhile. Raises UnavailableError."""
    try:
        make_folder(Disk(), path.parent)
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UnavailableError(f"{path.parent} can't be used: {error.strerror or error}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def replace_text(path: Path, text: str) -> None:
    """Put a text in the place of a file's, durably, whole or not at all; owner and mode stay. Raises UnavailableError."""
    target, content = path.resolve(), text.encode()
    if len(content) > LARGEST:
        raise UnavailableError(f"{path} is full: no more than {LARGEST} bytes of it are read")
    try:
        replace_whole(target, content, begin=lambda fd: _like(fd, target))
    except OSError as error:
        raise UnavailableError(f"{path} can't be written: {error.strerror or error}") from error


def _like(fd: int, target: Path) -> None:
    """As the file was; a new one belongs to whoever its folder belongs to, whose gate is to read it."""
    there = target.exists()
    found = (target if there else target.parent).stat()
    if os.geteuid() == 0:
        os.fchown(fd, found.st_uid, found.st_gid)
    os.fchmod(fd, found.st_mode & 0o777 if there else 0o640)


def _changed(text: str, document: Document, table: str, name: str, written: str) -> str | None:
    """The text with one line, or some, in the place of others. None where entries don't stand on lines of their own."""
    lines = text.splitlines()
    entries = (document.value or {}).get(table)
    if not entries:
        kept = [line for line in lines if not re.match(rf"{re.escape(table)}\s*:", line)]
        return _joined([*kept, f"{table}:", _INDENT + written])
    starts = {one: document.problem((table, one), "", key=True) for one in entries}
    ours = {at.line - 1: at.column - 1 for at in starts.values()}
    columns = set(ours.values())
    if len(ours) < len(starts) or len(columns) != 1 or any(lines[at][:column].strip() for at, column in ours.items()):
        return None
    (column,) = columns
    if name in starts:
        start = starts[name].line - 1
        end = _end(lines, start, column)
    else:
        start = end = _end(lines, max(ours), column)
    return _joined([*lines[:start], " " * column + written, *lines[end:]])


def _removed(text: str, document: Document, table: str, name: str, *, last: bool) -> str | None:
    """The text without some lines. None where entries don't stand on lines of their own."""
    lines = text.splitlines()
    at = document.problem((table, name), "", key=True)
    start, column = at.line - 1, at.column - 1
    if name not in (document.value or {}).get(table, {}) or lines[start][:column].strip():
        return None
    kept = [*lines[:start], *lines[_end(lines, start, column) :]]
    if last:
        kept = [re.sub(rf"^({re.escape(table)}\s*:)(?=\s|$)", r"\1 {}", line) for line in kept]
    return _joined(kept)


def _end(lines: list[str], start: int, column: int) -> int:
    """Where an entry ends: before the next line that is not further in; what stands between is not its own."""
    last = start
    for at in range(start + 1, len(lines)):
        line = lines[at]
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        if len(line) - len(line.lstrip()) <= column:
            break
        last = at
    return last + 1


def _says(text: str, source: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return bool(parse(text, source).value == wanted)
    except ConfigError:
        return False


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n") + "\n"


def _written(whole: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for key, value in whole.items():
        if not isinstance(value, dict) or not value:
            lines.append(f"{_scalar(key)}: {_flow(value)}")
            continue
        lines.append(f"{_scalar(key)}:")
        lines += [f"{_INDENT}{_scalar(name)}: {_flow(entry)}" for name, entry in value.items()]
    return _joined(lines)


def _flow(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{_scalar(key)}: {_flow(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str():
            return _scalar(value)
        case _:
            return json.dumps(value)


def _scalar(text: str) -> str:
    """Without quotes where nothing could take it for something else."""
    return text if _PLAIN.fullmatch(text) and text not in _NOT_TEXT else json.dumps(text, ensure_ascii=False)
