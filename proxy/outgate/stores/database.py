"""One SQLite file that all gates of a host share: opened, brought up to date, and worked on in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from outgate.disk import Disk, make_folder
from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_FIRST = 64 * 1024
"""Bytes: a write-ahead log's index is made in pieces of 32 KiB."""
PATIENCE = 5.0
"""Seconds to wait for another process to finish writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a file is for. `steps[n]` brings its tables from version n to n + 1: to open an older file is to run the rest."""

    name: str
    lost: str
    """What is lost with it: who is to move a damaged file away must know."""
    steps: Sequence[str]


class Database:
    """A connection and its thread. WAL and synchronous=FULL: what was committed is there after a crash and a loss of power."""

    def __init__(self, path: Path, db: sqlite3.Connection, kind: Kind) -> None:
        """Take over what `open` made."""
        self.path = path
        self._db = db
        self._kind = kind
        self._full = True
        self._closed = False
        self._file = path.stat()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=kind.name)

    @classmethod
    def open(cls, path: Path, kind: Kind) -> Database:
        """Open the file, or make it for its owner alone. Raises UnavailableError with what is wrong and what to do."""
        with _told(path, kind):
            make_folder(Disk(), path.parent)
            with suppress(FileExistsError):
                os.close(
                    Disk().create(path)
                )  # only a new one: to close a file drops the locks that SQLite has on it in this process
            db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            with _told(path, kind):
                _prepare(db, path, kind)
        except UnavailableError:
            db.close()
            raise
        return cls(path, db, kind)

    async def wait_for[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it in the thread, after what was asked before. Raises UnavailableError for what SQLite says."""
        if self._closed:
            raise UnavailableError(f"the {self._kind.name} {self.path} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(self._do, work))

    async def unwell(self) -> str:
        """Why it can't be relied on now; empty where it answers."""
        try:
            await self.wait_for(lambda db: db.execute("select count(*) from sqlite_schema").fetchone())
            self._is_there()
        except UnavailableError as error:
            return str(error)
        return ""

    def soon(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do it in the thread, after what was asked before. Nobody is told of a failure: the next call meets it too."""
        if not self._closed:
            self._thread.submit(partial(self._do, work))

    def unavailable(self, error: Exception) -> UnavailableError:
        """Say what failed, and what to do."""
        return _unavailable(self.path, self._kind, error)

    @contextmanager
    def transaction(self, db: sqlite3.Connection, *, full: bool = True) -> Iterator[None]:
        """Write alone, all or nothing. Without `full`, a loss of power may undo the last ones; a crash does not."""
        self._is_there()
        if full != self._full:
            db.execute(f"pragma synchronous = {'full' if full else 'normal'}")
            self._full = full
        db.execute("begin immediate")
        try:
            yield
            db.execute("commit")
        finally:
            if db.in_transaction:
                with suppress(sqlite3.Error):  # the error that led here is told; a transaction that stays refuses all that follow
                    db.execute("rollback")

    async def close(self) -> None:
        """Finish what was asked, and let the file go."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _do[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _told(self.path, self._kind):
            return work(self._db)

    def _close(self) -> None:
        """Whatever became of the file."""
        with _told(self.path, self._kind):
            self._db.close()

    def _is_there(self) -> None:
        """SQLite goes on with a file that has another name by now, or none; whoever begins meanwhile would begin a second one."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._file, self.path.stat()):
                return
        raise UnavailableError(
            f"the {self._kind.name} {self.path} was moved or removed: put it back, or restart; without it, {self._kind.lost}"
        )


def _prepare(db: sqlite3.Connection, path: Path, kind: Kind) -> None:
    _into_wal(db)
    db.execute("pragma synchronous = full")
    db.execute("pragma foreign_keys = on")
    known, version = len(kind.steps), _version(db)
    if version > known:
        raise UnavailableError(f"{path} was written by a newer outgate (tables {version}, this one knows {known}): upgrade")
    if version == known:
        return
    db.execute("begin immediate")
    for step in kind.steps[_version(db) :]:  # another process may have been faster
        for statement in step.split(";"):
            db.execute(statement)
    db.execute(f"pragma user_version = {known}")
    db.execute("commit")


def _into_wal(db: sqlite3.Connection) -> None:
    """Several that open a new file at once: SQLite refuses all but one here, without waiting."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _version(db: sqlite3.Connection) -> int:
    with closing(db.execute("pragma user_version")) as found:
        return int(found.fetchone()[0])


@contextmanager
def _told(path: Path, kind: Kind) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise _unavailable(path, kind, error) from error


def _unavailable(path: Path, kind: Kind, error: Exception) -> UnavailableError:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            remedy = "the disk is full"
        case sqlite3.SQLITE_IOERR if _full(path.parent):  # what SQLite says where its index of the log finds no room
            remedy = "the disk is full"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            remedy = "it can't be opened for writing, check the folder's owner and rights"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            remedy = f"it is damaged, restore it or move it away: without it, {kind.lost}"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            remedy = f"another process has kept it locked for {PATIENCE:g} s"
        case _:
            remedy = getattr(error, "strerror", None) or "the disk or the file fails"
    return UnavailableError(f"the {kind.name} {path}: {remedy} ({error})")


def _full(folder: Path) -> bool:
    """Whether there is not even room for what a database writes first."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _FIRST
