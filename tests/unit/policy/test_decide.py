from datetime import timedelta

import pytest
from policies import CATALOG, action, facts, policy, pounds, written

from outgate.actions.action import Access, Confidence, Tier
from outgate.policy.decide import decide, needs, raised
from outgate.policy.decision import Reason
from outgate.policy.effect import Effect, Mode
from outgate.policy.load import load


def answer(rules, *actions, at=None, **said):
    return decide(policy(rules, **said), actions or (action(),), at or facts()).answer


def matched(decision):
    return [match.rule for verdict in decision.verdicts for match in verdict.matches]


def test_without_a_rule_the_tier_decides():
    assert answer("", action("payments.get_payment")) is Effect.ALLOW
    assert answer("", action("payments.create_payment")) is Effect.ESCALATE
    assert answer("", action("crm.delete_all")) is Effect.ESCALATE


def test_what_no_table_knows_is_read_or_other_whatever_its_tier():
    assert answer("", action("http.GET")) is Effect.ESCALATE
    assert answer("", action("http.POST", tier=Tier.T0)) is Effect.BLOCK


def test_a_guess_is_unmapped_even_if_it_names_a_service():
    guess = action("crm.update_contact", confidence=Confidence.HEURISTIC)
    assert answer("", guess) is Effect.BLOCK


def test_the_strictest_of_the_matching_rules_wins():
    rules = """
    - {id: a, effect: escalate}
    - {id: b, effect: sandbox}
    - {id: c, effect: escalate}
    """
    assert answer(rules) is Effect.SANDBOX


def test_an_allow_rule_lifts_what_holds_otherwise():
    assert answer("- {id: a, match: {service: payments}, effect: allow}", action("payments.create_payment")) is Effect.ALLOW


def test_an_allow_rule_never_lifts_another_rule():
    rules = """
    - {id: a, match: {service: payments}, effect: allow}
    - {id: b, match: {tier: T2}, effect: escalate}
    """
    assert answer(rules, action("payments.create_payment")) is Effect.ESCALATE


def test_an_allow_rule_lifts_only_its_own_action():
    rules = "- {id: a, match: {action: payments.create_payment}, effect: allow}"
    decision = decide(policy(rules), (action("payments.create_payment"), action("crm.delete_all")), facts())
    assert decision.answer is Effect.ESCALATE
    assert [verdict.answer for verdict in decision.verdicts] == [Effect.ALLOW, Effect.ESCALATE]


def test_a_request_gets_the_strictest_of_its_actions():
    rules = "- {id: a, match: {action: crm.delete_all}, effect: block}"
    assert answer(rules, action(), action("crm.delete_all")) is Effect.BLOCK


def test_a_request_without_an_action_is_refused():
    decision = decide(policy(mode="observe"), (), facts())
    assert (decision.answer, decision.reason) == (Effect.BLOCK, Reason.CANNOT_DECIDE)


def test_a_rule_with_match_and_conditions_needs_all_of_them():
    rules = "- {id: a, match: {service: crm}, when: agent.team == 'sales', unless: agent.id == 'coder', effect: block}"
    assert answer(rules, at=facts(team="sales")) is Effect.ALLOW
    assert answer(rules, at=facts(team="sales", id="other")) is Effect.BLOCK
    assert answer(rules, at=facts(team="", id="other")) is Effect.ALLOW
    assert answer(rules, action("payments.get_payment"), at=facts(team="sales", id="other")) is Effect.ALLOW


def test_a_restriction_that_errs_blocks():
    rules = "- {id: young, when: agent.age < days(7), effect: throttle, limit: 5/min}"
    decision = decide(policy(rules), (action(),), facts(age=None))
    assert decision.answer is Effect.BLOCK
    (match,) = decision.verdicts[0].matches
    assert (match.rule, match.effect, match.error) == ("young", Effect.BLOCK, "missing:agent.age")


def test_a_restriction_that_errs_asks_for_its_own_on_error():
    rules = "- {id: young, when: agent.age < days(7), effect: throttle, limit: 5/min, onError: escalate}"
    assert answer(rules, at=facts(age=None)) is Effect.ESCALATE


def test_an_allow_rule_that_errs_allows_nothing():
    rules = "- {id: old, match: {action: crm.delete_all}, when: agent.age > days(7), effect: allow}"
    assert answer(rules, action("crm.delete_all")) is Effect.ALLOW
    assert answer(rules, action("crm.delete_all"), at=facts(age=None)) is Effect.ESCALATE


