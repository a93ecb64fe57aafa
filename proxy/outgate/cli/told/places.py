"""Where requests are written down: a line, a file, the standard input. What it is, is known by its form."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.cli.told.curl import read_curl
from outgate.cli.told.har import read_har
from outgate.cli.told.raw import read_raw
from outgate.cli.told.shell import is_curl
from outgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.policy.call import Call

LARGEST = 128 * 2**20
"""Bytes of an HAR file."""
LARGEST_BODY = 64 * 2**20
"""Bytes of a file that a curl command sends."""

type Told = tuple[str, Call | str]
"""A request as it was written, to be told apart from others, and the call, or why it is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a person named. `line` is a command, or `-` for the standard input."""

    line: str = ""
    curl: Path | None = None
    har: Path | None = None
    raw: Path | None = None


def told(place: Place) -> list[Told]:
    """Read every request there. Raises ConfigError with a sentence."""
    named = [one for one in (place.line or None, place.curl, place.har, place.raw) if one is not None]
    if len(named) != 1:
        raise ConfigError("say one request: 'METHOD URL', a curl command, or one of --curl, --har and --raw")
    try:
        return list(_told(place))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _told(place: Place) -> Iterable[Told]:
    if place.har is not None:
        return read_har(_text(_content(place.har)))
    if place.raw is not None:
        return [("the request", read_raw(_content(place.raw)))]
    if place.curl is not None:
        return _commands(_text(_content(place.curl)))
    return _input() if place.line == "-" else _commands(place.line)


def _input() -> Iterable[Told]:
    content = _content(Path("-"))
    start = content[:4096].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        return read_har(_text(content))
    return _commands(_text(content)) if is_curl(start) else [("the request", read_raw(content))]


def _commands(text: str) -> Iterator[Told]:
    """Commands follow each other in lines of their own; a line that ends with a backslash goes on in the next."""
    for command in _split(text):
        for at, made in enumerate(read_curl(command, _sent)):
            yield f"curl {at + 1}", made


def _split(text: str) -> Iterator[str]:
    """Start a new command where a line begins with curl, outside of the one before."""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        begins = is_curl(line) and not (lines and lines[-1].rstrip("\r\n").endswith("\\"))
        if begins and lines:
            yield "".join(lines)
            lines = []
        if lines or begins or line.strip():
            lines.append(line)
    if lines:
        yield "".join(lines)


def _sent(name: str) -> bytes:
    """The content of a file that a command sends."""
    path = Path(name)
    with sys.stdin.buffer if name == "-" else path.open("rb") as file:
        content = file.read(LARGEST_BODY + 1)
    if len(content) > LARGEST_BODY:
        raise ValueError(f"{name} is larger than {LARGEST_BODY} bytes, which no gate keeps")
    return content


def _content(path: Path) -> bytes:
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror or error}") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST} bytes, split it")
    return content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("not text: what is read here is UTF-8") from error
