"""Service files on disk, the shipped ones and the operator's own, and what machines mined."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from outgate.actions.mined import Mined, Part, damaged
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.stores.shipped import shipped
from outgate.stores.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from outgate.actions.catalog import Catalog
    from outgate.document import Document
    from outgate.stores.plugins import Plugin

SOURCES = "SOURCES.json"


def load_catalog(*extra: Path, plugins: tuple[Plugin, ...] = ()) -> Catalog:
    """Read the shipped service files, those of plug-ins, and more of the operator's: files, or folders of them.

    Raises ConfigError with every problem in every file: a catalog with a hole in it would call a deed a guess.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    services = shipped("rules", "services")
    ours = frozenset(_files(services))
    brought = [folder for plugin in plugins for folder in plugin.folders]
    for path in (*sorted(ours), *(file for given in (*brought, *extra) for file in _files(given))):
        try:
            documents.append(parse(text_of(path), str(path), shaped=path in ours))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(*problems)
    mined, captured = _all_mined(services / "mined", *(folder / "mined" for folder in brought if (folder / "mined").is_dir()))
    speakers = {name: speaker for plugin in plugins for name, speaker in plugin.speakers.items()}
    return compile_catalog(documents, mined, captured, speakers, believed=frozenset(map(str, ours)))


def _all_mined(*folders: Path) -> tuple[Mapping[str, Mined], frozenset[str]]:
    """Read all of them: what was mined of a service stands in one."""
    mined: dict[str, Mined] = {}
    captured: frozenset[str] = frozenset()
    for folder in folders:
        more, names = load_mined(folder)
        if twice := sorted(mined.keys() & more.keys()):
            raise ConfigError(Problem(source=str(folder), message=f"{', '.join(twice)}: mined for somewhere else already"))
        mined |= more
        captured |= names
    return mined, captured


def load_mined(folder: Path) -> tuple[Mapping[str, Mined], frozenset[str]]:
    """Read every mined part, still packed, by service; and the names of the variables in their paths.

    Raises ConfigError that names each file which is not what `SOURCES.json` says.
    """
    sources: dict[str, Any] = json.loads(text_of(folder / SOURCES))
    problems: list[Problem] = []
    parts: dict[str, list[Part]] = {}
    hosts: dict[str, list[tuple[str, str]]] = {}
    heads: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for name, said in sources["files"].items():
        path = f"{folder}/{name}"
        packed = _packed(path, said["sha256"], problems)
        parts.setdefault(said["service"], []).append(Part(said["service"], said["part"], packed, path))
        hosts.setdefault(said["service"], []).extend((host, said["part"]) for host in said["hosts"])
        if "heads" in said:
            heads.setdefault(said["service"], []).append((said["part"], tuple(said["heads"])))
    if problems:
        raise ConfigError(*problems)
    mined = {service: Mined(tuple(made), tuple(hosts[service]), tuple(heads.get(service, ()))) for service, made in parts.items()}
    return mined, frozenset(sources["captures"])


def _packed(path: str, digest: str, problems: list[Problem]) -> bytes:
    """Read one file of many: a Path takes as long to make as it to read."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            packed = file.readall()
    except OSError as error:
        problems.append(damaged(path, error.strerror or "it can't be read"))
        return b""
    if hashlib.sha256(packed).hexdigest() != digest:
        problems.append(damaged(path, "its digest is not the one that SOURCES.json has"))
    return packed


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(path.glob("*.yaml"))
    else:
        yield path
