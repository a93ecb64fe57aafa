"""Canned answers and OpenAPI documents on disk: the shipped ones and the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.errors import ConfigError, Problem
from outgate.stores.described_files import read_document
from outgate.stores.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from outgate.document import Document


def mock_files(*own: Path) -> dict[str, tuple[Document, ...]]:
    """Read every file of canned answers, by service: the shipped one first, then the operator's, files or folders of them.

    Raises ConfigError with every problem that reading has.
    """
    return _by_service(path for folder in (shipped("rules", "mocks"), *own) for path in _files(folder))


def own_mock_files(*own: Path) -> dict[str, tuple[Document, ...]]:
    """Read the operator's own alone."""
    return _by_service(path for folder in own for path in _files(folder))


def shipped_mock_file(service: str) -> Document | None:
    """The shipped file of one service; None where there is none."""
    folder = shipped("rules", "mocks")
    path = next((path for path in folder.glob("*.yaml") if path.stem == service), None)
    return None if path is None else read_document(path)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(path.glob("*.yaml"))
    else:
        yield path


def _by_service(paths: Iterable[Path]) -> dict[str, tuple[Document, ...]]:
    found: dict[str, tuple[Document, ...]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            document = read_document(path)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        said = document.value.get("service") if isinstance(document.value, dict) else None
        service = said if isinstance(said, str) else path.stem
        found[service] = (*found.get(service, ()), document)
    if problems:
        raise ConfigError(*problems)
    return found
