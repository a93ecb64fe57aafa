from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from policies import CATALOG, GET, NOON, action, facts, policy

from outgate.actions.action import Access, Confidence, Tier
from outgate.analysis.suggest import suggest
from outgate.policy.decide import decide
from outgate.policy.effect import Effect, Mode
from outgate.policy.lint import lint
from outgate.policy.load import load
from outgate.receipts.receipt import decision_body, event_body

OBSERVED = policy("- {id: no-deletes, match: {action: crm.delete_all}, effect: block}", mode="observe")


def seen(*actions, at=NOON, agent="coder", host="api.crm.test", under=OBSERVED):
    """The receipt of a decision, as a gate writes it."""
    one = facts(now=at, id=agent, request=replace(GET, host=host))
    body = decision_body(
        at=at, agent=one.agent, request=one.request, decision=decide(under, actions, one), policy=under.digest, pin=None
    )
    return {**body, "v": 1, "writer": "w", "seq": 0, "prev": ""}


def suggested(*receipts):
    text = suggest(receipts, CATALOG)
    assert text is not None
    return text, load([("suggested.yaml", text)], CATALOG, mode=Mode.ENFORCE)


def answer(under, one, host="api.crm.test"):
    return decide(under, (one,), facts(request=replace(GET, host=host))).answer


READ, WRITE = action("payments.get_payment", resource="p1"), action(resource="acme/7")
PAY, BULK = action("payments.create_payment", resource="p1"), action("crm.delete_all")


def test_what_was_seen_is_let_out_and_what_was_not_is_asked_for():
    _, under = suggested(seen(READ), seen(WRITE))
    assert answer(under, READ) is Effect.ALLOW
    assert answer(under, WRITE) is Effect.ALLOW
    assert answer(under, action("tools.call:x", access=Access.EXECUTE, confidence=Confidence.CATALOG)) is Effect.ESCALATE


def test_a_write_is_let_out_to_the_resources_that_were_seen():
    _, under = suggested(seen(WRITE))
    assert answer(under, action(resource="acme/8")) is Effect.ESCALATE


def test_many_resources_become_what_they_begin_with():
    text, under = suggested(*(seen(action(resource=f"acme/{n}")) for n in range(20)))
    assert "acme/*" in text
    assert answer(under, action(resource="acme/99")) is Effect.ALLOW
    assert answer(under, action(resource="other/1")) is Effect.ESCALATE


def test_money_and_deletion_are_never_simply_allowed():
    text, under = suggested(*[seen(PAY)] * 50)
    assert answer(under, PAY) is Effect.ESCALATE
    assert "payments.create_payment   # T2 x 50" in text


def test_what_a_rule_would_have_blocked_stays_out_even_if_it_is_mild():
    strict = policy("- {id: a, match: {action: crm.update_contact}, effect: block}", mode="observe")
    text, under = suggested(seen(WRITE, under=strict))
    assert answer(under, WRITE) is Effect.ESCALATE
    assert "#   crm.update_contact  acme/7  x 1" in text


def test_what_was_only_tried_in_a_sandbox_is_asked_for():
    tried = policy("- {id: a, match: {action: crm.update_contact}, effect: sandbox}", mode="observe")
    _, under = suggested(seen(WRITE, under=tried))
    assert [match.rule for match in decide(under, (WRITE,), facts()).verdicts[0].matches] == ["crm-ask", "otherwise"]


def test_what_was_over_a_limit_is_let_out_all_the_same():
    limited = policy("- {id: a, match: {action: crm.update_contact}, effect: throttle, limit: 5/min}", mode="observe")
    receipt = seen(WRITE, under=limited)
    over = {**receipt, "actions": [{**one, "would": "throttle"} for one in receipt["actions"]]}
    assert answer(suggested(over)[1], WRITE) is Effect.ALLOW


def test_writes_that_nobody_knows_are_never_allowed():
    text, under = suggested(seen(action("http.POST", resource="paste.test/x"), host="paste.test"))
    assert answer(under, action("http.POST"), host="paste.test") is Effect.BLOCK
    assert "#   http.POST  paste.test/x  x 1" in text


def test_reads_that_nobody_knows_are_allowed_to_the_hosts_seen():
    _, under = suggested(seen(action("http.GET"), host="docs.test"))
    assert answer(under, action("http.GET"), host="docs.test") is Effect.ALLOW
    assert answer(under, action("http.GET"), host="other.test") is Effect.ESCALATE
    doubtful = action("http.GET", access=Access.UNKNOWN, tier=Tier.T2)
    assert answer(under, doubtful, host="docs.test") is Effect.BLOCK


