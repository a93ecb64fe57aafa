"""ports.Ledger, on every store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stored import NOW, PER_DAY, PER_MINUTE, TOKENS, charge, fits

from outgate.errors import UnavailableError
from outgate.policy.limits import Hold, Limit, Window
from outgate.ports import Over, Reserved
from outgate.stores.counting import MOST
from outgate.stores.memory import MemoryLedger
from outgate.stores.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from outgate.ports import Ledger

STORES = ["memory", "sqlite"]
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


@asynccontextmanager
async def opened(store: str, folder: Path) -> AsyncIterator[Ledger]:
    if store == "memory":
        yield MemoryLedger()
        return
    made = SqliteLedger.open(folder / "ledger.sqlite")
    yield made
    await made.close()


@pytest.fixture(params=STORES)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened(request.param, tmp_path) as made:
        yield made


# when an agent was first seen


async def test_an_agent_is_first_seen_when_it_first_asks(ledger: Ledger) -> None:
    assert await ledger.first_seen("a", NOW) == NOW


async def test_that_never_changes_later(ledger: Ledger) -> None:
    await ledger.first_seen("a", NOW)
    assert await ledger.first_seen("a", NOW + timedelta(days=8)) == NOW
    assert await ledger.first_seen("a", NOW - timedelta(days=8)) == NOW


async def test_every_agent_has_its_own(ledger: Ledger) -> None:
    await ledger.first_seen("a", NOW)
    assert await ledger.first_seen("A", NOW + timedelta(days=1)) == NOW + timedelta(days=1)


async def test_all_that_ask_at_once_get_the_same(ledger: Ledger) -> None:
    asked = [ledger.first_seen("a", NOW + timedelta(seconds=i)) for i in range(20)]
    assert len(set(await asyncio.gather(*asked))) == 1


async def test_time_comes_back_aware_to_the_microsecond(ledger: Ledger) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert await ledger.first_seen("a", elsewhere) == NOW
    assert (await ledger.first_seen("a", elsewhere)).utcoffset() is not None


async def test_what_looks_like_sql_is_a_name(ledger: Ledger) -> None:
    await ledger.first_seen("a'; drop table agents; --", NOW)
    assert await ledger.first_seen("b", NOW) == NOW
    assert await fits(ledger, charge(key="'; drop table quotas; --"))
    assert await fits(ledger, charge(PER_MINUTE, key="'; drop table rates; --"))


# reserving


async def test_a_quota_fits_exactly_to_its_limit_and_no_further(ledger: Ledger) -> None:
    assert [await fits(ledger, charge()) for _ in range(7)] == [True] * 5 + [False] * 2


async def test_a_quota_begins_anew_with_its_period(ledger: Ledger) -> None:
    assert await fits(ledger, charge(amount=5))
    tomorrow = datetime(2026, 2, 1, tzinfo=UTC)
    assert not await fits(ledger, charge(), tomorrow - timedelta(microseconds=1))
    assert await fits(ledger, charge(amount=5), tomorrow)


async def test_a_period_is_by_the_wall_clock_of_its_zone(ledger: Ledger) -> None:
    tokyo = Limit(amount=1, unit="count", window=Window.DAY, zone=ZoneInfo("Asia/Tokyo"))
    assert await fits(ledger, charge(tokyo), datetime(2026, 1, 31, 14, 59, tzinfo=UTC))
    assert await fits(ledger, charge(tokyo), datetime(2026, 1, 31, 15, 0, tzinfo=UTC))
    assert not await fits(ledger, charge(tokyo), datetime(2026, 2, 1, 14, 59, tzinfo=UTC))


async def test_a_rate_gives_its_burst_and_then_one_at_a_time(ledger: Ledger) -> None:
    assert [await fits(ledger, charge(PER_MINUTE)) for _ in range(4)] == [True, True, True, False]
    assert await fits(ledger, charge(PER_MINUTE), NOW + SECOND)
    assert not await fits(ledger, charge(PER_MINUTE), NOW + SECOND)


async def test_what_does_not_fit_says_how_long_to_wait_and_what_would_fit(ledger: Ledger) -> None:
    await ledger.reserve((charge(amount=3), charge(PER_MINUTE, 2, key="rate")), NOW)
    quota, rate = charge(amount=4), charge(PER_MINUTE, 3, key="rate")
    found = await ledger.reserve((quota, rate), NOW)
    assert found == Reserved(
        over=(
            Over(charge=quota, wait=datetime(2026, 2, 1, tzinfo=UTC) - NOW, left=2),
            Over(charge=rate, wait=2 * SECOND, left=1),
        )
    )
    assert await fits(ledger, rate, NOW + 2 * SECOND), "after the wait it fits"


async def test_what_is_more_than_the_limit_never_fits(ledger: Ledger) -> None:
    found = await ledger.reserve((charge(amount=6), charge(PER_MINUTE, 4, key="rate")), NOW)
    assert [(one.wait, one.left) for one in found.over] == [(None, 5), (None, 3)]


async def test_where_one_does_not_fit_nothing_is_taken(ledger: Ledger) -> None:
    full = charge(key="full", amount=5)
    await ledger.reserve((full,), NOW)
    some = (
        charge(PER_MINUTE, 3, key="rate"),
        charge(key="quota", amount=5),
        charge(key="watched", hold=Hold.OBSERVED),
        charge(key="forced", amount=5, hold=Hold.FORCED),
        charge(key="full"),
    )
    found = await ledger.reserve(some, NOW)
    assert found.taken == ()
    assert [one.charge.key for one in found.over] == ["full"]
    for one in (*some[:2], charge(key="watched", amount=5), charge(key="forced", amount=5)):
        assert await fits(ledger, one), one.key


async def test_to_look_says_what_reserving_would_and_takes_nothing(ledger: Ledger) -> None:
    await ledger.reserve((charge(key="full", amount=5), charge(PER_MINUTE, 2, key="rate")), NOW)
    some = (charge(key="full"), charge(PER_MINUTE, 3, key="rate"), charge(key="free", amount=5))
    looked = [await ledger.look(some, NOW) for _ in range(3)]
    assert [over.charge.key for over in looked[0].over] == ["full", "rate"]
    assert looked == [Reserved(over=(await ledger.reserve(some, NOW)).over)] * 3
    assert await fits(ledger, charge(key="free", amount=5))
    assert await fits(ledger, charge(PER_MINUTE, 1, key="rate"))
    assert await ledger.look((), NOW) == Reserved()


async def test_everything_that_does_not_fit_is_named(ledger: Ledger) -> None:
    keys = ("a", "b", "c")
    await ledger.reserve(tuple(charge(key=key, amount=5) for key in keys), NOW)
    holds = (Hold.BINDING, Hold.OBSERVED, Hold.BINDING)
    found = await ledger.reserve(tuple(charge(key=key, hold=hold) for key, hold in zip(keys, holds, strict=True)), NOW)
    assert [one.charge.key for one in found.over] == ["a", "b", "c"]


async def test_what_is_observed_never_refuses_and_is_not_taken_when_it_does_not_fit(ledger: Ledger) -> None:
    observed = charge(key="o", amount=3, hold=Hold.OBSERVED)
    first = await ledger.reserve((observed, charge(key="b")), NOW)
    assert [one.key for one, _ in first.taken] == ["o", "b"]
    second = await ledger.reserve((observed, charge(key="b")), NOW)
    assert [one.key for one, _ in second.taken] == ["b"]
    assert [(one.charge.key, one.left) for one in second.over] == [("o", 2)]
    assert (await ledger.reserve((charge(key="o", amount=2, hold=Hold.OBSERVED),), NOW)).over == ()


@pytest.mark.parametrize("limit", [PER_DAY, PER_MINUTE])
async def test_what_is_forced_is_taken_beyond_the_limit(ledger: Ledger, limit: Limit) -> None:
    forced = await ledger.reserve((charge(limit, 50, hold=Hold.FORCED),), NOW)
    assert (len(forced.taken), forced.over) == (1, ())
    assert not await fits(ledger, charge(limit))
    assert not await fits(ledger, charge(limit), NOW + 46 * SECOND)


async def test_charges_of_one_key_add_up(ledger: Ledger) -> None:
    for limit, most in ((PER_DAY, 5), (PER_MINUTE, 3)):
        found = await ledger.reserve((charge(limit, most - 1), charge(limit, 2)), NOW)
        assert (found.taken, [one.wait for one in found.over]) == ((), [None, None])
        assert len((await ledger.reserve((charge(limit, most - 1), charge(limit, 1)), NOW)).taken) == 2
        assert not await fits(ledger, charge(limit))


async def test_every_key_has_a_counter_of_its_own(ledger: Ledger) -> None:
    assert await fits(ledger, charge(amount=5, key="rule a"))
    assert await fits(ledger, charge(amount=5, key="rule A"))
    assert await fits(ledger, charge(amount=5, key="rule\0a"))


async def test_a_rule_that_becomes_another_limit_begins_anew(ledger: Ledger) -> None:
    assert await fits(ledger, charge(PER_DAY, 5))
    assert await fits(ledger, charge(TOKENS, 1000))
    assert await fits(ledger, charge(PER_MINUTE, 3))
    assert not await fits(ledger, charge(PER_DAY))


async def test_a_limit_that_is_lowered_counts_what_was_used(ledger: Ledger) -> None:
    assert await fits(ledger, charge(PER_DAY, 3))
    lower = Limit(amount=3, unit="count", window=Window.DAY)
    assert not await fits(ledger, charge(lower))


async def test_a_clock_that_steps_back_gives_nothing_back(ledger: Ledger) -> None:
    await ledger.reserve((charge(amount=5), charge(PER_MINUTE, 3, key="rate")), NOW)
    for earlier in (NOW - MINUTE, NOW - DAY, NOW - 40 * DAY):
        found = await ledger.reserve((charge(), charge(PER_MINUTE, key="rate")), earlier)
        assert len(found.over) == 2
        assert found.over[0].wait == datetime(2026, 2, 1, tzinfo=UTC) - earlier
    assert await fits(ledger, charge(), NOW + DAY)


async def test_no_charges_are_no_matter(ledger: Ledger) -> None:
    assert await ledger.reserve((), NOW) == Reserved()
    await ledger.settle(Reserved(), {"a": 1})


async def test_an_amount_below_nothing_is_refused_and_nothing_is_taken_with_it(ledger: Ledger) -> None:
    with pytest.raises(UnavailableError, match="an amount of -1 can't be counted"):
        await ledger.reserve((charge(amount=5), charge(amount=-1, key="b", hold=Hold.FORCED)), NOW)
    assert await fits(ledger, charge(amount=5))


async def test_one_that_can_not_be_counted_does_not_fail_those_beside_it(ledger: Ledger) -> None:
    asked = [ledger.reserve((charge(amount=n),), NOW) for n in (1, -1, 1)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, UnavailableError) for one in found] == [False, True, False]


@pytest.mark.parametrize("amount", [2**53, 2**62, 2**63, 10**40])
@pytest.mark.parametrize("limit", [PER_DAY, PER_MINUTE, TOKENS])
async def test_an_absurd_amount_never_fits_and_breaks_nothing(ledger: Ledger, limit: Limit, amount: int) -> None:
    for hold in (Hold.BINDING, Hold.OBSERVED):
        found = await ledger.reserve((charge(limit, amount, hold=hold),), NOW)
        assert (found.taken, found.over[0].wait) == ((), None)
    for _ in range(3):
        forced = await ledger.reserve((charge(limit, amount, hold=Hold.FORCED),), NOW)
        assert len(forced.taken) == 1
    assert not await fits(ledger, charge(limit))
    await ledger.settle(forced, {"a-rule coder": 10**40})
    assert not await fits(ledger, charge(limit))


async def test_the_largest_limit_there_is_can_be_filled(ledger: Ledger) -> None:
    limit = Limit(amount=MOST, unit="tokens", window=Window.YEAR)
    assert await fits(ledger, charge(limit, MOST))
    assert not await fits(ledger, charge(limit, 1))


# settling


@pytest.mark.parametrize(("limit", "most"), [(PER_DAY, 5), (PER_MINUTE, 3)])
async def test_what_was_not_used_is_given_back(ledger: Ledger, limit: Limit, most: int) -> None:
    reserved = await ledger.reserve((charge(limit, most),), NOW)
    await ledger.settle(reserved, {"a-rule coder": 1})
    assert [await fits(ledger, charge(limit)) for _ in range(most)] == [True] * (most - 1) + [False]


async def test_more_than_was_taken_is_counted_too(ledger: Ledger) -> None:
    reserved = await ledger.reserve((charge(TOKENS, 10),), NOW)
    await ledger.settle(reserved, {"a-rule coder": 5000})
    assert not await fits(ledger, charge(TOKENS, 1))
    rate = await ledger.reserve((charge(PER_MINUTE, key="r"),), NOW)
    await ledger.settle(rate, {"r": 3})
    assert not await fits(ledger, charge(PER_MINUTE, key="r"))


async def test_a_key_that_is_not_said_stays_as_it_was_taken(ledger: Ledger) -> None:
    reserved = await ledger.reserve((charge(amount=5), charge(amount=5, key="b")), NOW)
    await ledger.settle(reserved, {"b": 0, "c": 0})
    assert not await fits(ledger, charge())
    assert await fits(ledger, charge(amount=5, key="b"))


async def test_charges_of_one_key_are_settled_together(ledger: Ledger) -> None:
    reserved = await ledger.reserve((charge(amount=2), charge(amount=2)), NOW)
    await ledger.settle(reserved, {"a-rule coder": 1})
    assert await fits(ledger, charge(amount=4))
    assert not await fits(ledger, charge())


async def test_a_quota_is_settled_in_the_period_in_which_it_was_taken(ledger: Ledger) -> None:
    late = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    reserved = await ledger.reserve((charge(amount=5),), late)
    await ledger.reserve((charge(amount=5),), late + MINUTE)
    await ledger.settle(reserved, {"a-rule coder": 0})
    assert not await fits(ledger, charge(), late + MINUTE)
    more = await ledger.reserve((charge(amount=0),), late + MINUTE)
    await ledger.settle(reserved, {"a-rule coder": 500})
    assert more.taken


async def test_a_quota_never_falls_below_nothing(ledger: Ledger) -> None:
    reserved = await ledger.reserve((charge(amount=5),), NOW)
    for _ in range(3):
        await ledger.settle(reserved, {"a-rule coder": 0})
    assert not await fits(ledger, charge(amount=6))
    assert await fits(ledger, charge(amount=5))
    assert not await fits(ledger, charge())


async def test_a_use_below_nothing_is_refused_and_nothing_is_settled_with_it(ledger: Ledger) -> None:
    reserved = await ledger.reserve((charge(amount=5), charge(key="b", amount=5)), NOW)
    with pytest.raises(UnavailableError, match="a use of -5 can't be counted"):
        await ledger.settle(reserved, {"a-rule coder": 0, "b": -5})
    assert not await fits(ledger, charge())


async def test_what_a_rate_has_long_made_up_for_is_not_given_back_again(ledger: Ledger) -> None:
    """Else an agent would save up with requests that hang and then fail: here, twice its burst at once."""
    hung = await ledger.reserve((charge(PER_MINUTE, 3),), NOW)
    later = NOW + MINUTE
    assert await fits(ledger, charge(PER_MINUTE, 3), later)
    await ledger.settle(hung, {"a-rule coder": 0})
    assert not await fits(ledger, charge(PER_MINUTE), later)


async def test_what_a_rate_has_half_made_up_for_is_given_back_by_half(ledger: Ledger) -> None:
    hung = await ledger.reserve((charge(PER_MINUTE, 2),), NOW)
    assert await fits(ledger, charge(PER_MINUTE), NOW + SECOND)
    await ledger.settle(hung, {"a-rule coder": 0})
    assert await fits(ledger, charge(PER_MINUTE, 2), NOW + SECOND)
    assert not await fits(ledger, charge(PER_MINUTE), NOW + SECOND)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1)])
async def test_several_under_way_are_given_back_from_either_end(ledger: Ledger, order: tuple[int, ...]) -> None:
    under_way = [await ledger.reserve((charge(PER_MINUTE),), NOW) for _ in range(3)]
    for one in order:
        await ledger.settle(under_way[one], {"a-rule coder": 0})
    assert await fits(ledger, charge(PER_MINUTE, 3))


# at once


async def test_of_many_at_once_exactly_as_many_fit_as_there_is_room(ledger: Ledger) -> None:
    found = await asyncio.gather(*[fits(ledger, charge(Limit(amount=137, unit="count", window=Window.DAY))) for _ in range(200)])
    assert sum(found) == 137
    rate = Limit(amount=120, unit="count", window=Window.HOUR, burst=45)
    found = await asyncio.gather(*[fits(ledger, charge(rate)) for _ in range(200)])
    assert sum(found) == 45


async def test_who_is_cancelled_while_waiting_has_taken_nothing(ledger: Ledger) -> None:
    tasks = [asyncio.create_task(ledger.reserve((charge(amount=1), charge(PER_MINUTE, key="r")), NOW)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in (tasks[0], tasks[2], tasks[3]):
        task.cancel()
    kept = [
        found for found in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(found, Reserved) and found.taken
    ]
    taken = len(kept)
    assert (await ledger.reserve((charge(amount=6),), NOW)).over[0].left == 5 - taken
    assert (await ledger.reserve((charge(PER_MINUTE, 4, key="r"),), NOW)).over[0].left == 3 - taken


# against models

steps = st.lists(
    st.tuples(
        st.integers(-(30 * 3600), 30 * 3600),
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(0, 7), st.sampled_from(Hold)),
            min_size=1,
            max_size=2,
            unique_by=lambda c: c[0],
        ),
        st.one_of(st.none(), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=12,
)


class Budget:
    """A quota a day as simply as it can be said: sums, by day; the newest day is the one that counts."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, int], int] = {}

    def day(self, key: str, now: datetime) -> int:
        return max([int(now.timestamp() // 86400), *(day for name, day in self.used if name == key)])

    def left(self, key: str, now: datetime) -> int:
        return PER_DAY.amount - self.used.get((key, self.day(key, now)), 0)

    def add(self, key: str, day: int, amount: int) -> None:
        self.used[key, day] = max(0, self.used.get((key, day), 0) + amount)


async def as_the_model_says(ledger: Ledger, plan: list) -> None:
    model, now = Budget(), NOW
    for forward, wanted, used in plan:
        now += timedelta(seconds=forward)
        charges = tuple(charge(PER_DAY, amount, key=key, hold=hold) for key, amount, hold in wanted)
        wrong = {one.key for one in charges if one.hold is not Hold.FORCED and one.amount > model.left(one.key, now)}
        refused = any(one.key in wrong and one.hold is Hold.BINDING for one in charges)
        found = await ledger.reserve(charges, now)
        assert {(one.charge.key, one.left) for one in found.over} == {(key, max(0, model.left(key, now))) for key in wrong}
        taken = [] if refused else [one for one in charges if one.key not in wrong]
        assert sorted(one.key for one, _ in found.taken) == sorted(one.key for one in taken)
        days = {one.key: model.day(one.key, now) for one in taken}
        for one in taken:
            model.add(one.key, days[one.key], one.amount)
        if used is not None:
            await ledger.settle(found, {"a": used})
            for one in taken:
                if one.key == "a":
                    model.add("a", days["a"], used - one.amount)


@given(steps)
@settings(max_examples=200, deadline=None)
def test_quotas_in_memory_are_sums_by_period(plan: list) -> None:
    asyncio.run(as_the_model_says(MemoryLedger(), plan))


@given(steps)
@settings(max_examples=20, deadline=None)
def test_quotas_in_sqlite_are_sums_by_period(plan: list) -> None:
    asyncio.run(on_disk(as_the_model_says, plan))


async def on_disk(proof, *given) -> None:
    with TemporaryDirectory() as folder:
        async with opened("sqlite", Path(folder)) as ledger:
            await proof(ledger, *given)


class Bucket:
    """A rate as simply as it can be said: a bucket of `burst` that leaks one a second. Seconds and drops are whole."""

    def __init__(self, burst: int) -> None:
        self.burst, self.level, self.at = burst, 0, -1000

    def take(self, at: int, amount: int) -> bool:
        level = max(0, self.level - max(0, at - self.at))
        if level + amount > self.burst:
            return False
        self.level, self.at = level + amount, max(at, self.at)
        return True


LEAKY = Limit(amount=60, unit="count", window=Window.MINUTE, burst=6)
waits = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 7)), min_size=1, max_size=20)


async def as_the_bucket_says(ledger: Ledger, plan: list) -> None:
    bucket, at = Bucket(6), 0
    for wait, amount in plan:
        at += wait
        assert await fits(ledger, charge(LEAKY, amount), NOW + at * SECOND) == bucket.take(at, amount)


@given(waits)
@settings(max_examples=200, deadline=None)
def test_rates_in_memory_are_a_leaky_bucket(plan: list) -> None:
    asyncio.run(as_the_bucket_says(MemoryLedger(), plan))


@given(waits)
@settings(max_examples=20, deadline=None)
def test_rates_in_sqlite_are_a_leaky_bucket(plan: list) -> None:
    asyncio.run(on_disk(as_the_bucket_says, plan))


moves = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(-2, 4), st.integers(1, 6)),
        st.tuples(st.just("settle"), st.integers(0, 20), st.integers(0, 6)),
    ),
    min_size=2,
    max_size=30,
)


@given(moves)
@example([("take", 0, 4), ("take", 1, 2), ("settle", 0, 0), ("take", 2, 4), ("settle", 0, 0), ("take", 0, 3)])
@settings(max_examples=400, deadline=None)
def test_whatever_is_given_back_what_was_really_done_keeps_to_the_rate(plan: list) -> None:
    """In whatever order, however late, also when the clock steps back: what was used passes a bucket of its own."""
    asyncio.run(keeps_to_the_rate(plan))


async def keeps_to_the_rate(plan: list) -> None:
    ledger, now, latest = MemoryLedger(), 0, -1000
    under_way: dict[int, Reserved] = {}
    done: dict[int, tuple[int, int]] = {}
    for step, (what, number, amount) in enumerate(plan):
        if what == "take":
            now += number
            found = await ledger.reserve((charge(LEAKY, amount),), NOW + now * SECOND)
            if found.taken:
                latest = max(latest, now)
                under_way[step], done[step] = found, (latest, amount)
        elif under_way:
            one = sorted(under_way)[number % len(under_way)]
            at, taken = done[one]
            done[one] = at, min(amount, taken)
            await ledger.settle(under_way.pop(one), {"a-rule coder": done[one][1]})
    bucket = Bucket(6)
    assert all(bucket.take(at, amount) for at, amount in done.values())
