"""What of one client is being decided: begun, asked again after a halt, or given up because nobody waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from outgate.mitm.enforce import Call

_GRACE: Final = 0.25
"""Seconds in which what nobody waits for any more may still be decided: most is by then, and in the record."""


class Deciding:
    """One client's requests that wait for the gate: for a moment, or, where people or a limit are waited for, for long."""

    def __init__(self, ask: Callable[[Call], Awaitable[None]]) -> None:
        self._ask = ask
        self._tasks: dict[Call, asyncio.Task[Any]] = {}
        self._again: set[Call] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def decide(self, call: Call) -> None:
        """Ask the gate. Raises as it does. Given up, it comes back without an admission."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[call] = task
        call.give_up = lambda: self._later(call, task)
        try:
            await self._asked(call)
        except asyncio.CancelledError:
            forgive(task)
        finally:
            del self._tasks[call]
            self._again.discard(call)
            call.give_up = None

    def again(self) -> None:
        """Have everything decided once more: a halt came, and what is held may be covered by it."""
        for call, task in tuple(self._tasks.items()):
            self._again.add(call)
            task.cancel()

    def give_up(self) -> None:
        """Nobody waits for any of it."""
        for call in tuple(self._tasks):
            if call.give_up is not None:
                call.give_up()

    async def _asked(self, call: Call) -> None:
        while True:
            try:
                return await self._ask(call)
            except asyncio.CancelledError:
                if call not in self._again:
                    raise
                self._again.discard(call)
                forgive(asyncio.current_task())

    def _later(self, call: Call, task: asyncio.Task[Any]) -> None:
        asyncio.get_running_loop().call_later(_GRACE, self._stop, call, task)

    def _stop(self, call: Call, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(call) is task:
            self._again.discard(call)
            task.cancel()


def forgive(task: asyncio.Task[Any] | None) -> None:
    """Go on after a cancellation that was meant for what the task waited for."""
    while task is not None and task.cancelling():
        task.uncancel()
