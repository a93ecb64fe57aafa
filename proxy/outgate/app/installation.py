"""What this program itself runs from: whoever can change it decides what the next gate does."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from outgate.stores.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NAME = "outgate"
_MOST_LINKS = 40


def installation(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Give the folders and files of this program: its code, rules and environment, and the interpreter under them.

    With what is the same file on the disk by another name: uv links what it installs to its cache.
    """
    packages = [Path(folder) for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}]
    found = [Path(__file__).parents[1], shipped("rules"), shipped("certs"), *packages, *_interpreter()]
    found += [*_twins(packages, environ), *_user_site(), *(path for path in _launchers(environ) if path.is_file())]
    found += [Path(sys.prefix)] if sys.prefix != sys.base_prefix else []
    return tuple(dict.fromkeys(path.resolve() for path in found if path.exists()))


def names(environ: Mapping[str, str], *given: Path) -> tuple[Path, ...]:
    """Give the names by which people come to this program and to these paths: none may come to mean something else."""
    return tuple(dict.fromkeys((*_launchers(environ), *_user_site(), *chain.from_iterable(map(links_on, given)))))


def _interpreter() -> Iterator[Path]:
    """Of a system's own Python only what is Python's: programs of all kinds are beside it."""
    yield Path(sys.executable).resolve()
    yield from (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
    yield Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "-")


def _user_site() -> tuple[Path, ...]:
    return (Path(site.getusersitepackages()),) if site.ENABLE_USER_SITE else ()


def _launchers(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a shell finds `outgate`, or would find another first."""
    folders = [part for part in environ.get("PATH", "").split(os.pathsep) if part.startswith("/")]
    return (Path(folder, NAME) for folder in folders if os.access(folder, os.W_OK))


def links_on(path: Path) -> Iterator[Path]:
    """The symbolic links that a path goes through."""
    waiting, seen = [Path(os.path.abspath(path))], set[Path]()  # noqa: PTH100  # resolving is what must not happen yet
    while waiting and len(seen) < _MOST_LINKS:
        whole = waiting.pop()
        for part in (whole, *whole.parents):
            if part.is_symlink() and part not in seen:
                seen.add(part)
                waiting.append(Path(os.path.normpath(part.parent / part.readlink())))
    return iter(seen)


def _twins(packages: Iterable[Path], environ: Mapping[str, str]) -> Iterator[Path]:
    """Folders of uv's cache whose files are ours."""
    ours = {_identity(file) for folder in packages for file in folder.glob("*.dist-info/METADATA")}
    cache = Path(environ.get("UV_CACHE_DIR") or platformdirs.user_cache_path("uv"))
    for file in cache.glob("archive-v*/*/*.dist-info/METADATA"):
        with suppress(FileNotFoundError):  # uv cleans up beside us
            if _identity(file) in ours:
                yield file.parents[1]


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino
