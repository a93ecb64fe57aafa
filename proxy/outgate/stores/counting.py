"""Taking from limits and settling: one arithmetic for every store, which only keeps and finds the numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from outgate.errors import UnavailableError
from outgate.policy.limits import Charge, Hold, Limit, rate
from outgate.ports import Over, Reserved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

type Counter = tuple[str, str]
"""A charge's key, and what is counted in which window: a rule that becomes another limit begins anew."""

MOST = 2**62
"""Nothing is counted beyond: what SQLite and others keep has 64 bits."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_LATEST = 221_845_392_000_000_000
"""The year 9000: later ones are not times to Python."""
_HOLDS = (Hold.FORCED, Hold.BINDING, Hold.OBSERVED)
"""What is taken all the same leaves less for what must fit, and that for what is only watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A rate, in microseconds: `tat` as policy.limits has it, `at` when it was last taken from.

    `given` is what was ever given back out of the middle: `tat + given` names a place in the queue that a rate is, and stays
    its name whatever is given back before it.
    """

    tat: int
    at: int
    given: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """A quota in one period, from `start` until `until`, in microseconds since 1970."""

    start: int
    until: int
    used: int


class Counters(Protocol):
    """Where the numbers are kept, in one transaction of the store. Keeping a counter replaces it; a quota has one a period."""

    def flow(self, counter: Counter) -> Flow | None: ...
    def newest(self, counter: Counter) -> Spending | None: ...
    def spending(self, counter: Counter, start: int) -> Spending | None: ...
    def keep_flow(self, counter: Counter, flow: Flow) -> None: ...
    def keep_spending(self, counter: Counter, spending: Spending) -> None: ...


def reserve(counters: Counters, charges: Iterable[Charge], now: datetime) -> Reserved:
    """Take all that fits and all that is forced; where something binding does not fit, keep nothing.

    Charges of one key are taken together or not at all. Raises UnavailableError for an amount below nothing: an agent may have
    said it, and it would give others' use back.
    """
    drafts = _drafts(counters, charges, now)
    over = tuple(one for draft in drafts for one in draft.over)
    if any(one.charge.hold is Hold.BINDING for one in over):
        return Reserved(over=over)
    for draft in drafts:
        draft.keep()
    return Reserved(taken=tuple(one for draft in drafts for one in draft.taken), over=over)


def look(counters: Counters, charges: Iterable[Charge], now: datetime) -> Reserved:
    """What `reserve` would say is over. Nothing is kept."""
    return Reserved(over=tuple(one for draft in _drafts(counters, charges, now) for one in draft.over))


def settle(counters: Counters, reserved: Reserved, used: Mapping[str, int]) -> None:
    """Correct every key that `used` has. What is too old to be kept any more is let be."""
    if wrong := next((key for key, amount in used.items() if amount < 0), None):
        raise UnavailableError(f"limit {wrong}: a use of {used[wrong]} can't be counted")
    for (counter, limit, place), taken in _by_place(reserved):
        said = used.get(counter[0])
        if said is None or place is None:
            continue
        if limit.is_rate:
            _settle_flow(counters, counter, place, change=_cost(limit, said) - _cost(limit, taken))
        else:
            _settle_spending(counters, counter, place, change=said - taken)


def microseconds(at: datetime) -> int:
    """Since 1970, exactly."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(micros: int) -> datetime:
    """The other way."""
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    fits: bool
    wait: timedelta | None = None
    left: int = 0


class _Draft:
    """What a reservation makes of one counter, kept only when all of it is known."""

    def __init__(self, counters: Counters, counter: Counter, charges: list[Charge], now: datetime) -> None:
        self.taken: list[tuple[Charge, datetime]] = []
        self.over: list[Over] = []
        self._counters = counters
        self._counter = counter
        limit = charges[0].limit
        self._state = _Flowing(counters, counter, limit, now) if limit.is_rate else _Spending(counters, counter, limit, now)
        for hold in _HOLDS:
            if some := [charge for charge in charges if charge.hold is hold]:
                self._take(some, forced=hold is Hold.FORCED)

    def keep(self) -> None:
        if self.taken:
            self._state.keep(self._counters, self._counter)

    def _take(self, charges: list[Charge], *, forced: bool) -> None:
        amount = sum(charge.amount for charge in charges)
        fit = self._state.fit(amount)
        if fit.fits or forced:
            place = self._state.take(amount)
            self.taken += [(charge, place) for charge in charges]
        else:
            self.over += [Over(charge=charge, wait=fit.wait, left=fit.left) for charge in charges]


