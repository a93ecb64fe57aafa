"""Files that people write, as text: UTF-8, and never more of one than a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 4 * 2**20
"""Bytes of one file in YAML; reading it takes seconds."""


def text_of(path: Path, *, absent: str | None = None, most: int = LARGEST, remedy: str = "split it") -> str:
    """Read a file, its line ends made plain; `absent`: what it is taken to say where there is none, else that is an error.

    `remedy`: what to do about one of more than `most` bytes. Raises ConfigError.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        if absent is not None and isinstance(error, FileNotFoundError):
            return absent
        raise ConfigError(Problem(source=str(path), message=f"can't be read: {error.strerror or error}")) from error
    if len(content) > most:
        raise ConfigError(Problem(source=str(path), message=f"is larger than {most} bytes, {remedy}"))
    try:
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(source=str(path), message="not text: this file is UTF-8")) from error
