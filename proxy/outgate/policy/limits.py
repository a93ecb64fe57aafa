"""Limits: how much of something in a time. The arithmetic is here; who counts is a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

    from outgate.policy.decision import Match

COUNT = "count"
TOKENS = "tokens"
MOST_COUNT = 10**9
"""Of things in one charge, more than any limit of them allows: with it a rate's arithmetic still fits in 64 bits."""
MOST = 10**16
"""Of tokens, or of millionths of a currency, in one charge; more than any limit of them allows."""


class Window(StrEnum):
    """How long a limit's amount is for."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


_SHORT = {Window.SECOND: 1, Window.MINUTE: 60, Window.HOUR: 3600}
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `amount` of `unit` in each `window`.

    `unit` is `count` (things done), `tokens` (of language models), or a currency (ISO 4217; `amount` is then in millionths of
    its major unit: one call of a model costs less than a cent). `burst` is how much of a rate may come at once; where it is
    None, all of it. `per` are the facts that each have a limit of their own. `attempted`: what was let out and did not happen
    counts too. `max_delay` is how long a safe request may be made to wait instead of being refused.
    """

    amount: int
    unit: str
    window: Window
    zone: tzinfo = UTC
    burst: int | None = None
    per: tuple[str, ...] = ("agent.id",)
    attempted: bool = False
    max_delay: timedelta = timedelta(0)

    def __str__(self) -> str:
        match self.unit:
            case "count":
                return f"{self.amount}/{self.window}"
            case "tokens":
                return f"{self.amount} tokens/{self.window}"
            case currency:
                whole, part = divmod(self.amount, _MICRO)
                return f"{whole}{f'.{part:06}'.rstrip('0') if part else ''} {currency}/{self.window}"

    @property
    def is_rate(self) -> bool:
        """Evenly spread (GCRA): a count in a second, a minute, an hour. Everything else is a quota of a calendar window."""
        return self.unit == COUNT and self.window in _SHORT

    @property
    def seconds(self) -> int:
        """The length of a rate's window. A quota's is that of its period."""
        return _SHORT[self.window]

    def period(self, now: datetime) -> tuple[datetime, datetime]:
        """The calendar window that `now` is in, by the wall clock of the zone: its start, and the start of the next. UTC."""
        local = now.astimezone(self.zone)
        if (length := _SHORT.get(self.window)) is not None:
            into = timedelta(seconds=(local.minute * 60 + local.second) % length, microseconds=local.microsecond)
            start = now.astimezone(UTC) - into  # not by the wall clock, which shows one hour twice when summer ends
            return start, start + timedelta(seconds=length)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        start, end = _calendar(self.window, midnight)
        return start.astimezone(UTC), end.astimezone(UTC)


def _calendar(window: Window, midnight: datetime) -> tuple[datetime, datetime]:
    match window:
        case Window.WEEK:
            monday = _later(midnight, -midnight.weekday())
            return monday, _later(monday, 7)
        case Window.MONTH:
            first = midnight.replace(day=1)
            return first, _later(first, 32).replace(day=1)
        case Window.YEAR:
            first = midnight.replace(month=1, day=1)
            return first, first.replace(year=first.year + 1)
        case _:
            return midnight, _later(midnight, 1)


def _later(moment: datetime, days: int) -> datetime:
    """By the wall clock: midnight stays midnight when the clocks change."""
    return (moment.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=moment.tzinfo, fold=0)


class Hold(Enum):
    """What a charge that does not fit does."""

    BINDING = "binding"
    """It raises the answer, and nothing is taken."""
    OBSERVED = "observed"
    """It is told, and changes nothing."""
    FORCED = "forced"
    """It is taken all the same: people approved what goes over the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one request takes of one limit. `match` is what holds over it.

    `key` names the counter: the rule, and whose limit it is. `verdicts` are the numbers of the actions that it is for. `amount`
    is an estimate where `unit` is settled from the answer.
    """

    key: str
    limit: Limit
    amount: int
    hold: Hold
    match: Match
    verdicts: tuple[int, ...] = field(default=(0,))


@dataclass(frozen=True, slots=True)
class Rate:
    """GCRA (ATM Forum TM 4.0, generic cell rate algorithm): the time at which a counter is empty again is all its state.

    Times are microseconds since 1970.
    """

    tat: int
    allowed: bool
    wait: int | None = None
    """Microseconds until the same would fit; None where it never does, being more than the burst."""
    left: int = 0
    """How much more would fit now."""


def rate(limit: Limit, tat: int | None, now: int, amount: int, *, forced: bool = False) -> Rate:
    """Take `amount` of a rate whose state is `tat` (None: never used). Not allowed: the state stays as it is."""
    window, burst = limit.seconds * _MICRO, limit.burst or limit.amount
    each = -(-window // limit.amount)
    tolerance = min(burst * each, window * burst // limit.amount + each - 1)  # a burst fits one by one, and never one more
    begin = max(tat if tat is not None else now, now)
    after = begin + -(-window * amount // limit.amount)
    over = after - now - tolerance
    if over > 0 and not forced:
        fits = amount <= burst
        return Rate(tat=begin, allowed=False, wait=over if fits else None, left=_left(limit, begin - now, tolerance))
    return Rate(tat=after, allowed=True, left=_left(limit, after - now, tolerance))


def _left(limit: Limit, used: int, tolerance: int) -> int:
    return max(0, (tolerance - used) * limit.amount // (limit.seconds * _MICRO))
