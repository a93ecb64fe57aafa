from dataclasses import replace

import pytest
from policies import GET, action, facts, policy, pounds

from outgate.actions.action import Access, Action, Confidence, Money, Tier
from outgate.intake.request import UnreadBody, WholeBody
from outgate.policy.decide import decide
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, MOST, MOST_COUNT, Hold, Window
from outgate.policy.matching import Erred
from outgate.policy.meter import ANSWER_TOKENS, MICROS_A_TOKEN, take

PAY = "match: {action: payments.create_payment}, effect: block"
ASK = Action(
    service="models",
    operation="ask",
    access=Access.EXECUTE,
    tier=Tier.T1,
    confidence=Confidence.CATALOG,
    params={"model": "large", "max_tokens": 100},
)


def charged(rule, *actions, at=None):
    return decide(policy(f"- {{id: lim, {rule}}}"), actions or (action(),), at or facts()).charges


def taken(rule, of, at=None):
    (one,) = policy(f"- {{id: lim, {rule}}}").rules
    return take(one, of, at or facts(), 0)


def paid(minor, currency="GBP"):
    return action("payments.create_payment", params={"amount": Money(minor=minor, currency=currency)})


def body(content):
    return facts(request=replace(GET, method="POST", body=content))


def test_a_rule_with_a_limit_gives_a_charge_and_no_match():
    decision = decide(policy("- {id: lim, match: {service: crm}, effect: throttle, limit: 60/min}"), (action(),), facts())
    (charge,) = decision.charges
    assert (charge.limit.amount, charge.limit.unit, charge.limit.window) == (60, COUNT, Window.MINUTE)
    assert (charge.amount, charge.hold, charge.verdicts) == (1, Hold.BINDING, (0,))
    assert (charge.match.rule, charge.match.effect, charge.match.mode) == ("lim", Effect.THROTTLE, Mode.ENFORCE)
    assert [match.rule for match in decision.verdicts[0].matches] == ["otherwise"]


def test_an_observed_rule_gives_an_observed_charge():
    (charge,) = charged("effect: block, limit: 5/day, mode: observe")
    assert (charge.hold, charge.match.mode) == (Hold.OBSERVED, Mode.OBSERVE)


def test_a_disabled_rule_gives_none():
    assert charged("effect: block, limit: 5/day, mode: disabled") == ()


def test_a_rule_that_does_not_hold_gives_none():
    assert charged("match: {service: payments}, effect: block, limit: 5/day") == ()
    assert charged("when: agent.team == 'x', effect: block, limit: 5/day") == ()


def test_where_its_condition_errs_it_matches_as_any_rule_does():
    rule = "when: agent.age < days(7), effect: throttle, limit: 5/day, onError: escalate"
    decision = decide(policy(f"- {{id: lim, {rule}}}"), (action(),), facts(age=None))
    assert decision.charges == ()
    assert (decision.answer, decision.why) == (Effect.ESCALATE, "lim: escalate (missing:agent.age)")


def test_actions_of_one_request_are_one_charge():
    (charge,) = charged("effect: block, limit: 5/day", action(count=3), action(), action("payments.get_payment"))
    assert (charge.amount, charge.verdicts) == (5, (0, 1, 2))


def test_only_the_actions_that_it_matches_are_counted():
    (charge,) = charged("match: {service: crm}, effect: block, limit: 5/day", action("payments.get_payment"), action(count=2))
    assert (charge.amount, charge.verdicts) == (2, (1,))


@pytest.mark.parametrize("count", [0, -1, -(10**30)])
def test_nothing_is_done_less_than_once(count):
    assert charged("effect: block, limit: 5/day", action(count=count))[0].amount == 1


def test_more_than_can_be_counted_is_more_than_any_limit():
    assert charged("effect: block, limit: 5/day", action(count=10**40))[0].amount == MOST_COUNT
    assert charged(f"{PAY}, limit: 5 GBP/day", paid(10**40))[0].amount == MOST


@pytest.mark.parametrize(
    ("per", "one", "other"),
    [
        ("agent.id", {"id": "a"}, {"id": "b"}),
        ("agent.team", {"team": "a"}, {"team": "b"}),
        ("agent.owner", {"owner": "a"}, {"owner": "b"}),
        ("[agent.id, agent.team]", {"id": "a", "team": "b"}, {"id": "a", "team": "c"}),
    ],
)
def test_a_limit_is_of_whom_it_says(per, one, other):
    rule = f"effect: block, limit: 5/day, per: {per}"
    assert charged(rule, at=facts(**one))[0].key != charged(rule, at=facts(**other))[0].key
    everybody = "effect: block, limit: 5/day, per: all"
    assert charged(everybody, at=facts(**one))[0].key == charged(everybody, at=facts(**other))[0].key


def test_without_per_it_is_the_agents():
    assert charged("effect: block, limit: 5/day")[0].key == 'lim count/day {"agent.id":"coder"}'


@pytest.mark.parametrize("per", ["action.service", "action.name", "action.resource", "host"])
def test_actions_with_a_limit_of_their_own_are_charges_of_their_own(per):
    at = facts()
    keys = {
        one.key
        for of in (action(resource="a"), action("payments.get_payment", resource="b"))
        for one in charged(f"effect: block, limit: 5/day, per: {per}", of, at=at)
    }
    assert len(keys) == (1 if per == "host" else 2)


