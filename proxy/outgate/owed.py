"""Owed: what must be done for a request although nobody waits for it any more."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from outgate.ports import Alarm, Stamp


class Owed:
    """Tasks and receipts that are under way. What fails in one is told to people, and goes no further."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._tasks: set[asyncio.Task[None]] = set()
        self._receipts: set[Future[Stamp]] = set()

    async def surely[T](self, doing: Awaitable[T], undo: Callable[[T], object]) -> T:
        """Wait for something that takes effect whether or not anybody waits for it; undo it when nobody does any more."""
        task = asyncio.ensure_future(doing)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(partial(_undo, undo))
            raise

    def later(self, doing: Coroutine[None, None, None], what: str) -> asyncio.Task[None]:
        """Do it soon. Who must not go on before may wait for it; it never fails."""
        task = asyncio.get_running_loop().create_task(self._done(doing, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def receipt(self, owed: Future[Stamp], then: Callable[[], None] | None = None) -> None:
        """Have somebody hear of it when this can't be kept; when it is, do what had to wait for that."""
        self._receipts.add(owed)
        owed.add_done_callback(partial(self._paid, then))

    async def settled(self) -> None:
        """Wait until nothing that was put off is still to be done."""
        while self._tasks or self._receipts:
            waiting: set[Future[Any]] = {*self._tasks, *self._receipts}
            await asyncio.wait(waiting)

    @contextmanager
    def alarmed(self, doing: str) -> Iterator[None]:
        """Where nothing is let out any more, whatever happens: an error is told to people, and goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # see above
            self._alarm.raise_for(error, doing)

    async def _done(self, doing: Coroutine[None, None, None], what: str) -> None:
        with self.alarmed(what):
            await doing

    def _paid(self, then: Callable[[], None] | None, owed: Future[Stamp]) -> None:
        self._receipts.discard(owed)
        if owed.cancelled():
            return
        if (error := owed.exception()) is not None:
            self._alarm.raise_for(error, "recording an outcome")
        elif then is not None:
            with self.alarmed("giving back what was not used"):
                then()


def _undo[T](undo: Callable[[T], object], task: Future[T]) -> None:
    if not task.cancelled() and task.exception() is None:
        undo(task.result())
