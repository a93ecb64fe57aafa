"""The few things done to a disk that must last: each step is one call, so that each can be made to fail."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LARGEST_KEY = 65536


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
    except FileExistsError as error:
        if path.is_dir():
            return
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error
    disk.sync_folder(path.parent)


def replace_whole(path: Path, data: bytes, *, disk: Disk | None = None, begin: Callable[[int], None] | None = None) -> None:
    """Put data in the place of a file's: who reads meanwhile reads what was there before. Durable when it returns.

    The file is its owner's alone, unless `begin`, which is given the new one before anything is in it, makes it otherwise.
    Raises OSError: then what was there before is there, or all of the new, and no draft.
    """
    disk = disk or Disk()
    with _drafted(disk, path, data, begin) as draft:
        draft.rename(path)
        disk.sync_folder(path.parent)


def make_whole(path: Path, data: bytes, *, disk: Disk | None = None) -> bool:
    """Make a file for its owner alone, unless there is one: of several who do, the first wins. Durable when it returns.

    Gives whether it was this one. Nobody ever finds half a file under the name. Raises OSError, as `replace_whole`.
    """
    disk = disk or Disk()
    with _drafted(disk, path, data) as draft:
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return False
    disk.sync_folder(path.parent)  # the draft's name is gone as well then: a key has one
    return True


@contextmanager
def _drafted(disk: Disk, path: Path, data: bytes, begin: Callable[[int], None] | None = None) -> Iterator[Path]:
    """Beside it under another name, whole and durable before it gets its own."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = disk.create(draft)
    try:
        try:
            if begin is not None:
                begin(fd)
            write_whole(disk, fd, data)
            disk.sync(fd)
        finally:
            os.close(fd)
        yield draft
    except BaseException:
        with suppress(OSError):  # what failed first is what is told
            draft.unlink(missing_ok=True)
        raise
    draft.unlink(missing_ok=True)


def read_private(path: Path, remedy: str) -> bytes:
    """Read a key that is its owner's alone; `remedy`: what else to do about one that is not. Raises OSError, ConfigError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode & 0o777
        if mode & 0o077:
            message = f"others may read or change this key (mode {mode:o}), run chmod 600 on it if nobody did, else {remedy}"
            raise ConfigError(Problem(source=str(path), message=message))
        return file.read(_LARGEST_KEY)


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
