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
_DISTINCT: Final = 100
"""Different things in a window; those beyond are counted under one name."""
_OTHERS: Final = "(others)"

type Key = tuple[str, str, str, int, str]


@dataclass(slots=True)
class _Seen:
    agent: Agent
    again: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Notes:
    """Counts by kind, agent, host, port and detail. `close` writes down what is still only counted."""

    gate: Judge
    alarm: Alarm
    window: float = WINDOW
    _seen: dict[Key, _Seen] = field(default_factory=dict)
    _writing: set[asyncio.Task[None]] = field(default_factory=set)
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)

    def add(self, what: str, agent: Agent, *, host: str, port: int, detail: str) -> None:
        """Note one. The first of its kind is recorded now."""
        key = (what, agent.id, host, port, detail)
        if key not in self._seen and len(self._seen) >= _DISTINCT:
            key = (what, agent.id, _OTHERS, 0, "")
        if seen := self._seen.get(key):
            seen.again += 1
            return
        self._seen[key] = _Seen(agent)
        self._write(key, agent, 1)
        timer = asyncio.get_running_loop().call_later(self.window, self._close_window, key)
        self._timers.add(timer)

    async def close(self) -> None:
        """Write down what is still only counted, and wait until everything is."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for key in tuple(self._seen):
            self._close_window(key)
        while self._writing:
            await asyncio.wait(tuple(self._writing))

    def _close_window(self, key: Key) -> None:
        seen = self._seen.pop(key)
        if seen.again:
            self._write(key, seen.agent, seen.again)

    def _write(self, key: Key, agent: Agent, count: int) -> None:
        task = asyncio.get_running_loop().create_task(self._record(key, agent, count))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _record(self, key: Key, agent: Agent, count: int) -> None:
        what, _, host, port, detail = key
        about: dict[str, Json] = {"host": host, "port": port, "detail": detail, "count": count}
        try:
            await self.gate.note(what, agent, about)
        except Exception as error:  # noqa: BLE001  # a record that can't be kept refuses all that follows by itself
            self.alarm.raise_for(error, f"recording {what}")
