"""How long something stands still, and which of its limits that is over. No clock: each look brings the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from outgate.mitm.enforce import Failure

if TYPE_CHECKING:
    from datetime import timedelta

    from outgate.mitm.enforce import Call
    from outgate.mitm.link import Limits

WINDOW: Final = 30.0
"""Seconds over which a body's rate is looked at. The first of them is its grace."""
_BEFORE: Final = -1


type Overdue = tuple[Failure, str]
"""What went wrong, and the limit that it is over, by its name in the settings."""

_SILENT: Final = (Failure.SILENT, "answer_time")
_HUNG: Final = (Failure.SILENT, "idle")
_STALLED: Final = (Failure.STALLED, "idle")
_ENDLESS: Final = (Failure.ENDLESS, "answer_lasts")
TOO_LARGE: Final = (Failure.ENDLESS, "answer_size")


@dataclass(slots=True)
class Pace:
    """What something had come to when one last looked, and since when it stands there."""

    came: int = _BEFORE
    since: float = 0.0

    def still(self, came: int, now: float) -> float:
        """Give for how many seconds it has stood where it is now."""
        if came != self.came:
            self.came, self.since = came, now
        return now - self.since


@dataclass(slots=True)
class Rate:
    """What came by the start of a window."""

    came: int = _BEFORE
    began: float = 0.0

    def too_slow(self, came: int, now: float, least: int | None) -> bool:
        """Whether less than `least` bytes a second came in the window that is over now. None: any rate will do."""
        if self.came == _BEFORE:
            self.came, self.began = came, now
        seconds = now - self.began
        if least is None or seconds < WINDOW:
            return False
        slow = came - self.came < least * seconds
        self.came, self.began = came, now
        return slow


@dataclass(slots=True)
class Patience:
    """How long one exchange may go on as it does."""

    body: Rate = field(default_factory=Rate)
    _moved: Pace = field(default_factory=Pace)
    _answered: Pace = field(default_factory=Pace)

    def overdue(self, call: Call, now: float, limits: Limits) -> Overdue | None:
        """Give the limit that an admitted call is over, if it is over any."""
        still = self._moved.still(call.upload.count + call.download.count + call.ended, now)
        if call.status is None:
            if call.ended:
                return _SILENT if over(still, limits.answer_time) else None
            return _STALLED if over(still, limits.idle) else None
        if over(self._answered.still(0, now), limits.answer_lasts):
            return _ENDLESS
        return _HUNG if over(still, limits.idle) else None


def over(seconds: float, limit: timedelta | None) -> bool:
    """Whether a time is longer than it may be. No limit: never."""
    return limit is not None and seconds > limit.total_seconds()
