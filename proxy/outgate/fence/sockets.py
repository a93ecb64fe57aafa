"""Unix sockets in the file system: each is a way out, to whoever listens on it."""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_ENTRIES = 40_000
"""Of a home directory that are looked at, nearest first: a tenth of a second, if the disk has been read before."""
PASSED_BY = frozenset({"node_modules", "site-packages", "__pycache__", "objects", "registry"})
"""Folders of files by the thousand, which package managers and git wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`whole` is false where there was more to look at than MOST_ENTRIES."""

    paths: frozenset[Path]
    whole: bool


def find_sockets(roots: Iterable[Path], table: str) -> Found:
    """Sockets below these folders, and those of this network namespace by /proc/net/unix (`table`), wherever they are.

    The folders show what the table can't: sockets that a program in another network namespace serves.
    """
    walked = deque(_walk(roots))
    whole = len(walked) < MOST_ENTRIES
    below = {Path(entry.path) for entry in walked if _is_socket(entry)}
    return Found(paths=frozenset(below | {path for path in _listed(table) if _socket_at(path)}), whole=whole)


def _walk(roots: Iterable[Path]) -> Iterator[os.DirEntry[str]]:
    """Breadth first, never through a symbolic link, at most MOST_ENTRIES."""
    waiting: deque[str] = deque(str(root) for root in roots)
    seen = 0
    while waiting:
        try:
            entries = list(os.scandir(waiting.popleft()))
        except OSError:
            continue  # what we can't list as this user, the agent can't either
        for entry in entries:
            if seen == MOST_ENTRIES:
                return
            seen += 1
            yield entry
            if entry.is_dir(follow_symlinks=False) and entry.name not in PASSED_BY:
                waiting.append(entry.path)


def _is_socket(entry: os.DirEntry[str]) -> bool:
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) or entry.is_symlink():
        return False  # all known from the listing; only what is left costs a stat
    return _socket_at(Path(entry.path))


def _socket_at(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def _listed(table: str) -> Iterator[Path]:
    """Paths in the last column. Abstract names begin with `@`: the network namespace keeps those apart."""
    for line in table.splitlines()[1:]:
        name = line[line.find("/") :] if "/" in line else ""
        if name:
            yield Path(name)
