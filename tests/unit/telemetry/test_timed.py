"""outgate.telemetry.timed"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outgate.errors import UnavailableError
from outgate.policy.decision import Match
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, Charge, Hold, Limit, Window
from outgate.ports import Reserved
from outgate.stores.memory import MemoryDesk, MemoryLedger
from outgate.telemetry.metrics import Metrics
from outgate.telemetry.timed import TimedDesk, TimedLedger

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
CHARGE = Charge(
    key="rate/coder",
    limit=Limit(amount=1, unit=COUNT, window=Window.MINUTE),
    amount=1,
    hold=Hold.BINDING,
    match=Match(rule="rate", effect=Effect.THROTTLE, mode=Mode.ENFORCE),
)


class Ticking:
    """A second passes each time that somebody looks."""

    def __init__(self):
        self.at = 0.0

    def __call__(self):
        self.at += 1.0
        return self.at


def value(metrics, series, **labels):
    return metrics.registry.get_sample_value(series, labels)


async def test_a_ledger_does_what_it_did_and_each_step_is_timed():
    metrics = Metrics()
    ledger = TimedLedger(MemoryLedger(), metrics, Ticking())
    assert await ledger.first_seen("coder", NOW) == NOW
    reserved = await ledger.reserve((CHARGE,), NOW)
    assert len(reserved.taken) == 1
    assert (await ledger.reserve((CHARGE,), NOW)).over
    await ledger.settle(reserved, {CHARGE.key: 0})
    assert (await ledger.reserve((CHARGE,), NOW)).taken, "what was settled is free again"
    for step, times in (("first-seen", 1), ("reserve", 3), ("settle", 1)):
        assert value(metrics, "outgate_store_seconds_count", store="ledger", step=step) == times
        assert value(metrics, "outgate_store_seconds_sum", store="ledger", step=step) == times


async def test_what_fails_is_counted_and_fails():
    metrics, lost = Metrics(), MemoryLedger()
    lost.fail("the disk is full")
    with pytest.raises(UnavailableError):
        await TimedLedger(lost, metrics, Ticking()).settle(Reserved(), {})
    assert value(metrics, "outgate_store_failures_total", store="ledger", step="settle") == 1
    assert value(metrics, "outgate_store_seconds_count", store="ledger", step="settle") == 1


async def test_a_desk_does_what_it_did_and_waiting_for_people_is_not_timed():
    metrics = Metrics()
    desk = TimedDesk(MemoryDesk(), metrics, Ticking())
    assert await desk.find("sha256:00", NOW) is None
    assert await desk.get("abcd-efgh-2345") is None
    assert not await desk.use("abcd-efgh-2345", NOW)
    await desk.restore("abcd-efgh-2345")
    await desk.changed("abcd-efgh-2345", 0, 0.0)
    with pytest.raises(UnavailableError):
        await desk.vote("abcd-efgh-2345", None)
    for step in ("find", "get", "use", "restore", "vote"):
        assert value(metrics, "outgate_store_seconds_count", store="desk", step=step) == 1
    assert value(metrics, "outgate_store_failures_total", store="desk", step="vote") == 1
    assert value(metrics, "outgate_store_seconds_count", store="desk", step="changed") is None
