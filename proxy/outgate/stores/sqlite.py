"""What is remembered between requests, in one SQLite file that all gates of a host share."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.stores.disk import Disk, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION = 1
"""Of the file's tables, kept in its `user_version`. A program never opens what a later one wrote."""

_TABLES = """
create table if not exists agents (id text primary key, first_seen integer not null) strict, without rowid;
"""
_PATIENCE = 5.0
"""Seconds to wait for another process to finish writing."""


class SqliteLedger:
    """ports.Ledger, durable (WAL, synchronous=FULL). Waits in a thread of its own, never in the event loop."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        """Take over what `open` made."""
        self.path = path
        self._db = db
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._seen: dict[str, datetime] = {}

    @classmethod
    def open(cls, path: Path) -> SqliteLedger:
        """Open the file, or make it. Raises UnavailableError with what is wrong and what to do."""
        try:
            make_folder(Disk(), path.parent)
            db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unavailable(path, error) from error
        try:
            _prepare(db, path)
        except sqlite3.Error as error:
            db.close()
            raise _unavailable(path, error) from error
        except UnavailableError:
            db.close()
            raise
        return cls(path, db)

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        if agent not in self._seen:
            self._seen[agent] = await self._wait_for(partial(_first_seen, self._db, agent, now))
        return self._seen[agent]

    async def close(self) -> None:
        """Finish what was asked, and let the file go."""
        await self._wait_for(self._db.close)
        self._thread.shutdown(wait=False)

    async def _wait_for[T](self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (OSError, sqlite3.Error) as error:
            raise _unavailable(self.path, error) from error


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    with closing(db.execute("pragma user_version")) as found:
        version = int(found.fetchone()[0])
    if version > VERSION:
        raise UnavailableError(f"{path} was written by a newer outgate (tables {version}, this one knows {VERSION}): upgrade")
    if version < VERSION:
        db.executescript(f"begin immediate; {_TABLES} pragma user_version = {VERSION}; commit;")


def _first_seen(db: sqlite3.Connection, agent: str, now: datetime) -> datetime:
    """Microseconds since 1970; whoever writes first is right, in every process."""
    found = db.execute("select first_seen from agents where id = ?", (agent,)).fetchone()
    if found is None:
        db.execute("insert into agents values (?, ?) on conflict do nothing", (agent, _microseconds(now)))
        found = db.execute("select first_seen from agents where id = ?", (agent,)).fetchone()
    seconds, micros = divmod(int(found[0]), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


def _microseconds(at: datetime) -> int:
    since = at - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _unavailable(path: Path, error: Exception) -> UnavailableError:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            remedy = "the disk is full"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            remedy = "it can't be opened for writing, check the folder's owner and rights"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            remedy = "it is damaged, restore it or move it away: without it, every agent counts as new"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            remedy = f"another process has kept it locked for {_PATIENCE:g} s"
        case _:
            remedy = getattr(error, "strerror", None) or "the disk or the file fails"
    return UnavailableError(f"the ledger {path}: {remedy} ({error})")