class _Flowing:
    """A rate, being taken from."""

    def __init__(self, counters: Counters, counter: Counter, limit: Limit, now: datetime) -> None:
        self._limit, self._now = limit, microseconds(now)
        self._flow = counters.flow(counter)

    def fit(self, amount: int) -> _Fit:
        found = rate(self._limit, self._flow.tat if self._flow else None, self._now, amount)
        return _Fit(
            fits=found.allowed,
            wait=None if found.wait is None else timedelta(microseconds=found.wait),
            left=found.left,
        )

    def take(self, amount: int) -> datetime:
        before = self._flow or Flow(tat=self._now, at=self._now)
        after = min(rate(self._limit, before.tat, self._now, amount, forced=True).tat, _LATEST)
        self._flow = replace(before, tat=max(before.tat, after), at=max(before.at, self._now))
        return moment(self._flow.tat + self._flow.given)

    def keep(self, counters: Counters, counter: Counter) -> None:
        if self._flow is not None:
            counters.keep_flow(counter, self._flow)


class _Spending:
    """A quota, being taken from: in the period that is now, or in the newest one kept, where the clock stepped back."""

    def __init__(self, counters: Counters, counter: Counter, limit: Limit, now: datetime) -> None:
        self._limit, self._now = limit, now
        start, end = limit.period(now)
        kept = counters.newest(counter)
        if kept is None or kept.start < microseconds(start):
            kept = Spending(start=microseconds(start), until=microseconds(end), used=0)
        self._kept = kept

    def fit(self, amount: int) -> _Fit:
        left = max(0, self._limit.amount - self._kept.used)
        never = amount > self._limit.amount
        wait = None if never else max(moment(self._kept.until) - self._now, timedelta(microseconds=1))
        return _Fit(fits=self._kept.used + amount <= self._limit.amount, wait=wait, left=left)

    def take(self, amount: int) -> datetime:
        self._kept = replace(self._kept, used=min(self._kept.used + amount, MOST))
        return moment(self._kept.start)

    def keep(self, counters: Counters, counter: Counter) -> None:
        counters.keep_spending(counter, self._kept)


def _drafts(counters: Counters, charges: Iterable[Charge], now: datetime) -> list[_Draft]:
    charges = tuple(charges)
    if wrong := next((charge for charge in charges if charge.amount < 0), None):
        raise UnavailableError(f"limit {wrong.key}: an amount of {wrong.amount} can't be counted")
    return [_Draft(counters, counter, some, now) for counter, some in _by_counter(charges)]


def _settle_flow(counters: Counters, counter: Counter, place: datetime, *, change: int) -> None:
    """Give back only what has not run out by itself since: else an agent whose requests hang and then fail would save up.

    A rate is a queue that drains with time, in the order in which it was taken from. What came later moves up, so its places
    are counted from `given`; nothing comes after what stands last. What stood before seems to have moved too: of that, less
    than there is may be given back, never more.
    """
    flow = counters.flow(counter)
    if flow is None:
        return
    if change >= 0:
        counters.keep_flow(counter, replace(flow, tat=max(flow.tat, min(flow.tat + change, _LATEST))))
        return
    end = microseconds(place) - flow.given
    back = min(-change, max(0, end - flow.at))
    last = end == flow.tat
    counters.keep_flow(counter, replace(flow, tat=flow.tat - back, given=flow.given + (0 if last else back)))


def _settle_spending(counters: Counters, counter: Counter, place: datetime, *, change: int) -> None:
    kept = counters.spending(counter, microseconds(place))
    if kept is not None:
        counters.keep_spending(counter, replace(kept, used=max(0, min(kept.used + change, MOST))))


def _by_counter(charges: tuple[Charge, ...]) -> Iterator[tuple[Counter, list[Charge]]]:
    found: dict[Counter, list[Charge]] = {}
    for charge in charges:
        found.setdefault(_counter(charge), []).append(charge)
    yield from found.items()


def _by_place(reserved: Reserved) -> Iterator[tuple[tuple[Counter, Limit, datetime | None], int]]:
    found: dict[tuple[Counter, datetime | None], tuple[Limit, int]] = {}
    for charge, place in reserved.taken:
        at = _counter(charge), place
        found[at] = charge.limit, charge.amount + (found[at][1] if at in found else 0)
    for (counter, place), (limit, amount) in found.items():
        yield (counter, limit, place), amount


def _counter(charge: Charge) -> Counter:
    return charge.key, f"{charge.limit.unit}/{charge.limit.window}"


def _cost(limit: Limit, amount: int) -> int:
    """How long a rate needs to make up for an amount, in microseconds."""
    return rate(limit, 0, 0, amount, forced=True).tat
