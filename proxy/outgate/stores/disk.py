"""The few things done to a disk that evidence rests on, each one call, so that each can be made to fail."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Disk:
    """The real one. Every method raises OSError, and what it did until then may or may not be on the disk."""

    def create(self, path: Path) -> int:
        """Open a new file for appending, readable by its owner alone. Raises FileExistsError rather than reuse one."""
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def reopen(self, path: Path) -> int:
        """Open one that is there, for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write some of it, say how much."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Wait until what was written is on the disk. Never call it again after it failed: the kernel forgets the error."""
        os.fdatasync(fd)

    def has_name(self, fd: int, path: Path) -> bool:
        """Whether an open file is still what this path leads to: written on, one that is not would never be found again."""
        try:
            return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))  # noqa: PTH116  # as fstat, for samestat
        except FileNotFoundError:
            return False

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in a folder are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_whole(disk: Disk, fd: int, data: bytes) -> None:
    """Write all of it, however many calls that takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]


def make_folder(disk: Disk, path: Path) -> None:
    """Make a folder for its owner alone, and what is missing above it, all of it durable."""
    if path.is_dir():
        return
    make_folder(disk, path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    disk.sync_folder(path.parent)


def try_lock(path: Path, *, create: bool = False, shared: bool = False) -> int | None:
    """Take a lock for as long as the descriptor stays open; None if another process holds it. Raises OSError."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_RDWR | os.O_CREAT if create else os.O_RDONLY)
    fd = os.open(path, flags, 0o600)
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return fd
