"""Service files on disk: the shipped ones and the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.stores.shipped import shipped
from outgate.stores.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from outgate.actions.catalog import Catalog
    from outgate.document import Document


def load_catalog(*extra: Path) -> Catalog:
    """Read the shipped service files and more of the operator's: files, or folders of them.

    Raises ConfigError with every problem in every file: a catalog with a hole in it would call a deed a guess.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    for path in (*_files(shipped("rules", "services")), *(file for given in extra for file in _files(given))):
        try:
            documents.append(parse(text_of(path), str(path)))
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
