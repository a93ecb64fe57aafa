"""What a person does with approvals by hand: looks at them, and hands in a signature that is verified and recorded first."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from outgate.app.record import operator, record
from outgate.approvals.quorum import judge
from outgate.digest import sha256
from outgate.errors import ConfigError, EvidenceError, UnavailableError
from outgate.settings import load, state_folder
from outgate.stores.desk_sqlite import SqliteDesk
from outgate.stores.people_files import load_people

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from outgate.approvals.approval import Approval, Vote
    from outgate.approvals.quorum import Standing
    from outgate.keys.people import People

MOST_RECENT = 1000
"""Approvals among which one that is over is looked for."""
_SAID = re.compile(r"[a-z2-7-]{1,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where approvals of a gate wait, and who may sign them."""

    state: Path
    people: People

    @property
    def desk(self) -> Path:
        return self.state / "desk.sqlite"


def place(config: Path | None, state: Path | None) -> Place:
    """Read who is known, and where the state is. Raises ConfigError."""
    settings = load(config, os.environ)
    people = load_people(settings.people_file(os.environ))
    return Place(state=(state or state_folder(os.environ)).absolute(), people=people)


def waiting(at: Place) -> Sequence[Approval]:
    """All that are neither used nor expired, oldest first. Raises UnavailableError."""
    return _asked(at, lambda desk: desk.still_open(_now()))[::-1]


def recent(at: Place) -> Sequence[Approval]:
    """The last ones, whatever became of them, oldest first. Raises UnavailableError."""
    return _asked(at, lambda desk: desk.recent(MOST_RECENT))[::-1]


def named(at: Place, said: str) -> Approval:
    """Find an approval by its id or the beginning of it. Raises ConfigError where there is none, or more than one."""
    start = said.strip().lower()
    if not _SAID.fullmatch(start):
        raise ConfigError(f"{said!r:.40} is no approval's id, outgate approvals lists them")
    plain = start.replace("-", "")
    for approvals in (waiting(at), recent(at)):
        found = [one for one in approvals if one.id.replace("-", "").startswith(plain)]
        if len(found) > 1:
            names = ", ".join(one.id for one in found[:5])
            raise ConfigError(f"{len(found)} approvals begin with {start}: {names}{', …' if len(found) > 5 else ''}")
        if found:
            return found[0]
    raise ConfigError(f"no approval begins with {start}, outgate approvals lists them")


def stands(at: Place, approval: Approval) -> Standing:
    """Count what is there, now."""
    return judge(approval, at.people, _now())


def hand_in(at: Place, approval: Approval, vote: Vote) -> tuple[Approval, Standing]:
    """Verify a vote, record it, put it on the desk. Give the approval with it, and where that stands.

    1. It is counted beside those that are there: one that would not count is recorded, and refused.
    2. Its receipt is durable and signed before it counts anywhere.
    3. It is on the desk, as itself: of what is there of this person already, only an approval gives way, to a denial.

    Raises EvidenceError where it does not count, ConfigError where this person has voted already, UnavailableError.
    """
    dry = judge(replace(approval, votes=(*approval.votes, vote)), at.people, _now())
    refused = next((one for one in dry.refused if one.vote == vote), None)
    if refused is not None:
        record(at.state, "approval-refused", _about(approval, vote) | {"wrong": refused.wrong.value, "because": refused.why})
        raise EvidenceError(f"this signature does not count: {refused.why}")
    before = next((one for one in approval.votes if one.person == vote.person), None)
    if before is not None and (before.deny or not vote.deny):
        raise ConfigError(_already(before, dry))
    record(at.state, "approval-signed", _about(approval, vote) | {"state": dry.state.value})
    after = asyncio.run(_handed_in(at, approval.id, vote))
    if vote not in after.votes:
        first = next(one for one in after.votes if one.person == vote.person)
        raise ConfigError(_already(first, judge(after, at.people, _now())))
    return after, judge(after, at.people, _now())


async def _handed_in(at: Place, approval: str, vote: Vote) -> Approval:
    desk = SqliteDesk.open(at.desk)
    try:
        await desk.vote(approval, vote)
        found = await desk.get(approval)
    finally:
        await desk.close()
    if found is None:
        raise UnavailableError(f"approval {approval} is not on the desk any more")
    return found


def _already(before: Vote, standing: Standing) -> str:
    """Say that the first vote of a person stays, and what helps."""
    wrong = next((one.why for one in standing.refused if one.vote == before), "")
    if wrong:
        return f"a signature in {before.person}'s name is there already, and does not count ({wrong}): have it asked for anew"
    said = "denied" if before.deny else "approved"
    return f"{before.person} has {said} this already" + ("" if before.deny else ", outgate deny takes that back")


def _about(approval: Approval, vote: Vote) -> dict[str, str | list[str]]:
    """What the record says of a signature: enough to verify it again, with the statement."""
    return {
        "approval": approval.id,
        "agent": approval.agent,
        "statement": sha256(approval.statement),
        "person": vote.person,
        "decision": "deny" if vote.deny else "approve",
        "said": vote.why,
        "key": vote.key,
        "signature": vote.signature.splitlines()[1:-1][:64],
        "by": operator(),
    }


def _asked(at: Place, question: Callable[[SqliteDesk], Coroutine[None, None, Sequence[Approval]]]) -> Sequence[Approval]:
    if not at.desk.exists():
        return ()
    return asyncio.run(_answered(at, question))


async def _answered(at: Place, question: Callable[[SqliteDesk], Coroutine[None, None, Sequence[Approval]]]) -> Sequence[Approval]:
    desk = SqliteDesk.open(at.desk)
    try:
        return await question(desk)
    finally:
        await desk.close()


def _now() -> datetime:
    return datetime.now(UTC)
