"""What people do about approvals, seen from a gate that asked: how many wait, how long, and what became of each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from outgate.approvals.approval import State
from outgate.approvals.quorum import judge
from outgate.errors import UnavailableError
from outgate.ports import Bystander

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from outgate.approvals.approval import Approval
    from outgate.approvals.quorum import Standing
    from outgate.digest import Json
    from outgate.keys.people import People
    from outgate.ports import Alarm
    from outgate.telemetry.metrics import Metrics

EVERY = 5.0
"""Seconds between two looks at the desk."""
MOST = 1000
"""Approvals of which it is remembered that this gate asked."""
DOING = "looking at approvals"
_OVER = frozenset({State.DENIED, State.EXPIRED, State.USED})


class Shelf(Protocol):
    """Where approvals lie. Raises UnavailableError."""

    async def get(self, approval: str) -> Approval | None: ...
    async def still_open(self, now: datetime) -> Sequence[Approval]: ...


@dataclass(slots=True)
class _Followed:
    """What is already counted of one approval."""

    granted: bool = False
    refused: int = 0


@dataclass(slots=True, kw_only=True)
class Asked(Bystander):
    """An Observer that follows what its own gate asks, so that several gates with one desk count each approval once.

    What waits is counted whole: every gate of a desk says the same of it.
    """

    shelf: Shelf
    metrics: Metrics
    people: Callable[[], People]
    now: Callable[[], datetime]
    alarm: Alarm
    hardware_only: bool = False
    _followed: dict[str, _Followed] = field(default_factory=dict)
    _waiting: tuple[datetime, ...] = ()
    _lost: bool = False

    def __post_init__(self) -> None:
        self.metrics.waiting(lambda: len(self._waiting), self._oldest)

    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None:  # noqa: ARG002  # the port's signature
        approval = about.get("approval")
        if what == "approval-asked" and isinstance(approval, str) and len(self._followed) < MOST:
            self._followed[approval] = _Followed()

    async def watch(self, every: float = EVERY) -> None:
        """Look, again and again. A desk that is lost is complained of once; requests that need it are refused anyway."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.look()
            except UnavailableError as error:
                if not self._lost:
                    self.alarm.raise_for(error, DOING)
                self._lost = True
            else:
                self._lost = False

    async def look(self) -> None:
        """Count what changed since."""
        now = self.now()
        opened = await self.shelf.still_open(now)
        self._waiting = tuple(one.asked for one in opened if self._judged(one).state is State.PENDING)
        for name in tuple(self._followed):
            found = await self.shelf.get(name)
            if found is None or self._follow(found):
                del self._followed[name]

    def _follow(self, approval: Approval) -> bool:
        """Whether there is nothing more to come of it."""
        followed, standing = self._followed[approval.id], self._judged(approval)
        for refused in standing.refused[followed.refused :]:
            self.metrics.vote_refused(refused.wrong.value)
        followed.refused = max(followed.refused, len(standing.refused))
        if standing.state in {State.GRANTED, State.USED} and not followed.granted:
            followed.granted = True
            self.metrics.approval("granted", waited=_waited(approval))
        if standing.state in {State.DENIED, State.EXPIRED}:
            self.metrics.approval(standing.state.value)
        return standing.state in _OVER

    def _judged(self, approval: Approval) -> Standing:
        return judge(approval, self.people(), self.now(), hardware_only=self.hardware_only)

    def _oldest(self) -> float:
        return max(((self.now() - asked).total_seconds() for asked in self._waiting), default=0.0)


def _waited(approval: Approval) -> float:
    """Seconds until the last signature; nothing is asked for that nobody has to sign."""
    return max(0.0, (max((vote.at for vote in approval.votes), default=approval.asked) - approval.asked).total_seconds())
