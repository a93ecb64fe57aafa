"""outgate.stores.counting: what the contract of every ledger does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from stored import NOW, PER_MINUTE, charge, fits

from outgate.policy.limits import Hold, Limit, Window
from outgate.ports import Reserved
from outgate.stores.counting import microseconds, moment
from outgate.stores.memory import MemoryLedger

SEVEN = Limit(amount=7, unit="count", window=Window.MINUTE)
"""A rate in which one takes no whole number of microseconds."""


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])))  # noqa: DTZ001
def test_a_moment_is_kept_to_the_microsecond(at: datetime) -> None:
    assert moment(microseconds(at)) == at


async def test_what_is_given_back_of_a_rate_leaves_no_rest() -> None:
    ledger = MemoryLedger()
    for _ in range(20):
        reserved = await ledger.reserve((charge(SEVEN, 7),), NOW)
        assert len(reserved.taken) == 1
        await ledger.settle(reserved, {"a-rule coder": 0})


async def test_several_that_are_taken_together_are_no_more_than_their_sum() -> None:
    ledger = MemoryLedger()
    assert len((await ledger.reserve(tuple(charge(SEVEN) for _ in range(7)), NOW)).taken) == 7
    assert not await fits(ledger, charge(SEVEN))


async def test_what_is_forced_leaves_less_for_what_must_fit() -> None:
    ledger = MemoryLedger()
    asked = (charge(PER_MINUTE), charge(PER_MINUTE, 3, hold=Hold.FORCED))
    assert [one.left for one in (await ledger.reserve(asked, NOW)).over] == [0]


async def test_what_has_no_mark_is_not_settled() -> None:
    ledger = MemoryLedger()
    await ledger.reserve((charge(amount=5),), NOW)
    await ledger.settle(Reserved(taken=((charge(amount=5), None),)), {"a-rule coder": 0})
    assert not await fits(ledger, charge())


async def test_what_nobody_counts_any_more_is_settled_without_a_word() -> None:
    elsewhere, ledger = MemoryLedger(), MemoryLedger()
    reserved = await elsewhere.reserve((charge(amount=5), charge(PER_MINUTE, key="rate")), NOW)
    await ledger.settle(reserved, {"a-rule coder": 0, "rate": 0})
    assert await fits(ledger, charge(amount=5))