def test_what_turns_out_worse_than_what_was_seen_is_not_let_out_with_it():
    push = action("crm.update_contact", resource="acme/7")
    _, under = suggested(seen(push), seen(replace(push, tier=Tier.T2)))
    assert answer(under, push) is Effect.ALLOW
    assert answer(under, replace(push, tier=Tier.T2)) is Effect.ESCALATE
    assert answer(under, replace(push, tier=Tier.T3)) is Effect.ESCALATE


def test_an_action_of_several_tiers_is_named_once_in_a_rule():
    text, _ = suggested(seen(PAY), seen(replace(PAY, tier=Tier.T3)), seen(replace(PAY, tier=Tier.T3)))
    assert text.count("payments.create_payment") == 1
    assert "payments.create_payment   # T2 x 1, T3 x 2" in text


def test_resources_that_begin_differently_are_each_named_by_their_start():
    _, under = suggested(*(seen(action(resource=f"{team}/{n}")) for team in ("acme", "beta") for n in range(6)))
    assert answer(under, action(resource="beta/99")) is Effect.ALLOW
    assert answer(under, action(resource="gamma/1")) is Effect.ESCALATE


def test_secrets_are_blocked_whatever_was_seen():
    _, under = suggested(seen(WRITE))
    assert answer(under, replace(WRITE, data=frozenset({"secret"}))) is Effect.BLOCK


def test_the_same_receipts_give_the_same_text_in_any_order():
    receipts = [seen(READ), seen(WRITE, at=NOON + timedelta(hours=1), agent="other"), seen(PAY), seen(action("http.GET"))]
    assert suggest(receipts, CATALOG) == suggest(receipts[::-1], CATALOG)


def test_the_head_says_from_how_many_decisions_of_whom():
    text, _ = suggested(seen(READ), seen(READ, at=NOON + timedelta(hours=1), agent="other"))
    assert text.startswith("# From 2 decisions, 2026-01-07T12:00:00.000Z to 2026-01-07T13:00:00.000Z, agents: coder, other.")


def test_events_and_outcomes_say_nothing():
    event = event_body("start", NOON, None, {})
    assert suggest([event], CATALOG) is None
    assert suggest([], CATALOG) is None


def test_it_only_observes_until_it_is_enforced():
    text, _ = suggested(seen(READ))
    assert yaml.safe_load(text)["mode"] == "observe"


def test_what_an_agent_named_never_becomes_a_pattern():
    tool = action("tools.call:*", access=Access.EXECUTE, confidence=Confidence.CATALOG, tier=Tier.T1)
    wide = action(resource="*")
    text, under = suggested(seen(tool), seen(wide))
    assert answer(under, action("tools.call:rm", access=Access.EXECUTE, confidence=Confidence.CATALOG)) is Effect.ESCALATE
    assert "#   tools.call:*" in text
    assert answer(under, action(resource="acme/7")) is Effect.ESCALATE


HOSTILE = st.sampled_from(
    ["a\n  - id: x", "a: b", "'", '"', "# x", "*", "…", "a b", " a", "&a", "!t", "{a}", "true", "é", "\u2028", "-", ""]
) | st.text(max_size=12)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "crm.update_contact",
                    "crm.delete_all",
                    "payments.get_payment",
                    "payments.create_payment",
                    "http.GET",
                    "http.POST",
                ]
            )
            | HOSTILE.map(lambda name: f"tools.call:{name}"),
            HOSTILE,
            st.sampled_from(["api.crm.test", "docs.test", "a b", "*.test", "x.test\n", "-"]),
            st.sampled_from(Tier),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_was_seen_the_text_passes_the_check_and_lets_no_danger_out(log):
    confidence = {True: Confidence.CATALOG, False: Confidence.HEURISTIC}
    one_by_one = [
        (
            action(
                name,
                resource=resource,
                tier=tier,
                confidence=confidence[known],
                access=Access.UNKNOWN if name == "http.POST" else Access.READ,
            ),
            host,
        )
        for name, resource, host, tier, known in log
    ]
    _, under = suggested(*(seen(one, host=host) for one, host in one_by_one))
    for one, host in one_by_one:
        if (one.mapped and one.tier >= Tier.T2) or (not one.mapped and not one.access.only_reads):
            assert answer(under, one, host=host).restricts


@pytest.mark.parametrize("receipts", [[seen(READ), seen(WRITE)], [seen(PAY), seen(BULK), seen(action("http.GET"))]])
def test_nothing_in_it_is_in_vain(receipts):
    _, under = suggested(*receipts)
    assert lint(under, CATALOG) == ()


def test_what_no_policy_lets_out_is_no_rule():
    refused = {**seen(action("http.GET", resource="x", confidence=Confidence.HEURISTIC), host="a.test"), "reason": "destination"}
    text, _ = suggested(seen(READ), refused)
    assert "a.test" not in text
    assert "From 2 decisions" in text
