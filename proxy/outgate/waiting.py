"""Waiting: for people, or for a limit; never for long, and never too many of one agent at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from outgate.case import Patience, hold_of
from outgate.intake.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from outgate.approvals.approval import Approval
    from outgate.intake.agents import Agent
    from outgate.intake.request import Unreadable
    from outgate.ports import Clock, Desk, Observer

_AT_ONCE: Final = {"held": 50, "delayed": 10}
"""Requests of one agent that wait."""


class Waiting:
    """Who waits for what. `hold` is how long people are waited for where the client does not say."""

    def __init__(self, *, clock: Clock, desk: Desk, observer: Observer, hold: timedelta) -> None:
        self._clock = clock
        self._desk = desk
        self._observer = observer
        self._hold = hold
        self._again = asyncio.Event()
        self._counts: dict[str, Counter[str]] = {"held": Counter(), "delayed": Counter()}

    def patience(self, reading: Request | Unreadable) -> Patience:
        """How long this one may wait."""
        began = self._clock.monotonic()
        hold = hold_of(reading, self._hold) if isinstance(reading, Request) else 0.0
        return Patience(began=began, until=began + hold)

    @property
    def held(self) -> int:
        """How many requests wait for people."""
        return self._counts["held"].total()

    def wake(self) -> None:
        """Have everything that is held decided again."""
        again, self._again = self._again, asyncio.Event()
        again.set()

    @property
    def signal(self) -> asyncio.Event:
        """Set when everything is decided again. Taken before deciding, so that no change in between goes unheard."""
        return self._again

    async def for_limit(self, agent: Agent, patience: Patience, seconds: float, signal: asyncio.Event) -> bool:
        """Wait until a limit has room. False: it was not waited."""
        patience.delayed += seconds
        return await self._counted("delayed", agent, patience, lambda: _first(self._clock.sleep(seconds), signal.wait()))

    async def for_people(self, agent: Agent, patience: Patience, approval: Approval, signal: asyncio.Event) -> bool:
        """Wait until somebody says something, or the policy is another one. False: it was not waited."""
        left = patience.until - self._clock.monotonic()
        if left <= 0:
            return False
        votes = len(approval.votes)
        return await self._counted(
            "held", agent, patience, lambda: _first(self._desk.changed(approval.id, votes, left), signal.wait())
        )

    async def _counted(self, why: str, agent: Agent, patience: Patience, waiting: Callable[[], Awaitable[None]]) -> bool:
        counts = self._counts[why]
        if counts[agent.id] >= _AT_ONCE[why]:
            return False
        began = self._clock.monotonic()
        counts[agent.id] += 1
        try:
            await waiting()
        finally:
            counts[agent.id] -= 1
            if not counts[agent.id]:
                del counts[agent.id]
            waited = self._clock.monotonic() - began
            patience.waited += waited
            self._observer.waited(agent.id, why, waited)
        return True


async def _first(*waiting: Awaitable[object]) -> None:
    """Wait for one of them; give the others up."""
    tasks = {asyncio.ensure_future(one) for one in waiting}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