def test_an_allow_rule_whose_match_can_not_be_told_allows_nothing():
    rules = "- {id: a, match: {action: payments.create_payment, params.note: x}, effect: allow}"
    assert answer(rules, action("payments.create_payment", params={"note": "x"})) is Effect.ALLOW
    assert answer(rules, action("payments.create_payment")) is Effect.ESCALATE


def test_a_match_that_can_not_be_told_is_recorded_with_its_error():
    decision = decide(policy("- {id: a, match: {data: secret}, effect: escalate}"), (action(),), facts(unread=True))
    (match,) = decision.verdicts[0].matches
    assert (match.effect, match.error) == (Effect.BLOCK, "missing:data")


def test_a_part_that_certainly_does_not_hold_settles_it_before_an_error():
    rules = "- {id: a, match: {data: secret}, when: agent.team == 'sales', effect: block}"
    assert answer(rules, at=facts(unread=True)) is Effect.ALLOW
    assert answer(rules, at=facts(unread=True, team="sales")) is Effect.BLOCK


def test_a_missing_parameter_blocks_where_a_restriction_reads_it():
    rules = "- {id: big, match: {action: payments.create_payment}, unless: 'under(params.amount, \"100 GBP\")', effect: escalate}"
    small = action("payments.create_payment", params={"amount": pounds(99)})
    allowed = rules + "\n- {id: may, match: {action: payments.create_payment}, effect: allow}"
    assert answer(allowed, small) is Effect.ALLOW
    assert answer(allowed, action("payments.create_payment", params={"amount": pounds(100)})) is Effect.ESCALATE
    assert answer(allowed, action("payments.create_payment")) is Effect.BLOCK


def test_a_parameter_of_another_type_than_promised_is_missing():
    rules = "- {id: a, match: {action: crm.update_contact}, when: params.id > 5, effect: escalate}"
    assert answer(rules, action(params={"id": 6})) is Effect.ESCALATE
    assert answer(rules, action(params={"id": True})) is Effect.BLOCK


def test_an_unread_body_restricts_where_a_rule_asks_for_data():
    rules = "- {id: a, match: {data: secret}, effect: block}"
    assert answer(rules, action(data=frozenset({"secret"}))) is Effect.BLOCK
    assert answer(rules) is Effect.ALLOW
    assert answer(rules, at=facts(unread=True)) is Effect.BLOCK


def test_observed_rules_change_what_would_be_and_not_the_answer():
    decision = decide(policy("- {id: a, effect: block, mode: observe}"), (action(),), facts())
    assert (decision.answer, decision.would) == (Effect.ALLOW, Effect.BLOCK)


def test_disabled_rules_change_nothing():
    decision = decide(policy("- {id: a, effect: block, mode: disabled}"), (action(),), facts())
    assert (decision.answer, decision.would, matched(decision)) == (Effect.ALLOW, Effect.ALLOW, ["otherwise"])


def test_an_observed_file_observes_its_rules_and_what_holds_otherwise():
    observed = policy("- {id: a, match: {service: crm}, effect: block}", mode="observe")
    for one in (action(), action("payments.create_payment")):
        decision = decide(observed, (one,), facts())
        assert decision.answer is Effect.ALLOW
        assert decision.would.restricts


def test_an_observed_allow_rule_says_what_would_be_let_out():
    decision = decide(
        policy("- {id: a, match: {tier: T2}, effect: allow, mode: observe}"), (action("payments.create_payment"),), facts()
    )
    assert (decision.answer, decision.would) == (Effect.ESCALATE, Effect.ALLOW)


def test_with_mode_lifts_the_file_and_leaves_the_rules_own_mode():
    observed = policy("- {id: a, effect: sandbox}\n- {id: b, effect: block, mode: observe}", mode="observe")
    decision = decide(observed.with_mode(Mode.ENFORCE), (action(),), facts())
    assert (decision.answer, decision.would) == (Effect.SANDBOX, Effect.BLOCK)


def test_with_mode_keeps_the_digest_and_refuses_to_disable():
    one = policy("- {id: a, effect: block}")
    assert one.with_mode(Mode.OBSERVE).digest == one.digest
    with pytest.raises(ValueError, match="lets nothing out"):
        one.with_mode(Mode.DISABLED)


