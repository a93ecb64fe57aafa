"""What clients try that is no request: recorded, counted, and merged, so that nobody fills the record with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.mitm.enforce import Judge
    from outgate.ports import Alarm

WINDOW: Final = 60.0
"""Seconds in which the same thing is recorded once at its first time, and once more with its count at the end."""
HOUR: Final = 3600.0
_DISTINCT: Final = 100
"""Different things of one agent in a window; those beyond are counted under one name."""
_HOURLY: Final = 400
"""What one agent may have recorded in an hour; what is beyond is counted, and recorded when the hour is over."""
_OTHERS: Final = "(others)"

type Key = tuple[str, str, tuple[tuple[str, str | int], ...]]


@dataclass(slots=True)
class _Seen:
    agent: Agent | None
    again: int = 0


@dataclass(slots=True)
class _Hour:
    """What one agent had recorded since it began, and what of it is in a window now."""

    began: float
    recorded: int = 0
    distinct: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Notes:
    """Counts by kind, agent and what else is said. `close` writes down what is still only counted.

    Who is no agent is one too: all of them together.
    """

    gate: Judge
    alarm: Alarm
    window: float = WINDOW
    _seen: dict[Key, _Seen] = field(default_factory=dict)
    _hours: dict[str, _Hour] = field(default_factory=dict)
    _writing: set[asyncio.Task[None]] = field(default_factory=set)
    _timers: dict[Key, asyncio.TimerHandle] = field(default_factory=dict)

    def add(self, what: str, agent: Agent | None, **about: str | int) -> None:
        """Note one. The first of its kind is recorded now."""
        who = agent.id if agent else ""
        now = asyncio.get_running_loop().time()
        hour = self._hour(who, now)
        key: Key = (what, who, tuple(about.items()))
        spent = hour.recorded >= _HOURLY
        if key not in self._seen and (spent or hour.distinct >= _DISTINCT):
            key = (what, who, tuple((name, _bounded(name, value)) for name, value in about.items()))
        if seen := self._seen.get(key):
            seen.again += 1
        elif spent:
            self._begin(key, agent, 1, max(0.0, hour.began + HOUR - now))
        else:
            self._begin(key, agent, 0, self.window)
            self._write(key, agent, 1)

    def _hour(self, who: str, now: float) -> _Hour:
        found = self._hours.get(who)
        if found is None or now - found.began >= HOUR:
            found = self._hours[who] = _Hour(now, distinct=found.distinct if found else 0)
        return found

    def _begin(self, key: Key, agent: Agent | None, count: int, window: float) -> None:
        self._seen[key] = _Seen(agent, count)
        self._hours[key[1]].distinct += 1
        self._timers[key] = asyncio.get_running_loop().call_later(window, self._close_window, key)

    async def close(self) -> None:
        """Write down what is still only counted, and wait until everything is."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for key in tuple(self._seen):
            self._close_window(key)
        while self._writing:
            await asyncio.wait(tuple(self._writing))

    def _close_window(self, key: Key) -> None:
        seen = self._seen.pop(key)
        self._timers.pop(key, None)
        self._hours[key[1]].distinct -= 1
        if seen.again:
            self._write(key, seen.agent, seen.again)

    def _write(self, key: Key, agent: Agent | None, count: int) -> None:
        self._hours[key[1]].recorded += 1
        task = asyncio.get_running_loop().create_task(self._record(key, agent, count))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _record(self, key: Key, agent: Agent | None, count: int) -> None:
        what, _, said = key
        about: dict[str, Json] = {**dict(said), "count": count}
        try:
            await self.gate.note(what, agent, about)
        except Exception as error:  # noqa: BLE001  # a record that can't be kept refuses all that follows by itself
            self.alarm.raise_for(error, f"recording {what}")


def _bounded(name: str, value: str | int) -> str | int:
    """What `others` have in common: the kind of thing, in our own words, and nothing that can be multiplied."""
    if name == "why":
        return value
    return _OTHERS if name == "host" else 0 if isinstance(value, int) else ""