def test_a_resource_in_other_letters_has_no_other_limit():
    rule = "effect: block, limit: 5/day, per: action.resource"
    assert charged(rule, action(resource="Acme/Site"))[0].key == charged(rule, action(resource="acme/site"))[0].key
    assert charged(rule, action(resource="acm%65//site"))[0].key == charged(rule, action(resource="acme/site"))[0].key


def test_a_resource_that_nobody_read_can_not_be_told():
    assert taken("effect: block, limit: 5/day, per: action.resource", action(), facts(unread=True)) == Erred("missing:resource")


@pytest.mark.parametrize("resource", ["x" * 5000, "\ud800", 'a"}', "\x00"])
def test_whatever_an_agent_names_the_key_is_short_and_plain(resource):
    (charge,) = charged("effect: block, limit: 5/day, per: action.resource", action(resource=resource))
    assert charge.key.isascii()
    assert charge.key.isprintable()
    assert len(charge.key) <= 200


def test_another_unit_or_window_is_another_counter_and_another_amount_is_not():
    keys = [charged(f"effect: block, limit: {said}")[0].key for said in ("5/day", "9/day", "5/month")]
    assert keys[0] == keys[1] != keys[2]


def test_money_is_counted_in_millionths():
    assert charged(f"{PAY}, limit: 50 GBP/day", paid(1999))[0].amount == 19_990_000
    assert charged(f"{PAY}, limit: 5000 JPY/day", paid(1999, "JPY"))[0].amount == 1_999_000_000


def test_money_of_several_payments_is_added_up():
    assert charged(f"{PAY}, limit: 50 GBP/day", paid(100), paid(250))[0].amount == 3_500_000


@pytest.mark.parametrize(
    ("of", "code"),
    [
        (paid(100, "EUR"), "currency"),
        (paid(-100), "negative-amount"),
        (action("payments.create_payment"), "missing:amount"),
        (action("payments.create_payment", params={"amount": pounds(1), "note": Money(minor=1, currency="USD")}), "currency"),
    ],
)
def test_money_that_can_not_be_told_restricts(of, code):
    decision = decide(policy(f"- {{id: lim, {PAY}, limit: 50 GBP/day}}"), (of,), facts())
    assert decision.charges == ()
    assert (decision.answer, decision.verdicts[0].matches[0].error) == (Effect.BLOCK, code)


def models(said):
    (one,) = policy("- {id: lim, effect: throttle, limit: 1/min}").rules
    (priced,) = policy(f"- {{id: lim, {PAY}, limit: 5 USD/day}}").rules
    (foreign,) = policy(f"- {{id: lim, {PAY}, limit: 5 GBP/day}}").rules
    unit = {"tokens": replace(one.limit, unit="tokens"), "USD": priced.limit, "GBP": foreign.limit}[said]
    return replace(one, limit=unit, models=frozenset({"models"}))


def test_tokens_are_estimated_from_the_body_and_from_how_long_the_answer_may_be():
    at = body(WholeBody(b"x" * 401))
    assert take(models("tokens"), ASK, at, 0).amount == 101 + 100
    assert take(models("tokens"), replace(ASK, params={"model": "large"}), at, 0).amount == 101 + ANSWER_TOKENS
    assert take(models("tokens"), replace(ASK, params={"max_tokens": 10, "n": 3}), at, 0).amount == 101 + 30
    assert take(models("tokens"), replace(ASK, params={"max_tokens": True, "n": -3}), at, 0).amount == 101 + ANSWER_TOKENS


def test_an_estimate_is_never_nothing():
    assert take(models("tokens"), replace(ASK, params={}), facts(), 0).amount == ANSWER_TOKENS


def test_a_body_that_is_not_read_is_as_long_as_it_was_declared():
    assert take(models("tokens"), ASK, body(UnreadBody(length=4000)), 0).amount == 1100
    assert take(models("tokens"), ASK, body(UnreadBody()), 0) == Erred("missing:request.body")


def test_what_it_costs_is_estimated_from_tokens():
    assert take(models("USD"), ASK, body(WholeBody(b"x" * 400)), 0).amount == 200 * MICROS_A_TOKEN
    assert take(models("GBP"), ASK, facts(), 0) == Erred("currency")


def test_a_model_that_is_asked_once_is_charged_once_whatever_else_the_request_does():
    search = replace(ASK, operation="egress:mcp", params={"via": "tools"})
    rule = models("tokens")
    from outgate.policy.meter import charges

    takes = [take(rule, one, body(WholeBody(b"x" * 400)), number) for number, one in enumerate((ASK, search))]
    (charge,) = charges(takes)
    assert (charge.amount, charge.verdicts) == (100 + ANSWER_TOKENS, (0, 1))


@pytest.mark.parametrize("access", [Access.READ, Access.LIST, Access.WRITE, Access.DELETE, Access.AUTH])
def test_what_asks_no_model_takes_no_tokens(access):
    assert take(models("tokens"), replace(ASK, access=access), facts(), 0) is None


def test_what_only_reads_takes_no_money():
    (one,) = policy("- {id: lim, match: {service: payments}, effect: block, limit: 5 GBP/day}").rules
    assert take(one, action("payments.get_payment"), facts(), 0) is None