def test_files_of_two_modes_are_each_held_to_their_own():
    org = written("- {id: org, match: {service: crm}, effect: escalate}")
    team = written("- {id: team, match: {service: crm}, effect: block}", mode="observe", otherwise="otherwise: block")
    decision = decide(load([("org.yaml", org), ("team.yaml", team)], CATALOG), (action(),), facts())
    assert (decision.answer, decision.would) == (Effect.ESCALATE, Effect.BLOCK)


def test_of_several_files_the_strictest_otherwise_holds():
    both = [("a.yaml", written("")), ("b.yaml", written("", otherwise="otherwise: sandbox"))]
    assert decide(load(both, CATALOG), (action(),), facts()).answer is Effect.SANDBOX


def test_the_agent_reads_the_sentences_of_the_rules_that_made_the_answer():
    rules = """
    - {id: a, effect: block, tell: Ask the crm team.}
    - {id: b, effect: escalate, tell: Not this one.}
    - {id: c, effect: block, tell: Nor on Sundays.}
    """
    assert decide(policy(rules), (action(),), facts()).tell == "Ask the crm team. Nor on Sundays."


def test_an_observed_rule_tells_nothing():
    rules = "- {id: a, effect: block, mode: observe, tell: Hidden.}\n- {id: b, effect: block}"
    assert "Hidden" not in decide(policy(rules), (action(),), facts()).tell


def test_what_is_let_out_tells_nothing():
    assert decide(policy(), (action(),), facts()).tell == ""


@pytest.mark.parametrize("effect", ["block", "escalate", "sandbox", "throttle"])
def test_without_a_sentence_the_agent_reads_what_was_stopped_and_never_a_rule(effect):
    over = policy(f"- {{id: hidden-name, effect: {effect}, limit: 1/min}}")
    decision = decide(over, (action(resource="contact 7"),), facts())
    decision = raised(decision, decision.charges)
    assert decision.tell.startswith("crm.update_contact contact 7 ")
    assert "not sent" in decision.tell
    assert "hidden-name" not in decision.tell


def test_the_sentence_for_the_unknown_says_that_it_is_unknown():
    assert (
        "not known what http.POST paste.test does"
        in decide(policy(), (action("http.POST", resource="paste.test"),), facts()).tell
    )


def test_the_operator_reads_every_rule_that_restricts():
    rules = "- {id: a, effect: block, mode: observe}\n- {id: b, when: agent.age < days(7), effect: escalate}"
    assert decide(policy(rules), (action(),), facts(age=None)).why == "a: block, observed; b: block (missing:agent.age)"


def test_the_default_is_named_where_it_restricts_or_nothing_else_speaks():
    assert matched(decide(policy(), (action("crm.delete_all"),), facts())) == ["otherwise"]
    assert matched(decide(policy("- {id: a, match: {tier: T1}, effect: allow}"), (action(),), facts())) == ["a"]


def test_needs_are_what_acting_rules_read():
    assert not needs(policy("- {id: a, match: {service: crm}, effect: block}")).data
    assert needs(policy("- {id: a, match: {data: secret}, effect: block}")).data
    assert needs(policy("- {id: a, when: size(data) > 0, effect: block}")).data
    assert needs(policy("- {id: a, when: agent.age < days(7), effect: block}")).agent_since
    assert not needs(policy("- {id: a, match: {data: secret}, when: agent.age < days(7), effect: block, mode: disabled}")).data


def test_many_actions_are_each_decided():
    rules = "- {id: a, match: {action: crm.delete_all}, effect: block}"
    decision = decide(policy(rules), (*(action() for _ in range(500)), action("crm.delete_all")), facts())
    assert decision.answer is Effect.BLOCK
    assert len(decision.verdicts) == 501


def test_an_agent_from_the_future_is_young():
    assert answer("- {id: a, when: agent.age < days(7), effect: block}", at=facts(age=timedelta(days=-1))) is Effect.BLOCK


def test_access_and_tier_are_asked_of_the_action_not_of_the_catalog():
    rules = "- {id: a, match: {access: admin, tier: T3}, effect: block}"
    assert answer(rules, action(access=Access.ADMIN, tier=Tier.T3)) is Effect.BLOCK
