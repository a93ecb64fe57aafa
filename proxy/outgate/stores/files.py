"""The durable log: one folder a writer, segments that only grow, every group of receipts signed before anyone goes on."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from outgate.disk import Disk, make_folder, try_lock, write_whole
from outgate.errors import UnavailableError
from outgate.ports import Stamp
from outgate.receipts.chain import Chain
from outgate.receipts.checkpoint import Checkpoint, line_of, note_in, origin_of, sign
from outgate.receipts.merkle import Tree
from outgate.receipts.verify import LogCheck
from outgate.stores.logs import CLOSED, CLOSING, LogTail, log_folder, segment_name, size_of

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
MOST_RESUMED = 1024 * 1024
"""Bytes of a log that somebody goes on with: all of it is verified before."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes not yet on the disk. Beyond, nothing more is decided; outcomes of what was let out are always taken."""


def _untold(_receipts: int, _seconds: float) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    seq: int
    line: bytes = field(repr=False)
    done: asyncio.Future[Stamp]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Receipts on their way to the disk under one signature, and the bytes that they and it are."""

    waiting: list[_Waiting]
    data: bytes = field(repr=False)
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    folder: Path
    lock: int
    segment: int
    path: Path


class FileJournal:
    """ports.Journal on a disk. All belongs to one event loop, but what may wait for the disk: that has a thread of its own.

    Everything that waits is written together: receipts, a checkpoint over the whole log, one fdatasync. Only then are
    their futures done. Signing is done in the loop: a thread that needs the interpreter while the loop is busy waits longer
    for it than signing takes. Whatever fails, fails for good: nothing is written after an error, because what the disk holds
    is then unknown, and the next writer starts a log of its own.
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
        self._segment = held.path
        self._written = 0
        self._chain = Chain(writer)
        self._tree = Tree()
        self._queue: SimpleQueue[_Group | None] = SimpleQueue()
        self._next: list[_Waiting] = []
        self._urgent = False
        self._flying = False
        self._later: asyncio.TimerHandle | None = None
        self._failed: UnavailableError | None = None
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
        committed: Callable[[int, float], None] = _untold,
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

    @classmethod
    def resume(cls, folder: Path, *, key: SigningKey, disk: Disk | None = None) -> FileJournal | None:
        """Go on with a log that its writer left whole, as if it had never stopped.

        None where that can't be: somebody holds it, its end was told by another log, it is long, or is not good to its last
        byte. Raises UnavailableError.
        """
        disk = disk or Disk()
        try:
            with ExitStack() as kept:
                if (lock := try_lock(folder / "lock")) is None:
                    return None
                kept.callback(os.close, lock)
                told = (folder / CLOSING).exists() or (folder / CLOSED).exists()
                if told or size_of(folder) > MOST_RESUMED or (end := _end_of(folder, key)) is None:
                    return None
                segment = disk.reopen(path := max(folder.glob("*.jsonl")))
                kept.pop_all()
        except OSError as error:
            raise UnavailableError(f"the log {folder} can't be written: {_said(error)}") from error
        held = _Held(folder=folder, lock=lock, segment=segment, path=path)
        journal = cls(held, writer=folder.name, key=key, disk=disk, committed=_untold)
        journal._chain, journal._tree = end
        journal._written = os.fstat(segment).st_size
        return journal

    @property
    def size(self) -> int:
        """How many receipts were taken so far."""
        return self._chain.size

    @property
    def broken(self) -> str:
        """Why nothing can be written any more; empty as long as it can."""
        return self._broken or ""

    def append(self, body: dict[str, Json]) -> asyncio.Future[Stamp]:
        if self._broken is not None:
            raise UnavailableError(self._broken)
        if self._waiting > MOST_WAITING and body.get("type") != "outcome":
            raise UnavailableError("the disk is too slow: too many receipts wait to be written")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Stamp] = loop.create_future()
        seq, line = self._chain.seal(body)
        self._waiting += len(line)
        self._next.append(_Waiting(seq=seq, line=line, done=done))
        if body.get("type") != "outcome":
            self._set_off()
        elif self._later is None:
            self._later = loop.call_later(PATIENCE, self._set_off)
        return done

    async def close(self) -> None:
        """Refuse all that follows, write what waits, let the lock go."""
        if self._broken is None:
            self._broken = "the log is closed"
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        while self._next:
            group = self._signed()
            self._arrived(group, self._failed or await asyncio.to_thread(self._commit, group), 0.0)
        if self._lock >= 0:
            os.close(self._fd)
            os.close(self._lock)
            self._fd = self._lock = -1

    def _set_off(self) -> None:
        """Give what waits to the thread; while one group is on its way, the next gathers."""
        if self._flying:
            self._urgent = True  # goes when this one has arrived
        elif self._next and self._broken is None:
            self._flying = True
            self._queue.put(self._signed())

    def _signed(self) -> _Group:
        """Take the next group, and sign the log with it."""
        waiting, self._next = self._next[:MOST_GROUP], self._next[MOST_GROUP:]
        self._urgent = bool(self._next)
        if self._later is not None:  # nothing is left that it would have to send off
            self._later.cancel()
            self._later = None
        for one in waiting:
            self._tree.add(one.line)
        origin = origin_of(self._key.public, self.writer)
        checkpoint = Checkpoint(origin=origin, size=self._tree.size, root=self._tree.root())
        data = b"\n".join([*(one.line for one in waiting), line_of(sign(checkpoint, self._key)), b""])
        return _Group(waiting=waiting, data=data, loop=waiting[0].done.get_loop())

    def _run(self) -> None:
        """In the thread: write groups until closed, and tell the loop of each."""
        while (group := self._queue.get()) is not None:
            began = time.monotonic()
            failed = self._commit(group)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more, and what was to be written is
                group.loop.call_soon_threadsafe(self._arrived, group, failed, time.monotonic() - began)

    def _commit(self, group: _Group) -> UnavailableError | None:
        try:
            if self._written >= MOST_SEGMENT:
                self._rotate(group.waiting[0].seq)
            write_whole(self._disk, self._fd, group.data)
            self._disk.sync(self._fd)
            self._is_there()
        except Exception as error:  # noqa: BLE001  # a thread has no caller: whatever it was, those who wait must be refused
            failed = UnavailableError(f"the log {self.folder} can't be written: {_said(error)}; restart to begin a new one")
            failed.__cause__ = error
            self._failed = failed
            return failed
        self._written += len(group.data)
        return None

    def _is_there(self) -> None:
        """A file goes on being written although it was moved or removed; nobody would look for the record there."""
        if not self._disk.has_name(self._fd, self._segment):
            raise FileNotFoundError(errno.ENOENT, "it was moved or removed meanwhile")

    def _rotate(self, first: int) -> None:
        path = self.folder / segment_name(first)
        segment = self._disk.create(path)
        os.close(self._fd)
        self._fd, self._segment, self._written = segment, path, 0
        self._disk.sync_folder(self.folder)

    def _arrived(self, group: _Group, failed: UnavailableError | None, seconds: float) -> None:
        """Tell those who wait. After a failure, also those who came meanwhile: nothing is written any more."""
        self._flying = False
        told = group.waiting
        if failed is not None:
            self._broken = str(failed)
            told, self._next = [*told, *self._next], []
        for one in told:
            self._waiting -= len(one.line)
            if one.done.done() or one.done.get_loop().is_closed():
                continue  # who asked was cancelled meanwhile, or is no more
            if failed is None:
                one.done.set_result(Stamp(writer=self.writer, seq=one.seq))
            else:
                one.done.set_exception(failed)
        if failed is None:
            if self._urgent:
                self._set_off()
            self._committed(len(told), seconds)  # last: what watches must not hold up what waits


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
    return _Held(folder=folder, lock=lock, segment=segment, path=folder / segment_name(0))


def _end_of(folder: Path, key: SigningKey) -> tuple[Chain, Tree] | None:
    """Where the next receipt goes; None where the log does not verify to its last byte."""
    chain, tree, checking = Chain(folder.name), Tree(), LogCheck(folder.name, key.public, each_signature=False)
    tail = LogTail(folder)
    try:
        for line in tail.lines():
            checking.feed(line)
            if note_in(receipt := line.rstrip(b"\n")) is None:
                chain.take(receipt)
                tree.add(receipt)
    finally:
        tail.close()
    report = checking.finish()
    whole = report.bad is None and not tail.rest and not report.uncovered and not report.torn
    return (chain, tree) if whole and report.size == tree.size else None


def _said(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
