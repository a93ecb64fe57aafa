from datetime import UTC, timedelta

import pytest
from policies import CATALOG, policy, written

from outgate.errors import ConfigError
from outgate.policy.limits import Limit, Window
from outgate.policy.load import load

PAY = "match: {action: payments.create_payment}, effect: block"


def limit(said, **more) -> Limit:
    (rule,) = policy(f"- {{id: lim, {said}}}", **more).rules
    return rule.limit


def wrong(said):
    with pytest.raises(ConfigError) as caught:
        load([("a.yaml", written(f"- {{id: lim, {said}}}"))], CATALOG)
    return [str(problem).removeprefix("a.yaml:7:") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("said", "amount", "unit", "window"),
    [
        ("5/s", 5, "count", Window.SECOND),
        ("5/sec", 5, "count", Window.SECOND),
        ("5/second", 5, "count", Window.SECOND),
        ("60/min", 60, "count", Window.MINUTE),
        ("60 / minute", 60, "count", Window.MINUTE),
        ("60/h", 60, "count", Window.HOUR),
        ("60/hour", 60, "count", Window.HOUR),
        ("7/day", 7, "count", Window.DAY),
        ("7/week", 7, "count", Window.WEEK),
        ("1000/month", 1000, "count", Window.MONTH),
        ("1/year", 1, "count", Window.YEAR),
    ],
)
def test_a_count_in_a_window(said, amount, unit, window):
    made = limit(f"effect: block, limit: {said}")
    assert (made.amount, made.unit, made.window) == (amount, unit, window)


@pytest.mark.parametrize(
    ("said", "micros", "unit"),
    [("50 GBP/day", 50_000_000, "GBP"), ("0.50 EUR/day", 500_000, "EUR"), ("9000 JPY/month", 9_000_000_000, "JPY")],
)
def test_money_is_in_millionths(said, micros, unit):
    made = limit(f"{PAY}, limit: {said}")
    assert (made.amount, made.unit) == (micros, unit)


def test_a_limit_reads_back_as_it_was_written():
    said = ("60/minute", "1000/month", "50 GBP/day", "0.5 EUR/day", "9000 JPY/month")
    assert [str(limit(f"{PAY}, limit: {one}")) for one in said] == list(said)


def test_what_goes_with_a_limit():
    made = limit("effect: throttle, limit: 60/min, burst: 5, per: [host, agent.team], count: attempted, maxDelay: 1500ms")
    assert (made.burst, made.per, made.attempted, made.max_delay) == (5, ("agent.team", "host"), True, timedelta(seconds=1.5))
    assert limit("effect: throttle, limit: 60/min, maxDelay: 3s").max_delay == timedelta(seconds=3)


def test_what_is_left_out_is_per_agent_and_what_was_executed_at_once():
    made = limit("effect: throttle, limit: 60/min")
    assert (made.burst, made.per, made.attempted, made.max_delay) == (None, ("agent.id",), False, timedelta(0))


def test_all_is_everybody_together():
    assert limit("effect: throttle, limit: 60/min, per: all").per == ()


