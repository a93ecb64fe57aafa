"""OpenAPI documents and overlays on disk, and the service files that are made of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from outgate.actions.openapi.described import read_text
from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.stores.texts import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from outgate.document import Document

LARGEST_JSON = 32 * 2**20
"""Bytes of one document in JSON, which is read much faster than YAML."""


def read_described(path: Path) -> Document:
    """Read an OpenAPI document, YAML or JSON; `-` is the standard input. Raises ConfigError."""
    return read_text(_from_input(), "-") if str(path) == "-" else read_document(path)


def read_document(path: Path) -> Document:
    """Read YAML, or JSON by its name. Raises ConfigError."""
    if path.suffix == ".json":
        return read_text(text_of(path, most=LARGEST_JSON), str(path), is_json=True)
    return read_text(text_of(path, remedy="split it, or write it as JSON in a file that ends in .json"), str(path))


def read_service_file(path: Path) -> Document:
    """Read a service file. Raises ConfigError."""
    return parse(text_of(path), str(path))


def _from_input() -> str:
    content = sys.stdin.buffer.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise ConfigError(Problem(source="-", message=f"is larger than {LARGEST_JSON} bytes, split it"))
    try:
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(source="-", message="not text: a document is UTF-8")) from error
