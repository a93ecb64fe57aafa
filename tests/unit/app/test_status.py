"""outgate.app.status: what is remembered of requests. What a whole gate says is tried with tests/unit/app/test_live.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from outgate.app.status import MOST_AGENTS, MOST_LIMITS, Seen
from outgate.policy.decision import Decision, Match, Reason
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import Charge, Hold, Limit, Window
from outgate.ports import Over, Reserved

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Time:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


def decision(answer=Effect.ALLOW, would=None):
    return Decision(answer=answer, would=would or answer, verdicts=(), reason=Reason.POLICY, tell="", why="")


def charge(key="crm-rate count/minute", rule="crm-rate"):
    match = Match(rule=rule, effect=Effect.THROTTLE, mode=Mode.ENFORCE)
    return Charge(key=key, limit=Limit(amount=60, unit="count", window=Window.MINUTE), amount=1, hold=Hold.BINDING, match=match)


def over(*charges, wait=timedelta(seconds=30)):
    return Reserved(over=tuple(Over(charge=one, wait=wait, left=0) for one in charges))


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def seen(time):
    return Seen(time)


def test_who_asked_is_remembered_with_what_was_answered_the_most_recent_first(seen, time):
    seen.decided("mailer", decision(), 0.1)
    seen.decided("mailer", decision(Effect.ALLOW, Effect.BLOCK), 0.1)
    time.now += timedelta(minutes=1)
    seen.decided("coder", decision(Effect.BLOCK), 0.1)
    assert seen.agents({"mailer": 2, "idle": 1}) == [
        {"agent": "coder", "connections": 0, "answers": {"block": 1}, "would": 0, "last": "2026-01-31T12:01:00.000Z"},
        {"agent": "mailer", "connections": 2, "answers": {"allow": 2}, "would": 1, "last": "2026-01-31T12:00:00.000Z"},
        {"agent": "idle", "connections": 1, "answers": {}, "would": 0, "last": None},
    ]


def test_more_agents_than_anybody_has_are_only_counted(seen):
    for number in range(MOST_AGENTS + 3):
        seen.decided(f"agent-{number}", decision(), 0.1)
    assert (len(seen.names), seen.unnamed) == (MOST_AGENTS, 3)


def test_a_limit_that_is_over_is_told_until_it_has_room(seen, time):
    seen.reserved(over(charge()))
    assert seen.limits() == [
        {
            "rule": "crm-rate",
            "limit": "crm-rate count/minute",
            "left": 0,
            "at": "2026-01-31T12:00:00.000Z",
            "until": "2026-01-31T12:00:30.000Z",
        }
    ]
    time.now += timedelta(seconds=31)
    assert seen.limits() == []


def test_a_limit_with_room_again_is_no_longer_told(seen):
    seen.reserved(over(charge()))
    seen.reserved(Reserved(taken=((charge(), None),)))
    assert seen.limits() == []


def test_a_limit_that_nobody_knows_the_end_of_is_told_for_a_while(seen, time):
    seen.reserved(over(charge(), wait=None))
    time.now += timedelta(minutes=4)
    assert [one["until"] for one in seen.limits()] == [None]
    time.now += timedelta(minutes=2)
    assert seen.limits() == []


def test_more_limits_than_can_be_told_are_not_remembered(seen):
    seen.reserved(over(*(charge(f"k{number}") for number in range(MOST_LIMITS + 5))))
    assert len(seen.limits()) == MOST_LIMITS
