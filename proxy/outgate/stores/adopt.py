"""After a death: the next writer says in its own log how the dead one's ended, and what nobody knows the outcome of."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.disk import Disk, try_lock
from outgate.errors import UnavailableError
from outgate.ports import Stamp
from outgate.receipts.receipt import Outcome, Result, event_body, outcome_body
from outgate.stores.logs import CLOSED, CLOSING, check_log, writers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from outgate.keys.ed25519 import VerifyKey
    from outgate.ports import Journal
    from outgate.receipts.verify import LogReport

TELLING = "telling"
"""A file beside the logs, locked by whoever tells of dead ones: two at once would tell of one and the same twice."""
PATIENCE = 10.0
"""Seconds to wait for another one that does."""
_POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dead:
    folder: Path
    report: LogReport


async def adopt(journal: Journal, logs: Path, *, own: str, key: VerifyKey, now: datetime) -> int:
    """Close the logs of writers that are gone; give the number of decisions whose outcome nobody knows.

    For each: one `log-closed` receipt with its size and root, so that cutting or removing it later shows, and an `unknown`
    outcome for each decision that let something out and has none. The dead log itself is left as it is, and nobody goes on
    with it, even if this process dies before it is done. Where another one tells for longer than PATIENCE, the next start
    does. Raises UnavailableError.
    """
    with ExitStack() as locks:
        dead = await asyncio.to_thread(_find, logs, own, key, locks)
        await asyncio.to_thread(_mark, dead, CLOSING, own)
        lost = _lost([log.report for log in dead])
        bodies = [event_body("log-closed", now, None, _end(log.report)) for log in dead]
        bodies += [outcome_body(stamp, now, Outcome(result=Result.UNKNOWN, error="its writer died")) for stamp in lost]
        await asyncio.gather(*[journal.append(body) for body in bodies])
        await asyncio.to_thread(_mark, dead, CLOSED, own)
    return len(lost)


def _find(logs: Path, own: str, key: VerifyKey, locks: ExitStack) -> Sequence[_Dead]:
    dead: list[_Dead] = []
    if (alone := _alone(logs / TELLING)) is None:
        return dead
    locks.callback(os.close, alone)
    for folder in writers(logs):
        if folder.name == own or (folder / CLOSED).exists() or (lock := _lock(folder)) is None:
            continue
        locks.callback(os.close, lock)
        dead.append(_Dead(folder=folder, report=check_log(folder, key, each_signature=False)))
    return dead


def _alone(path: Path) -> int | None:
    """Wait until nobody else tells of the dead."""
    end = time.monotonic() + PATIENCE
    try:
        while (lock := try_lock(path, create=True)) is None and time.monotonic() < end:
            time.sleep(_POLL)
    except OSError as error:
        raise UnavailableError(f"{path} can't be locked: {error.strerror}") from error
    return lock


def _lost(dead: Sequence[LogReport]) -> Sequence[Stamp]:
    """Decisions that let something out and have no outcome anywhere: a writer that began to tell of them may have died too."""
    said = {place for report in dead for place in report.settled}
    places = [(report.writer, seq) for report in dead for seq in sorted(report.open)]
    return [Stamp(writer=writer, seq=seq) for writer, seq in places if (writer, seq) not in said]


def _lock(folder: Path) -> int | None:
    """Take a dead writer's lock; None while it lives. A folder without a lock is no writer's that can be told about."""
    try:
        return try_lock(folder / "lock")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"{folder}/lock can't be read: {error.strerror}") from error


def _end(report: LogReport) -> dict[str, str | int]:
    return {
        "writer": report.writer,
        "size": report.size,
        "root": report.root,
        "stopped": report.stopped,
        "open": len(report.open),
        "uncovered": report.uncovered,
        "torn": report.torn,
        "bad": str(report.bad or ""),
    }


def _mark(dead: Sequence[_Dead], name: str, own: str) -> None:
    """Oldest first: a log that tells of others is marked after them, so that a death in between repeats nothing."""
    disk = Disk()
    for log in dead:
        try:
            with suppress(FileExistsError):  # of one that died at this
                fd = disk.create(log.folder / name)
                os.write(fd, own.encode() + b"\n")
                os.close(fd)
            disk.sync_folder(log.folder)
        except OSError as error:
            raise UnavailableError(f"{log.folder} can't be written: {error.strerror}") from error
