"""Hours: parts of the week, in the policy's time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAYS_FORM = r"(?:mon|tue|wed|thu|fri|sat|sun)(?:-(?:mon|tue|wed|thu|fri|sat|sun))?"
CLOCK_FORM = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00"

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From `start` to before `end`, on `days` (0 is Monday). Where `end` is not after `start` it ends on the next day."""

    days: frozenset[int]
    start: time
    end: time
    zone: tzinfo

    def has(self, moment: datetime) -> bool:
        """Whether an aware moment is in these hours, by the wall clock of their zone."""
        local = moment.astimezone(self.zone)
        clock, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        yesterday = (local - _DAY).weekday()
        return (today in self.days and clock >= self.start) or (yesterday in self.days and clock < self.end)


def days(spans: list[str]) -> frozenset[int]:
    """`mon-fri`, `sat`: days by their number; a span may go over the weekend."""
    found: set[int] = set()
    for span in spans:
        first, _, last = span.partition("-")
        at, end = DAYS.index(first), DAYS.index(last or first)
        found.add(end)
        while at != end:
            found.add(at)
            at = (at + 1) % len(DAYS)
    return frozenset(found)


def clock(text: str) -> time:
    """`08:00`; `24:00` is the midnight that ends a day."""
    if not re.fullmatch(CLOCK_FORM, text):
        raise ValueError(f"'{text}' is no time of day, write 08:00")
    hour, minute = (int(part) for part in text.split(":"))
    return time(hour % 24, minute)
