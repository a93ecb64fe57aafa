"""Service files on disk: the shipped ones and the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.stores.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from outgate.actions.catalog import Catalog
    from outgate.document import Document

LARGEST = 4 * 2**20
"""Bytes of one service file."""


def load_catalog(*extra: Path) -> Catalog:
    """Read the shipped service files and more of the operator's: files, or folders of them.

    Raises ConfigError with every problem in every file: a catalog with a hole in it would call a deed a guess.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    for path in (*_files(shipped("rules", "services")), *(file for given in extra for file in _files(given))):
        try:
            documents.append(_document(path))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(*problems)
    return compile_catalog(documents)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(path.glob("*.yaml"))
    else:
        yield path


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Problem(source=str(path), message=f"can't be read: {error}")) from error
    if len(content) > LARGEST:
        raise ConfigError(Problem(source=str(path), message=f"is larger than {LARGEST} bytes, split it"))
    return parse(text, str(path))
