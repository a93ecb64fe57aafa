"""Plug-ins: what other packages bring to the catalog, of those that the operator names and no others.

A package says what it has by entry points. `outgate.catalogs`: a folder of its own, as `acme_catalog/services`, with service
files and perhaps a folder `mined`; nothing of the package is run for that. `outgate.protocols`: `acme_catalog.wire:SPEAKER`, a
Speaker; that is code on the path of each decision.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.actions.speakers import SPEAKERS, Speaker
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint

CATALOGS, PROTOCOLS = "outgate.catalogs", "outgate.protocols"
"""Groups of entry points."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_PROTOCOL = re.compile(r"[a-z][a-z0-9-]{0,30}")
_RAISED = (ImportError, AttributeError, SyntaxError, NameError, TypeError, ValueError, LookupError, OSError, RuntimeError)
"""What code that is imported raises; anything else ends the start too, with less to read."""
_TAKEN = frozenset({"rest", "git", "mcp", *SPEAKERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One package, as it is installed: its folders of service files, and the protocols that it speaks."""

    name: str
    version: str
    folders: tuple[Path, ...] = ()
    speakers: Mapping[str, Speaker] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        """Give what is shown wherever plug-ins are."""
        what = [*(f"catalog {folder.name}" for folder in self.folders), *(f"protocol {name}" for name in self.speakers)]
        return f"{self.name} {self.version}: {', '.join(what)}"


def load_plugins(names: Iterable[str]) -> tuple[Plugin, ...]:
    """Read these packages, and nothing of any other. Raises ConfigError with everything that is wrong with any of them."""
    found: list[Plugin] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        try:
            found.append(_plugin(name))
        except ConfigError as error:
            problems.extend(error.problems)
    spoken = [protocol for plugin in found for protocol in plugin.speakers]
    twice = sorted({protocol for protocol in spoken if spoken.count(protocol) > 1})
    problems.extend(Problem(source="plugins", message=f"protocol '{one}' is brought by two plug-ins, keep one") for one in twice)
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def _plugin(name: str) -> Plugin:
    installed = _installed(name)
    listed = [one for one in installed.entry_points if one.group in {CATALOGS, PROTOCOLS}]
    if not listed:
        raise _wrong(name, f"it brings nothing: it has no entry point in {CATALOGS} or {PROTOCOLS}")
    return Plugin(
        name=name,
        version=installed.version,
        folders=tuple(_folder(name, installed, one) for one in listed if one.group == CATALOGS),
        speakers=MappingProxyType({one.name: _speaker(name, one) for one in listed if one.group == PROTOCOLS}),
    )


def _installed(name: str) -> Distribution:
    if not _NAME.fullmatch(name):
        raise _wrong(name, "that is no name of a package")
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise _wrong(name, "no such package is installed beside outgate, install it or take it out of `plugins`") from error


def _folder(name: str, installed: Distribution, entry: EntryPoint) -> Path:
    """Find the folder where the package lies; it may not lead out of there."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(?:[./][A-Za-z0-9_-]+)*", entry.value):
        raise _wrong(name, f"catalog '{entry.name}' names no folder of the package: '{entry.value}'")
    folder = Path(str(installed.locate_file(entry.value.replace(".", "/"))))
    if not folder.is_dir():
        raise _wrong(name, f"catalog '{entry.name}' names a folder that is not there: {folder}")
    return folder


def _speaker(name: str, entry: EntryPoint) -> Speaker:
    if not _PROTOCOL.fullmatch(entry.name) or entry.name in _TAKEN:
        raise _wrong(name, f"'{entry.name}' can't be the name of a protocol, or is the name of one that Outgate has")
    try:
        speaker = entry.load()
    except _RAISED as error:
        raise _wrong(name, f"protocol '{entry.name}' can't be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(speaker, Speaker) or speaker.name != entry.name or speaker.shared:
        raise _wrong(name, f"protocol '{entry.name}' is no Speaker of that name, or takes all hosts for one service")
    try:
        pickle.dumps(speaker)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise _wrong(name, f"protocol '{entry.name}' can't go to another process: its functions stand in no module") from error
    return speaker


def _wrong(name: str, message: str) -> ConfigError:
    return ConfigError(Problem(source=f"plug-in {name}", message=message))
