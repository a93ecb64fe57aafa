"""What of one client is being decided: for a moment, or, where people or a limit are waited for, for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from outgate.mitm.enforce import Call

_GRACE: Final = 0.25
"""Seconds in which what nobody waits for any more may still be decided: most is by then, and in the record."""


class Deciding:
    """One client's requests that wait for the gate's word. What nobody waits for any more is given up."""

    def __init__(self, ask: Callable[[Call], Awaitable[None]]) -> None:
        self._ask = ask
        self._tasks: dict[Call, asyncio.Task[Any]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def decide(self, call: Call) -> None:
        """Ask the gate. Raises as it does. Given up, it comes back without an admission."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[call] = task
        call.give_up = lambda: self._later(call)
        try:
            await self._ask(call)
        except asyncio.CancelledError:
            forgive(task)
        finally:
            del self._tasks[call]
            call.give_up = None

    def give_up(self) -> None:
        """Nobody waits for any of it."""
        for call in tuple(self._tasks):
            self._later(call)

    def _later(self, call: Call) -> None:
        asyncio.get_running_loop().call_later(_GRACE, self._stop, call)

    def _stop(self, call: Call) -> None:
        if task := self._tasks.get(call):
            task.cancel()


def forgive(task: asyncio.Task[Any] | None) -> None:
    """Go on after a cancellation that was meant for what the task waited for."""
    while task is not None and task.cancelling():
        task.uncancel()
