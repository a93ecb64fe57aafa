"""Logs on a disk, read: segments as one run of lines, covered receipts in order of time, and whether all of it verifies."""

from __future__ import annotations

import heapq
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from outgate.disk import try_lock
from outgate.errors import EvidenceError, UnavailableError
from outgate.receipts.chain import Receipt, parse
from outgate.receipts.checkpoint import note_in
from outgate.receipts.receipt import timestamp
from outgate.receipts.verify import MOST_LINE, LogCheck, LogReport, Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from outgate.keys.ed25519 import VerifyKey

    type Progress = Callable[[int], None]
    type Spoilt = Callable[[str], None]

CLOSED = "closed"
"""A file in a dead writer's folder: some later log tells its end. Only spares reading it again; it proves nothing."""
CLOSING = "closing"
"""A file there from before its end is told: whoever went on with it would give the lie to that."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TICK = timedelta(seconds=1) / 32


def new_writer(now: datetime, entropy: bytes) -> str:
    """Name a writer: twelve characters, in the order of time, the last four random. `entropy`: four random bytes."""
    ticks = max(0, (now - _EPOCH) // _TICK)
    number = ticks << 20 | int.from_bytes(entropy[:4]) & (1 << 20) - 1
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(55, -1, -5))


def log_folder(state: Path) -> Path:
    """Where the logs of all writers of a state folder are."""
    return state / "log"


def segment_name(first: int) -> str:
    """A segment is named by the number of its first receipt."""
    return f"{first:012d}.jsonl"


def writers(logs: Path) -> list[Path]:
    """Give the folder of each writer, in the order of time. A name with a dot before it is not a writer's yet."""
    with _readable(logs):
        try:
            return sorted(folder for folder in logs.iterdir() if folder.is_dir() and not folder.name.startswith("."))
        except FileNotFoundError:
            return []


def is_running(folder: Path) -> bool:
    """Whether the writer of this log holds its lock."""
    with _readable(folder):
        try:
            lock = try_lock(folder / "lock", shared=True)  # two who ask must not take each other for a writer
        except FileNotFoundError:
            return False
        if lock is None:
            return True
        os.close(lock)
        return False


def may_grow(folder: Path) -> bool:
    """Whether somebody writes this log, or could still go on with it: nobody has told its end yet."""
    return is_running(folder) or not ((folder / CLOSING).exists() or (folder / CLOSED).exists())


class LogTail:
    """Reads one writer's log as it grows: each call goes on where the last one ended. `rest` is a line still unfinished."""

    def __init__(self, folder: Path, *, newest: bool = False) -> None:
        """`newest`: begin with the segment that is written now, instead of the first."""
        self.folder = folder
        self.rest = b""
        with _readable(folder):
            self._segment = max([name for name in self._segments() if newest], default="")[:-1]
        self._file: BinaryIO | None = None
        self._group: list[bytes] = []

    def lines(self) -> Iterator[bytes]:
        """Give the lines that are there now, each with its line end. Raises UnavailableError."""
        with _readable(self.folder):
            while True:
                following = self._following()  # asked first: when there is one, this segment is whole
                yield from self._finished()
                if following is None:
                    return
                if self.rest:
                    yield self.rest
                self._turn_to(following)

    def receipts(self, spoilt: Spoilt | None = None) -> Iterator[Receipt]:
        """Give the receipts that a checkpoint covers; `check_log` looks at its signature, not this.

        What is no receipt is told to `spoilt` and passed over; without it, raises EvidenceError. Raises UnavailableError.
        """
        for line in self.lines():
            if note_in(line.rstrip(b"\n")) is None:
                self._group.append(line.rstrip(b"\n"))
                continue
            group, self._group = self._group, []
            for entry in group:
                if (receipt := self._parsed(entry, spoilt)) is not None:
                    yield receipt

    def _parsed(self, line: bytes, spoilt: Spoilt | None) -> Receipt | None:
        try:
            return parse(line)
        except EvidenceError as error:
            said = f"log {self.folder.name} has a line that is {error}: run outgate verify"
            if spoilt is None:
                raise EvidenceError(said) from error
            spoilt(said)
            return None

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _finished(self) -> Iterator[bytes]:
        while self._file is not None and (piece := self._file.readline(MOST_LINE)):
            line, self.rest = self.rest + piece, b""
            if line.endswith(b"\n") or len(line) >= MOST_LINE:
                yield line
            else:
                self.rest = line

    def _following(self) -> str | None:
        return min((name for name in self._segments() if name > self._segment), default=None)

    def _segments(self) -> list[str]:
        return [path.name for path in self.folder.glob("*.jsonl")]

    def _turn_to(self, segment: str) -> None:
        self.close()
        self._segment, self.rest = segment, b""
        self._file = (self.folder / segment).open("rb")


def receipts_of(folder: Path, spoilt: Spoilt | None = None) -> Iterator[Receipt]:
    """One writer's covered receipts, oldest first. `spoilt`, and what it raises: as LogTail.receipts."""
    tail = LogTail(folder)
    try:
        yield from tail.receipts(spoilt)
    finally:
        tail.close()


def all_receipts(logs: Path, spoilt: Spoilt | None = None) -> Iterator[Receipt]:
    """Give the covered receipts of every writer, merged by time; each writer's own keep their order.

    A log is opened when the time is reached at which its writer began: as many files are open as writers ran together.
    `spoilt`, and what it raises: as LogTail.receipts.
    """
    waiting = writers(logs)[::-1]
    heads: list[tuple[str, str, int, Receipt, Iterator[Receipt]]] = []
    while waiting or heads:
        while waiting and (not heads or _began(waiting[-1].name) <= heads[0][0]):
            _push(heads, receipts_of(waiting.pop(), spoilt))
        if heads:
            _, _, _, receipt, more = heapq.heappop(heads)
            yield receipt
            _push(heads, more)


def check_log(folder: Path, key: VerifyKey, progress: Progress | None = None, *, each_signature: bool = True) -> LogReport:
    """Verify one writer's log, without holding it. `each_signature`: see LogCheck. Raises UnavailableError."""
    tail = LogTail(folder)
    checking = LogCheck(folder.name, key, each_signature=each_signature)
    try:
        for line in tail.lines():
            checking.feed(line)
            if progress is not None:
                progress(len(line))
        if tail.rest:
            checking.feed(tail.rest)
    finally:
        tail.close()
    return checking.finish()


def check_logs(folders: Iterable[Path], key: VerifyKey, progress: Progress | None = None) -> Verdict:
    """Verify logs, and against each other. Whether a writer runs is asked before its log is read."""
    running: set[str] = set()
    reports: list[LogReport] = []
    for folder in folders:
        if is_running(folder):
            running.add(folder.name)
        reports.append(check_log(folder, key, progress))
    return compare(reports, running)


def size_of(folder: Path) -> int:
    """Bytes in a log's segments."""
    with _readable(folder):
        return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def _push(heads: list[tuple[str, str, int, Receipt, Iterator[Receipt]]], receipts: Iterator[Receipt]) -> None:
    receipt = next(receipts, None)
    if receipt is not None:
        heapq.heappush(heads, (str(receipt.fields["at"]), receipt.writer, receipt.seq, receipt, receipts))


def _began(writer: str) -> str:
    """When a writer began, as receipts say time; of a name that is not ours, the beginning of time."""
    if len(writer) != 12 or not set(writer) <= set(_ALPHABET):
        return ""
    number = sum(_ALPHABET.index(c) << 5 * place for place, c in enumerate(reversed(writer)))
    return timestamp(_EPOCH + (number >> 20) * _TICK)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{path} can't be read: {error.strerror or error}") from error
