"""The machine's time, and whether it can be relied on."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 5.0
"""Seconds. A clock that is put right by less is still a clock."""
DISTRUST = 600.0
"""Seconds after a step in which nothing is decided on what time it is."""


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SystemClock:
    """Compares wall time with the time since boot, which nobody can set and which goes on while a machine sleeps.

    `stepped` is told of each step, in seconds, large or small.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], float] = _since_boot,
        stepped: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._wall, self._boot = wall, boot
        self._offset = wall() - boot()
        self._distrusted_at: float | None = None
        self.stepped = stepped

    def now(self) -> datetime:
        wall, boot = self._wall(), self._boot()
        step = wall - boot - self._offset
        if abs(step) > 1.0:
            self._offset = wall - boot
            if abs(step) > STEP:
                self._distrusted_at = boot
            self.stepped(step)
        return datetime.fromtimestamp(wall, UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self) -> bool:
        """As of the last `now`, which whoever decides on what time it is has just asked for."""
        return self._distrusted_at is None or self._boot() - self._distrusted_at > DISTRUST

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
