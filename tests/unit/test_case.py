"""What follows from one case: limits, mocks, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gated import MOCK, World

from outgate.case import base32_id, hold_of
from outgate.gate import Admitted, Refused
from outgate.intake.agents import Agent
from outgate.intake.request import Request, WholeBody
from outgate.policy.decision import Reason
from outgate.policy.effect import Effect
from outgate.ports import NoWay
from outgate.receipts.receipt import Outcome, Result

GET = "GET https://elsewhere.test/"
POST = "POST https://elsewhere.test/"
RATE = "- {id: rate, match: {host: elsewhere.test}, limit: 2/min, effect: throttle}"
DAILY = "- {id: daily, match: {host: elsewhere.test}, limit: 1/day, effect: block}"
STRIPE = "- {id: played, match: {service: stripe}, effect: sandbox}"
MOCKS = "mocks: {default: {url: 'http://mock.test:8099/stripe'}}"


def request(**headers):
    lines = tuple((name, value) for name, value in headers.items())
    return Request(method="GET", scheme="https", host="a.test", port=443, path="/", query=None, headers=lines)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("wait=30", 30), ("respond-async, wait=10", 10), ("wait=900", 60), ("wait=0", 0), ("handling=lenient", 4), ("await=9", 4)],
)
def test_a_client_says_how_long_it_waits(said, seconds):
    assert hold_of(request(prefer=said), timedelta(seconds=4)) == seconds


def test_an_id_is_three_times_four_letters():
    assert base32_id(bytes(8)) == "aaaa-aaaa-aaaa"
    assert base32_id(b"\xff" * 8) == "7777-7777-7777"


# limits


async def test_over_a_rate_it_is_429_and_says_when_to_come_back():
    it = World(rules=RATE)
    assert [type(await it.ask(POST)) for _ in range(2)] == [Admitted, Admitted]
    refused = await it.ask(POST)
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.answer) == (429, Effect.THROTTLE)
    assert ("Retry-After", "30") in refused.reply.headers
    assert it.receipts[-1]["over"] == [{"rule": "rate", "limit": 2, "unit": "count", "window": "minute", "asked": 1, "left": 0}]
    it.clock.passed += 30
    assert isinstance(await it.ask(POST), Admitted)


async def test_each_agent_has_its_own_limit():
    it = World(rules=DAILY)
    assert isinstance(await it.ask(GET), Admitted)
    assert isinstance(await it.ask(GET), Refused)
    assert isinstance(await it.ask(GET, agent=Agent(id="other")), Admitted)


async def test_a_safe_request_is_delayed_where_the_rule_says_so():
    it = World(rules="- {id: rate, match: {host: elsewhere.test}, limit: 60/min, burst: 1, maxDelay: 3s, effect: throttle}")
    for _ in range(3):
        assert isinstance(await it.ask(GET), Admitted)
    assert it.clock.passed == pytest.approx(2.0)
    refused = await it.ask(POST)
    assert isinstance(refused, Refused), "what is not safe is not delayed"


async def test_what_would_wait_too_long_is_refused_at_once():
    it = World(rules="- {id: rate, match: {host: elsewhere.test}, limit: 1/min, maxDelay: 3s, effect: throttle}")
    await it.ask(GET)
    assert isinstance(await it.ask(GET), Refused)
    assert it.clock.passed == 0


async def test_what_never_left_is_not_counted():
    it = World(rules=DAILY)
    it.gate.conclude(await it.ask(GET), Outcome(result=Result.REFUSED))
    await it.gate.settled()
    assert isinstance(await it.ask(GET), Admitted)


async def test_what_was_executed_is_counted():
    it = World(rules=DAILY)
    it.gate.conclude(await it.ask(GET), Outcome(result=Result.UNKNOWN))
    await it.gate.settled()
    assert isinstance(await it.ask(GET), Refused)


async def test_attempts_are_counted_where_the_rule_says_so():
    it = World(rules="- {id: daily, match: {host: elsewhere.test}, limit: 1/day, count: attempted, effect: block}")
    it.gate.conclude(await it.ask(GET), Outcome(result=Result.REFUSED))
    await it.gate.settled()
    assert isinstance(await it.ask(GET), Refused)


async def test_what_has_no_address_uses_up_nothing():
    it = World(rules="- {id: daily, match: {method: GET}, limit: 1/day, effect: block}")
    assert (await it.ask("GET https://nowhere.test/")).decision.reason is Reason.UPSTREAM
    await it.gate.settled()
    assert isinstance(await it.ask(GET), Admitted)


async def test_an_observed_limit_changes_nothing_and_says_what_it_would_do():
    it = World(rules=DAILY, mode="observe")
    for _ in range(2):
        assert isinstance(await it.ask(GET), Admitted)
    assert [receipt["would"] for receipt in it.receipts] == ["allow", "block"]


async def test_a_ledger_that_is_lost_refuses():
    it = World(rules=DAILY)
    it.ledger.fail("gone")
    refused = await it.ask(GET)
    assert isinstance(refused, Refused)
    assert refused.reply.status == 503


# the sandbox


async def test_what_is_sandboxed_goes_to_its_mock_whole_and_without_credentials():
    it = World(rules=STRIPE, more=MOCKS)
    admitted = await it.ask(
        "POST https://api.stripe.com/v1/refunds?expand=x", WholeBody(b"charge=ch_1"), authorization="Bearer sk_live_" + "a" * 24
    )
    assert isinstance(admitted, Admitted)
    assert admitted.mocked == "stripe"
    assert admitted.pin == MOCK.pin
    sent = admitted.request
    assert (sent.scheme, sent.host, sent.port, sent.target) == ("http", "mock.test", 8099, "/stripe/v1/refunds?expand=x")
    assert sent.body == WholeBody(b"charge=ch_1")
    headers = dict(sent.headers)
    assert "authorization" not in headers
    assert headers["outgate-mocked"] == "https://api.stripe.com"
    assert (headers["outgate-agent"], headers["outgate-key"]) == ("coder", "k")
    assert it.looked_up == [], "the real one is not even looked up"
    (receipt,) = it.receipts
    assert (receipt["answer"], receipt["pin"]) == ("sandbox", None)
    assert receipt["mock"] == {"service": "stripe", "scheme": "http", "host": "mock.test", "port": 8099}
    assert receipt["request"]["host"] == "api.stripe.com"


async def test_a_secret_in_a_body_goes_to_a_mock_of_this_machine_and_to_no_other():
    it, body = World(rules=STRIPE, more=MOCKS), WholeBody(b"note=ghp_" + b"a" * 36)
    assert (await it.ask("POST https://api.stripe.com/v1/refunds", body)).mocked == "stripe"
    it.mocks.ways["stripe"] = replace(MOCK, pin=replace(MOCK.pin, address="203.0.113.7"))
    refused = await it.ask("POST https://api.stripe.com/v1/refunds", body)
    assert isinstance(refused, Refused)
    assert isinstance(await it.ask("POST https://api.stripe.com/v1/refunds", WholeBody(b"note=hello")), Admitted)


async def test_what_a_client_says_of_a_mock_is_not_passed_on():
    it = World(rules=STRIPE, more=MOCKS)
    admitted = await it.ask("GET https://api.stripe.com/v1/charges", outgate_agent="admin", outgate_mocked="https://x.test")
    assert [value for name, value in admitted.request.headers if name == "outgate-agent"] == ["coder"]
    assert [value for name, value in admitted.request.headers if name == "outgate-mocked"] == ["https://api.stripe.com"]


async def test_without_a_mock_what_is_sandboxed_is_blocked():
    it = World(rules=STRIPE)
    refused = await it.ask("GET https://api.stripe.com/v1/charges")
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.answer) == (403, Effect.BLOCK)
    assert it.looked_up == []


async def test_a_mock_that_is_not_there_blocks():
    it = World(rules=STRIPE, more=MOCKS)
    it.mocks.ways["stripe"] = NoWay(reason=Reason.UPSTREAM, tell="The sandbox is down.", why="nobody answers")
    refused = await it.ask("GET https://api.stripe.com/v1/charges")
    assert isinstance(refused, Refused)
    assert it.looked_up == []


async def test_a_mock_is_asked_as_often_as_the_real_one_and_uses_up_no_quota():
    rules = STRIPE + "\n- {id: daily, match: {service: stripe}, limit: 1/day, effect: block}"
    it = World(rules=rules, more=MOCKS)
    for _ in range(3):
        assert (await it.ask("GET https://api.stripe.com/v1/charges")).mocked == "stripe"
    it.gate.adopt(it.ground(it.loaded("- {id: daily, match: {service: stripe}, limit: 1/day, effect: block}")))
    assert (await it.ask("GET https://api.stripe.com/v1/charges")).mocked == ""
