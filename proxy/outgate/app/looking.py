"""Files that people edit: whether what they say is other than it was."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

SETTLED = 2.0
"""Seconds after which a file's times tell a later change apart: two within one tick of the clock look alike."""
_MOST = 16 << 20

type Look = Mapping[Path, str]
"""What each file says, by its digest; or why it can't be read."""


class Looking:
    """Looks at files, and into those that may have changed since it did."""

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def look(self, paths: Iterable[Path]) -> Look:
        """What these files say now; of a folder, the YAML files in it. Never raises."""
        found = {path: self._said(path) for path in dict.fromkeys(_files(paths))}
        self._known = {path: known for path, known in self._known.items() if path in found}
        return found

    def _said(self, path: Path) -> str:
        try:
            at = path.stat()
            if not stat.S_ISREG(at.st_mode):
                return "no file"
            looks = (at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[0] == looks:
                return known[1]
            said = _digest(path)
        except OSError as error:
            self._known.pop(path, None)
            return error.strerror or str(error)
        if time.time() - max(at.st_mtime, at.st_ctime) > SETTLED:
            self._known[path] = looks, said
        return said


def changed(one: Look, other: Look) -> tuple[Path, ...]:
    """The files that don't say the same in both, or are in one alone."""
    return tuple(sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path)))


def young(paths: Iterable[Path], now: float, seconds: float) -> bool:
    """Whether one of these was written within so many seconds: what was read since may be what it said before."""
    times = (path.stat().st_ctime for path in _files(paths) if path.exists())
    return any(now - written < seconds for written in times)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            inside = sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
        except OSError:
            inside = [path]
        yield from inside


def _digest(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        return hashlib.sha256(file.read(_MOST)).hexdigest()
