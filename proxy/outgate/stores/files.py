"""The durable log: one folder a writer, segments that only grow, every group of receipts signed before anyone goes on."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.ports import Stamp
from outgate.receipts.chain import Chain
from outgate.receipts.checkpoint import Checkpoint, line_of, origin_of, sign
from outgate.receipts.merkle import Tree
from outgate.stores.disk import Disk, make_folder, try_lock, write_whole
from outgate.stores.logs import log_folder, segment_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from outgate.digest import Json
    from outgate.keys.ed25519 import SigningKey

MOST_SEGMENT = 16 * 1024 * 1024
MOST_GROUP = 256
"""Receipts under one signature: bounds what one checkpoint's reader must hold, and how long the first of them waits."""
PATIENCE = 0.05
"""Seconds that an outcome waits for a decision to be written with: nothing waits for it, and each write costs an fdatasync."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes not yet on the disk. Beyond, nothing more is decided; outcomes of what was let out are always taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    seq: int
    line: bytes = field(repr=False)
    done: asyncio.Future[Stamp]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    folder: Path
    lock: int
    segment: int


class FileJournal:
    """ports.Journal on a disk. `append` belongs to one event loop; a thread of its own writes.

    Everything that waits is written together: receipts, a checkpoint over the whole log, one fdatasync. Only then are
    their futures done. Whatever fails, fails for good: nothing is written after an error, because what the disk holds is
    then unknown, and the next writer starts a log of its own.
    """

    def __init__(self, held: _Held, *, writer: str, key: SigningKey, disk: Disk, committed: Callable[[int, float], None]) -> None:
        """Take over what `open` made."""
        self.writer = writer
        self.folder = held.folder
        self._key = key
        self._disk = disk
        self._committed = committed
        self._lock = held.lock
        self._fd = held.segment
        self._written = 0
        self._chain = Chain(writer)
        self._tree = Tree()
        self._queue: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._patient: list[_Waiting] = []
        self._waiting = 0
        self._broken: str | None = None
        self._thread = Thread(target=self._run, name=f"log {writer}", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        state: Path,
        *,
        writer: str,
        key: SigningKey,
        disk: Disk | None = None,
        committed: Callable[[int, float], None] = lambda _receipts, _seconds: None,
    ) -> FileJournal:
        """Start a new log in a state folder, held by this process for its life. Raises UnavailableError.

        `committed` is told of each group, in the event loop: how many receipts, and how long they took to be on disk.
        """
        disk = disk or Disk()
        folder = log_folder(state) / writer
        try:
            held = _start(disk, folder)
        except OSError as error:
            raise UnavailableError(f"no log can be kept in {folder.parent}: {_said(error)}") from error
        return cls(held, writer=writer, key=key, disk=disk, committed=committed)

    @property
    def size(self) -> int:
        """How many receipts were taken so far."""
        return self._chain.size

    def append(self, body: dict[str, Json]) -> asyncio.Future[Stamp]:
        if self._broken is not None:
            raise UnavailableError(self._broken)
        if self._waiting > MOST_WAITING and body.get("type") != "outcome":
            raise UnavailableError("the disk is too slow: too many receipts wait to be written")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Stamp] = loop.create_future()
        seq, line = self._chain.seal(body)
        self._waiting += len(line)
        self._patient.append(_Waiting(seq=seq, line=line, done=done))
        if body.get("type") != "outcome":
            self._hand_over()
        elif len(self._patient) == 1:
            loop.call_later(PATIENCE, self._hand_over)
        return done

    def _hand_over(self) -> None:
        """Give the thread all that there is, in order; nothing, where it went meanwhile."""
        if self._patient:
            self._queue.put(self._patient)
            self._patient = []

    async def close(self) -> None:
        """Refuse all that follows, write what waits, let the lock go."""
        if self._broken is None:
            self._broken = "the log is closed"
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        """Write groups until closed. After a failure, tell everyone who still comes; never leave anyone waiting."""
        failed: UnavailableError | None = None
        group = self._next()
        while group:
            began = time.monotonic()
            if failed is None:
                failed = self._commit(group)
            self._tell(group, failed, time.monotonic() - began)
            group = self._next()
        os.close(self._fd)
        os.close(self._lock)

    def _next(self) -> list[_Waiting]:
        """Give all that wait, at least one; none when closed."""
        first = self._queue.get()
        group: list[_Waiting] = []
        while first is not None:
            group += first
            if len(group) >= MOST_GROUP:
                return group
            try:
                first = self._queue.get_nowait()
            except Empty:
                return group
        if group:
            self._queue.put(None)
        return group

    def _commit(self, group: list[_Waiting]) -> UnavailableError | None:
        try:
            self._write(group)
        except Exception as error:  # noqa: BLE001  # a thread has no caller: whatever it was, those who wait must be refused
            failed = UnavailableError(f"the log {self.folder} can't be written: {_said(error)}; restart to begin a new one")
            failed.__cause__ = error
            self._broken = str(failed)
            return failed
        return None

    def _write(self, group: list[_Waiting]) -> None:
        if self._written >= MOST_SEGMENT:
            self._rotate(group[0].seq)
        for waiting in group:
            self._tree.add(waiting.line)
        origin = origin_of(self._key.public, self.writer)
        checkpoint = Checkpoint(origin=origin, size=self._tree.size, root=self._tree.root())
        lines = [waiting.line for waiting in group]
        data = b"\n".join([*lines, line_of(sign(checkpoint, self._key)), b""])
        write_whole(self._disk, self._fd, data)
        self._disk.sync(self._fd)
        self._written += len(data)

    def _rotate(self, first: int) -> None:
        segment = self._disk.create(self.folder / segment_name(first))
        os.close(self._fd)
        self._fd, self._written = segment, 0
        self._disk.sync_folder(self.folder)

    def _tell(self, group: list[_Waiting], failed: UnavailableError | None, seconds: float) -> None:
        loop = group[0].done.get_loop()
        try:
            loop.call_soon_threadsafe(self._settle, group, failed, seconds)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more, and what was to be written is

    def _settle(self, group: list[_Waiting], failed: UnavailableError | None, seconds: float) -> None:
        for waiting in group:
            self._waiting -= len(waiting.line)
            if waiting.done.done():
                continue  # who asked was cancelled meanwhile
            if failed is None:
                waiting.done.set_result(Stamp(writer=self.writer, seq=waiting.seq))
            else:
                waiting.done.set_exception(failed)
        if failed is None:
            self._committed(len(group), seconds)


def _start(disk: Disk, folder: Path) -> _Held:
    """Make a writer's folder, which has its name only when its lock is held: nobody can take it for a dead one."""
    make_folder(disk, folder.parent)
    unnamed = folder.with_name("." + folder.name)
    unnamed.mkdir(mode=0o700)
    lock = try_lock(unnamed / "lock", create=True)
    if lock is None:
        raise FileExistsError(17, "another process has this writer's name", str(folder))
    try:
        segment = disk.create(unnamed / segment_name(0))
        disk.sync_folder(unnamed)
        unnamed.rename(folder)
        disk.sync_folder(folder.parent)
    except OSError:
        os.close(lock)
        raise
    return _Held(folder=folder, lock=lock, segment=segment)


def _said(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
