"""What is remembered between requests, in one SQLite file that all gates of a host share."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from outgate.ports import Reserved
from outgate.stores.counting import Flow, Spending, look, microseconds, moment, reserve, settle
from outgate.stores.database import Database, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from outgate.policy.limits import Charge
    from outgate.stores.counting import Counter, Counters

MOST_TOGETHER = 256
"""Requests that share one transaction and so one wait for the disk: bounds how long others are kept from writing."""
SWEEP = timedelta(hours=1)
KEPT = timedelta(days=1)
"""How long a counter stays after it is over: what was taken from it may still be settled."""
_SWEPT_TOGETHER = 500

_KIND = Kind(
    name="ledger",
    lost="every agent counts as new, and every limit as not used",
    steps=(
        "create table if not exists agents (id text primary key, first_seen integer not null) strict, without rowid",
        """
        create table rates (
            key text, kind text, tat integer not null, at integer not null, given integer not null, primary key (key, kind)
        ) strict, without rowid;
        create table quotas (
            key text, kind text, start integer, until integer not null, used integer not null, primary key (key, kind, start)
        ) strict, without rowid;
        create table sweeps (at integer not null) strict
        """,
    ),
)


class SqliteLedger:
    """ports.Ledger, shared by all processes that open the same file.

    What was answered outlives a crash of the process, kill -9 included. After a loss of power everything is there as well but
    the last takings of rates, and those alone: a rate is whole again within its window, and an fdatasync for each would cost
    ten times what it protects. Quotas, and when an agent was first seen, are on the disk before they are answered (WAL,
    synchronous=FULL). Requests that come together are written together. All waiting is done in a thread, never in the loop.
    """

    def __init__(self, db: Database) -> None:
        """Take over what `open` made."""
        self._db = db
        self._seen: dict[str, datetime] = {}
        self._waiting: deque[_Job] = deque()
        self._swept: datetime | None = None

    @classmethod
    def open(cls, path: Path) -> SqliteLedger:
        """Open the file, or make it. Raises UnavailableError with what is wrong and what to do."""
        return cls(Database.open(path, _KIND))

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        if agent not in self._seen:
            self._seen[agent] = await self._db.wait_for(partial(self._first_seen, agent, now))
        return self._seen[agent]

    async def reserve(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        """See ports.Ledger. Who is cancelled while waiting has taken nothing."""
        if not charges:
            return Reserved()
        job = _Job(work=lambda counters: reserve(counters, charges, now), full=_is_durable(charges))
        try:
            await self._done(job)
        except asyncio.CancelledError:
            self._db.soon(partial(self._undo, job))
            raise
        self._sweep(now)
        return job.reserved()

    async def look(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        """See ports.Ledger: what others take meanwhile may be seen, or not."""
        return await self._db.wait_for(lambda db: look(_Rows(db), charges, now)) if charges else Reserved()

    async def settle(self, reserved: Reserved, used: Mapping[str, int]) -> None:
        charges = tuple(charge for charge, _ in reserved.taken if charge.key in used)
        if not charges:
            return
        used = dict(used)
        job = _Job(work=lambda counters: settle(counters, reserved, used), full=_is_durable(charges))
        try:
            await self._done(job)
        except asyncio.CancelledError:
            self._db.soon(self._work)  # what was used is counted, whoever waits for it
            raise
        job.reserved()

    async def unwell(self) -> str:
        """Why it can't be relied on now; empty where it answers."""
        return await self._db.unwell()

    async def close(self) -> None:
        """Finish what was asked, and let the file go."""
        await self._db.close()

    async def _done(self, job: _Job) -> None:
        """The thread takes what waits longest first: when it has come to this, the job is done, here or together with others."""
        self._waiting.append(job)
        while not job.done:
            await self._db.wait_for(self._work)

    # in the thread

    def _work(self, db: sqlite3.Connection) -> None:
        jobs = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
        if jobs:
            self._together(jobs, db)

    def _together(self, jobs: list[_Job], db: sqlite3.Connection) -> None:
        """Do all in one transaction, and wait for the disk once. What one of them asks for in vain, is not the others' fault."""
        counters = _Rows(db)
        try:
            with self._db.transaction(db, full=any(job.full for job in jobs)):
                answers = [job.work(counters) for job in jobs]
        except (OSError, sqlite3.Error) as error:
            for job in jobs:
                job.answered(self._db.unavailable(error))
        except Exception as error:  # noqa: BLE001  # a thread has no caller: whatever it was, who waits must be refused
            if len(jobs) == 1:
                jobs[0].answered(error)
            else:
                for job in jobs:
                    self._together([job], db)
        else:
            for job, answer in zip(jobs, answers, strict=True):
                job.answered(answer)

    def _undo(self, job: _Job, db: sqlite3.Connection) -> None:
        """Nobody waits for it any more: don't begin it, or give back what it took."""
        if job in self._waiting:
            self._waiting.remove(job)
        elif isinstance(job.answer, Reserved):
            with self._db.transaction(db):
                settle(_Rows(db), job.answer, {charge.key: 0 for charge, _ in job.answer.taken})

    def _first_seen(self, agent: str, now: datetime, db: sqlite3.Connection) -> datetime:
        """Whoever writes first is right, in every process."""
        found = db.execute("select first_seen from agents where id = ?", (agent,)).fetchone()
        if found is None:
            with self._db.transaction(db):
                db.execute("insert into agents values (?, ?) on conflict do nothing", (agent, microseconds(now)))
                found = db.execute("select first_seen from agents where id = ?", (agent,)).fetchone()
        return moment(int(found[0]))

    # forgetting

    def _sweep(self, now: datetime) -> None:
        if self._swept is None or not timedelta(0) <= now - self._swept < SWEEP:
            self._swept = now
            self._db.soon(partial(self._forget, microseconds(now)))

    def _forget(self, now: int, db: sqlite3.Connection) -> None:
        """Remove what was over for long at the time of the last sweep: a clock that jumps ahead for a moment removes nothing."""
        found = db.execute("select max(at) from sweeps").fetchone()[0]
        if found is not None and 0 <= now - found < SWEEP // timedelta(microseconds=1):
            return
        if found is not None and found < now:
            before = found - KEPT // timedelta(microseconds=1)
            self._remove(db, "rates", "key, kind", "tat < ?1 and at < ?1", before)
            self._remove(db, "quotas", "key, kind, start", "until < ?1", before)
        with self._db.transaction(db, full=False):
            db.execute("delete from sweeps")
            db.execute("insert into sweeps values (?)", (now,))

    def _remove(self, db: sqlite3.Connection, table: str, names: str, over: str, before: int) -> None:
        """A few at a time, found without keeping others from writing."""
        few = f"select {names} from {table} where {over} limit {_SWEPT_TOGETHER}"  # noqa: S608  # our own words
        gone = f"delete from {table} where ({names}) = ({','.join(f'?{n + 2}' for n in range(names.count(',') + 1))}) and {over}"  # noqa: S608
        while rows := db.execute(few, (before,)).fetchall():
            with self._db.transaction(db, full=False):
                db.executemany(gone, [(before, *row) for row in rows])


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """What somebody waits for. `full`: it must outlive a loss of power."""

    work: Callable[[Counters], Reserved | None]
    full: bool
    done: bool = False
    answer: Reserved | Exception | None = None

    def answered(self, answer: Reserved | Exception | None) -> None:
        self.answer, self.done = answer, True

    def reserved(self) -> Reserved:
        """What came of it. Raises what went wrong."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or Reserved()


class _Rows:
    """outgate.stores.counting.Counters, in a transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def flow(self, counter: Counter) -> Flow | None:
        found = self._db.execute("select tat, at, given from rates where key = ? and kind = ?", counter).fetchone()
        return Flow(tat=found[0], at=found[1], given=found[2]) if found else None

    def newest(self, counter: Counter) -> Spending | None:
        return self._spending(
            "select start, until, used from quotas where key = ? and kind = ? order by start desc limit 1", counter
        )

    def spending(self, counter: Counter, start: int) -> Spending | None:
        of_start = "select start, until, used from quotas where key = ? and kind = ? and start = ?"
        return self._spending(of_start, (*counter, start))

    def keep_flow(self, counter: Counter, flow: Flow) -> None:
        self._db.execute("replace into rates values (?, ?, ?, ?, ?)", (*counter, flow.tat, flow.at, flow.given))

    def keep_spending(self, counter: Counter, spending: Spending) -> None:
        row = (*counter, spending.start, spending.until, spending.used)
        self._db.execute("replace into quotas values (?, ?, ?, ?, ?)", row)

    def _spending(self, query: str, asked: tuple[str | int, ...]) -> Spending | None:
        found = self._db.execute(query, asked).fetchone()
        return Spending(start=found[0], until=found[1], used=found[2]) if found else None


def _is_durable(charges: tuple[Charge, ...]) -> bool:
    return any(not charge.limit.is_rate for charge in charges)