def test_a_calendar_is_in_the_zone_of_the_file_and_in_utc_without_one():
    assert limit("effect: block, limit: 5/day").zone is UTC
    assert str(limit("effect: block, limit: 5/day", more="zone: Europe/London").zone) == "Europe/London"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("effect: block, limit: sixty/min", "37: 'sixty' is no amount, write a whole number, as in 60/min, 1000/month, "),
        ("effect: block, limit: -5/min", "37: '-5' is no amount, write a whole number"),
        ("effect: block, limit: 5.5/min", "37: '5.5' is no amount, write a whole number"),
        ("effect: block, limit: /min", "37: '' is no amount, write a whole number"),
        ("effect: block, limit: ²/min", "37: '²' is no amount, write a whole number"),
        ("effect: block, limit: 0/min", "37: a limit of 0 lets nothing through, leave it out and use effect: block"),
        ("effect: block, limit: 1000000000/min", "37: '1000000000' is more than can be counted, leave the limit out"),
        ("effect: block, limit: 5/mnth", "39: unknown window 'mnth', did you mean 'month'?"),
        ("effect: block, limit: 5/", "39: unknown window '', use one of day, hour, minute, month, second, week, year"),
        ("effect: block, limit: 5 token/min", "39: unknown unit 'token', did you mean 'tokens'?"),
        ("effect: block, limit: 5 pounds/min", "39: unknown unit 'pounds', use tokens or a currency such as GBP"),
        ("effect: block, limit: '5 pounds/min'", "40: unknown unit 'pounds', use tokens or a currency such as GBP"),
        ("effect: block, limit: sixty", "37: a limit is 60/min, 1000/month, 2000000 tokens/hour or 50 GBP/day, not 'sixty'"),
        ("effect: block, limit: 60", "37: a limit is text, as in 60/min, "),
        (f"{PAY}, limit: 1.234 GBP/day", "79: '1.234 GBP' is no amount, GBP has 2 digits after the point"),
        (f"{PAY}, limit: 99999999999 GBP/day", "79: '99999999999' is more than can be counted"),
        (
            "effect: block, limit: 5/day, burst: 3",
            "44: 'burst' is for counts in a second, minute or hour; 5/day is used up in any",
        ),
        ("effect: block, limit: 5/min, burst: 0", "51: 'burst' is a whole number from 1 to 1000000000, not 0"),
        (
            "effect: block, limit: 5/min, maxDelay: 3s",
            "44: only what is throttled can wait, and this is effect: block; leave it out",
        ),
        ("effect: throttle, limit: 5/day, maxDelay: 3s", "47: 'maxDelay' is for counts in a second, minute or hour; 5/day frees"),
        ("effect: throttle, limit: 5/min, maxDelay: 31s", "57: nobody waits so long for an answer, use 30s or less"),
        ("effect: throttle, limit: 5/min, maxDelay: 3m", "57: a time to wait is a number and ms or s, as in 3s, not '3m'"),
        ("effect: allow, limit: 5/min", "30: an allow rule has no limit, add a rule with effect: throttle for what is too much"),
        ("effect: throttle", "23: throttle is for what goes over a limit, add one, as in limit: 60/min; or use effect: block"),
        ("effect: block, burst: 3", "30: 'burst' says more of a limit, and this rule has none"),
        ("effect: block, per: all", "30: 'per' says more of a limit, and this rule has none"),
        ("effect: block, limit: 5/min, per: agent.name", "49: unknown fact 'agent.name', did you mean 'agent.team'?"),
        ("effect: block, limit: 5/min, per: [all, host]", "49: 'all' is one limit for everything, leave the others out"),
        ("effect: block, limit: 5/min, count: tried", "51: unknown way to count 'tried', use one of attempted, executed"),
        ("effect: block, limit: 5/min, rollout: 0", "53: 'rollout' is a whole number from 1 to 100, not 0"),
        ("effect: block, limit: 5/min, rollout: 101", "53: 'rollout' is a whole number from 1 to 100, not 101"),
        (
            "match: {service: crm}, effect: block, limit: 5 tokens/min",
            "60: no language model answers crm.update_contact, crm.delete_all, which this rule meets; narrow it with match: service",
        ),
        (
            "match: {service: payments, access: read}, effect: block, limit: 5 tokens/min",
            "79: no language model answers anything that this rule meets; narrow it with match: service",
        ),
        (
            "match: {service: crm}, effect: block, limit: 5 GBP/day",
            "60: no amount can be read from crm.update_contact, crm.delete_all, which this rule meets; narrow it with match: action",
        ),
    ],
)
def test_what_is_wrong_with_a_limit_is_said_where_it_is_wrong(said, problem):
    (found,) = wrong(said)
    assert found.startswith(problem)
