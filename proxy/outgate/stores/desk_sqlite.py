"""Where approvals wait for people: one SQLite file that gates and commands of a host share."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from outgate.approvals.approval import Approval, Panel, Vote
from outgate.digest import canonical
from outgate.errors import UnavailableError
from outgate.stores.counting import microseconds, moment
from outgate.stores.database import Database, Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from outgate.digest import Json

POLL = 0.02
"""Seconds between looks for what other processes did, while somebody waits for it."""
KEPT = timedelta(days=30)
"""How long an approval can still be looked at after it has expired."""
MOST_OPEN = 1000
"""Approvals of one agent that wait at once: what it asks for, it can vary without end."""

_MICROSECOND = timedelta(microseconds=1)
_KIND = Kind(
    name="desk",
    lost="what waits for approval must be asked for again",
    steps=(
        """
        create table approvals (
            n integer primary key, id text not null unique, request text not null, agent text not null, owner text not null,
            panels text not null, statement blob not null, asked integer not null, expires integer not null, used integer
        ) strict;
        create index by_request on approvals (request, expires);
        create index by_agent on approvals (agent, expires);
        create index by_expiry on approvals (expires);
        create table votes (
            n integer primary key, approval integer not null references approvals (n) on delete cascade, person text not null,
            deny integer not null, why text not null, key text not null, signature text not null, at integer not null,
            unique (approval, person)
        ) strict
        """,
    ),
)
_ALL = -1
_COLUMNS = "n, id, request, agent, owner, panels, statement, asked, expires, used"


class SqliteDesk:
    """ports.Desk, on the disk before anything is answered. All waiting is done in a thread, never in the loop."""

    def __init__(self, db: Database) -> None:
        """Take over what `open` made."""
        self._db = db
        self._watched: set[_Watched] = set()
        self._watching: asyncio.Task[None] | None = None
        self._written = 0

    @classmethod
    def open(cls, path: Path) -> SqliteDesk:
        """Open the file, or make it. Raises UnavailableError with what is wrong and what to do."""
        return cls(Database.open(path, _KIND))

    async def find(self, request: str, now: datetime) -> Approval | None:
        return await self._db.wait_for(partial(_find, request, microseconds(now)))

    async def get(self, approval: str) -> Approval | None:
        return await self._db.wait_for(partial(_one, "id = ?", (approval,)))

    async def ask(self, approval: Approval) -> Approval:
        return await self._db.wait_for(partial(self._ask, approval))

    async def vote(self, approval: str, vote: Vote) -> None:
        await self._db.wait_for(partial(self._vote, approval, vote))

    async def use(self, approval: str, now: datetime) -> bool:
        return await self._db.wait_for(partial(self._use, approval, microseconds(now)))

    async def restore(self, approval: str) -> None:
        await self._db.wait_for(partial(self._restore, approval))

    async def changed(self, approval: str, votes: int, seconds: float) -> None:
        """All who wait share one look at the file every few milliseconds, as long as somebody waits."""
        watched = _Watched(approval=approval, votes=votes)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._watch(watched)

    async def still_open(self, now: datetime) -> Sequence[Approval]:
        """All that are neither used nor expired, newest first."""
        return await self._db.wait_for(partial(_some, "used is null and expires > ?", (microseconds(now),), _ALL))

    async def recent(self, most: int) -> Sequence[Approval]:
        """The newest, whatever became of them, newest first."""
        return await self._db.wait_for(partial(_some, "true", (), most))

    async def unwell(self) -> str:
        """Why it can't be relied on now; empty where it answers."""
        return await self._db.unwell()

    async def close(self) -> None:
        """Finish what was asked, and let the file go."""
        self._stop_watching()
        await self._db.close()

    # in the thread

    def _ask(self, approval: Approval, db: sqlite3.Connection) -> Approval:
        asked = microseconds(approval.asked)
        with self._db.transaction(db):
            if (found := _find(approval.request, asked, db)) is not None:
                return found
            _refuse(approval, asked, db)
            db.execute("delete from approvals where expires < ?", (asked - KEPT // _MICROSECOND,))
            db.execute(
                "insert into approvals (id, request, agent, owner, panels, statement, asked, expires) values (?,?,?,?,?,?,?,?)",
                (
                    *(approval.id, approval.request, approval.agent, approval.owner, _written(approval.panels)),
                    *(approval.statement, asked, microseconds(approval.expires)),
                ),
            )
        return approval

    def _vote(self, approval: str, vote: Vote, db: sqlite3.Connection) -> None:
        row = (vote.person, vote.deny, vote.why, vote.key, vote.signature, microseconds(vote.at))
        with self._db.transaction(db):
            found = db.execute("select n from approvals where id = ?", (approval,)).fetchone()
            if found is None:
                raise UnavailableError(f"there is no approval {approval}")
            db.execute(
                "insert into votes (approval, person, deny, why, key, signature, at) values (?,?,?,?,?,?,?)"
                " on conflict (approval, person) do update set deny = 1, why = excluded.why, key = excluded.key,"
                " signature = excluded.signature, at = excluded.at where excluded.deny and not deny",
                (found[0], *row),
            )
        self._written += 1

    def _use(self, approval: str, now: int, db: sqlite3.Connection) -> bool:
        with self._db.transaction(db):
            done = db.execute("update approvals set used = ?1 where id = ?2 and used is null and expires > ?1", (now, approval))
        self._written += 1
        return done.rowcount == 1

    def _restore(self, approval: str, db: sqlite3.Connection) -> None:
        with self._db.transaction(db):
            db.execute("update approvals set used = null where id = ?", (approval,))
        self._written += 1

    def _state(self, db: sqlite3.Connection) -> tuple[int, int]:
        """What differs when anything was written: SQLite tells of other connections, and of this one we know."""
        return int(db.execute("pragma data_version").fetchone()[0]), self._written

    # waiting for others

    async def _watch(self, watched: _Watched) -> None:
        self._watched.add(watched)
        try:
            await self._look([watched])
            if self._watching is None:
                self._watching = asyncio.create_task(self._keep_looking())
            await watched.changed
        finally:
            self._watched.discard(watched)
            if not self._watched:
                self._stop_watching()

    async def _keep_looking(self) -> None:
        """A failure is everybody's who waits: none of them could be told of a change any more."""
        seen = None
        try:
            while True:
                state = await self._db.wait_for(self._state)
                if state != seen:
                    await self._look(list(self._watched))
                seen = state
                await asyncio.sleep(POLL)
        except UnavailableError as error:
            self._watching = None
            for watched in self._watched:
                watched.fail(error)

    async def _look(self, asked: list[_Watched]) -> None:
        """Wake those whose approval has changed."""
        found = await self._db.wait_for(partial(_standings, [one.approval for one in asked]))
        for one in asked:
            if (now := found.get(one.approval)) is not None:
                one.look(now)

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What can change of an approval: how many votes it has, how many of them deny, and whether it is used."""

    votes: int
    denials: int
    used: bool


@dataclass(slots=True, kw_only=True, eq=False)
class _Watched:
    """An approval that somebody waits for, who knows of so many votes. `first` is how it was when they began to wait."""

    approval: str
    votes: int
    first: _Seen | None = None
    changed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def look(self, now: _Seen) -> None:
        """Wake who waits, if there is something new."""
        self.first = self.first or now
        if (now.used or now.votes != self.votes or now != self.first) and not self.changed.done():
            self.changed.set_result(None)

    def fail(self, error: UnavailableError) -> None:
        if not self.changed.done():
            self.changed.set_exception(error)


def _refuse(approval: Approval, asked: int, db: sqlite3.Connection) -> None:
    """Refuse what would be a second one of a name, and what would fill the disk."""
    if db.execute("select 1 from approvals where id = ?", (approval.id,)).fetchone():
        raise UnavailableError(f"approval {approval.id} was asked before")
    waiting = "select count(*) from approvals where agent = ? and expires > ? and used is null"
    if db.execute(waiting, (approval.agent, asked)).fetchone()[0] >= MOST_OPEN:
        raise UnavailableError(f"agent {approval.agent} has {MOST_OPEN} approvals that wait: decide some, or let them expire")


def _find(request: str, now: int, db: sqlite3.Connection) -> Approval | None:
    return _one("request = ? and expires > ? and used is null", (request, now), db)


def _one(where: str, asked: tuple[str | int, ...], db: sqlite3.Connection) -> Approval | None:
    return next(iter(_some(where, asked, 1, db)), None)


def _some(where: str, asked: tuple[str | int, ...], most: int, db: sqlite3.Connection) -> list[Approval]:
    query = f"select {_COLUMNS} from approvals where {where} order by n desc limit ?"  # noqa: S608  # our own words
    return [_approval(row, db) for row in db.execute(query, (*asked, most)).fetchall()]


def _standings(approvals: Sequence[str], db: sqlite3.Connection) -> dict[str, _Seen]:
    query = """
        select id, count(person), coalesce(sum(deny), 0), used is not null
        from approvals left join votes on approval = approvals.n where id in (select value from json_each(?)) group by id
    """
    return {row[0]: _Seen(row[1], row[2], bool(row[3])) for row in db.execute(query, (json.dumps(approvals),))}


def _approval(row: Any, db: sqlite3.Connection) -> Approval:
    number, name, request, agent, owner, panels, statement, asked, expires, used = row
    votes = db.execute("select person, deny, why, key, signature, at from votes where approval = ? order by n", (number,))
    try:
        return Approval(
            id=name,
            request=request,
            agent=agent,
            owner=owner,
            panels=_read(panels),
            statement=statement,
            asked=moment(asked),
            expires=moment(expires),
            votes=tuple(map(_vote, votes.fetchall())),
            used=None if used is None else moment(used),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise UnavailableError(f"approval {name} was changed on the desk, nothing can be decided on it ({error})") from error


def _vote(row: Any) -> Vote:
    person, deny, why, key, signature, at = row
    return Vote(person=person, deny=bool(deny), why=why, key=key, signature=signature, at=moment(at))


def _written(panels: tuple[Panel, ...]) -> str:
    said: list[Json] = [
        {
            "name": panel.name,
            "need": panel.need,
            "of": list(panel.of),
            "within": panel.within // _MICROSECOND,
            "owner": panel.owner,
            "rules": list(panel.rules),
        }
        for panel in panels
    ]
    return canonical(said).decode()


def _read(text: str) -> tuple[Panel, ...]:
    """Raises ValueError, TypeError or KeyError. No panels at all would be satisfied by nobody's vote."""
    listed = json.loads(text)
    if not isinstance(listed, list) or not listed:
        raise ValueError("it has no panels")
    return tuple(
        Panel(
            name=said["name"],
            need=said["need"],
            of=tuple(said["of"]),
            within=said["within"] * _MICROSECOND,
            owner=said["owner"],
            rules=tuple(said["rules"]),
        )
        for said in listed
    )
