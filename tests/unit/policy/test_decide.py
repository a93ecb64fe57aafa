from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from policies import CATALOG, GET, action, facts, policy, pounds, written

from outgate.actions.action import Access, Confidence, Tier
from outgate.intake.bodies import DECODED_LIMIT, WHOLE_LIMIT
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.policy.decide import decide, decide_answer, discharged, needs, raised, reads_answer
from outgate.policy.decision import Reason, refusal
from outgate.policy.effect import Effect, Mode
from outgate.policy.facts import Answered
from outgate.policy.limits import Hold
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


def test_a_path_that_is_taken_as_it_is_sent_has_one_reading_however_odd_it_is():
    odd = facts(request=replace(GET, path="/contacts//7"))
    rules = "- {id: a, match: {service: payments}, effect: allow}"
    assert answer(rules, action("payments.create_payment", exact=True), at=odd) is Effect.ALLOW
    assert answer(rules, action("payments.create_payment"), at=odd) is not Effect.ALLOW


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


LARGE = "- {id: big, match: {action: payments.create_payment}, when: params.amount.minor > 5, effect: escalate, onTooLarge: %s}"
UNKEPT, UNPARSED, SEARCHED = (
    UnreadBody(too_large=True),
    SpooledBody("", DECODED_LIMIT + 1, ""),
    SpooledBody("", DECODED_LIMIT, ""),
)


@pytest.mark.parametrize(
    ("said", "body", "expected"),
    [
        ("escalate", UNKEPT, Effect.ESCALATE),
        ("escalate", UNPARSED, Effect.ESCALATE),
        ("block", UNPARSED, Effect.BLOCK),
        ("escalate", SEARCHED, Effect.BLOCK),
        ("escalate", UnreadBody(), Effect.BLOCK),
        ("escalate", WholeBody(b"{}"), Effect.BLOCK),
        ("escalate", NoBody(), Effect.BLOCK),
    ],
)
def test_people_are_asked_of_what_is_too_large_where_a_rule_says_so(said, body, expected):
    at = facts(unread=isinstance(body, UnreadBody))
    at = replace(at, request=replace(at.request, body=body))
    assert answer(LARGE % said, action("payments.create_payment"), at=at) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (UNKEPT, Effect.ESCALATE),
        (SpooledBody("", WHOLE_LIMIT + 1, ""), Effect.ESCALATE),
        (UNPARSED, Effect.BLOCK),
    ],
)
def test_what_is_too_large_to_be_parsed_is_not_too_large_to_be_searched(body, expected):
    """That it could not be searched all the same has another reason: its coding, or its charset."""
    at = facts(unread=isinstance(body, UnreadBody))
    at = replace(at, request=replace(at.request, body=body))
    rules = "- {id: a, match: {data: secret}, effect: block, onTooLarge: escalate}"
    assert answer(rules, action(data=frozenset({"unreadable"})), at=at) is expected
    assert answer(rules, action(data=frozenset({"unreadable", "secret"})), at=at) is Effect.BLOCK


def test_an_age_that_is_not_known_is_no_matter_of_size():
    at = facts(age=None, unread=True)
    at = replace(at, request=replace(at.request, body=UNKEPT))
    assert answer("- {id: a, when: agent.age < days(7), effect: block, onTooLarge: escalate}", at=at) is Effect.BLOCK


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


# limits: what holds over them

LIMITED = """
- {id: rate, match: {service: crm}, effect: throttle, limit: 5/min, tell: Slower.}
- {id: quota, match: {access: write}, effect: escalate, limit: 9/month, to: ops}
- {id: seen, effect: block, limit: 9/day, mode: observe}
"""
OPS = "approvers: {ops: {need: 1, of: ann}, leads: {need: 2, of: [ann, ben]}}"


def decided(*actions, rules=LIMITED, at=None, more=OPS, **said):
    return decide(policy(rules, more=more, **said), actions or (action(),), at or facts())


def over(decision, *rules):
    return [charge for charge in decision.charges if charge.match.rule in rules]


def test_below_its_limits_a_request_is_let_out_with_what_it_takes_of_them():
    decision = decided()
    assert (decision.answer, decision.would) == (Effect.ALLOW, Effect.ALLOW)
    assert [charge.match.rule for charge in decision.charges] == ["quota", "rate", "seen"]


def test_over_a_limit_its_rule_matches():
    decision = decided()
    decision = raised(decision, over(decision, "rate"))
    assert (decision.answer, decision.would, decision.tell, decision.why) == (
        Effect.THROTTLE,
        Effect.THROTTLE,
        "Slower.",
        "rate: throttle",
    )
    assert matched(decision) == ["rate"]


def test_over_several_limits_the_strictest_holds():
    decision = decided()
    assert raised(decision, over(decision, "rate", "quota")).answer is Effect.ESCALATE


def test_an_observed_limit_changes_what_would_be():
    decision = decided()
    decision = raised(decision, over(decision, "seen"))
    assert (decision.answer, decision.would, decision.tell) == (Effect.ALLOW, Effect.BLOCK, "")


def test_a_limit_is_over_for_the_actions_that_it_is_for():
    decision = decided(action("payments.get_payment"), action())
    decision = raised(decision, over(decision, "rate"))
    assert [verdict.answer for verdict in decision.verdicts] == [Effect.ALLOW, Effect.THROTTLE]


def test_what_is_always_refused_stays_as_it_was_said():
    decision = decided()
    barred = refusal(Reason.HALTED, "Halted.", verdicts=decision.verdicts)
    assert raised(barred, decision.charges) == barred
    assert discharged(barred, frozenset({"quota"}), "a") == barred


# approvals: what they lift


def test_an_approval_lifts_what_its_rules_escalate():
    decision = decided(rules="- {id: ask, effect: escalate, to: ops}")
    assert (decision.answer, decision.approval) == (Effect.ESCALATE, "")
    lifted = discharged(decision, frozenset({"ask"}), "abcd")
    assert (lifted.answer, lifted.approval, lifted.tell) == (Effect.ALLOW, "abcd", "")


def test_an_approval_lifts_no_rule_that_it_does_not_name():
    decision = decided(rules="- {id: a, effect: escalate}\n- {id: b, effect: escalate}")
    assert discharged(decision, frozenset({"a"}), "x").answer is Effect.ESCALATE


@pytest.mark.parametrize("effect", ["sandbox", "block"])
def test_an_approval_lifts_no_other_effect(effect):
    decision = decided(rules=f"- {{id: a, effect: {effect}}}\n- {{id: b, effect: escalate}}")
    assert discharged(decision, frozenset({"a", "b"}), "x").answer is decision.answer


def test_an_approval_lifts_no_throttle():
    decision = decided()
    decision = raised(decision, over(decision, "rate"))
    assert discharged(decision, frozenset({"rate"}), "x").answer is Effect.THROTTLE


def test_an_approval_may_lift_what_holds_otherwise():
    decision = decided(action("payments.create_payment"), rules="")
    assert decision.answer is Effect.ESCALATE
    assert discharged(decision, frozenset({"otherwise"}), "x").answer is Effect.ALLOW


def test_what_would_be_keeps_what_is_only_observed():
    decision = decided(rules="- {id: a, effect: escalate}\n- {id: b, effect: escalate, mode: observe}")
    lifted = discharged(decision, frozenset({"a", "b"}), "x")
    assert (lifted.answer, lifted.would) == (Effect.ALLOW, Effect.ESCALATE)


def test_what_people_approved_over_a_limit_is_taken_by_force():
    decision = decided()
    lifted = discharged(raised(decision, over(decision, "quota")), frozenset({"quota", "rate"}), "x")
    assert lifted.answer is Effect.ALLOW
    assert {charge.match.rule: charge.hold for charge in lifted.charges} == {
        "quota": Hold.FORCED,
        "rate": Hold.BINDING,
        "seen": Hold.OBSERVED,
    }


# whom it asks


def asked(decision):
    return sorted((match.rule, match.to) for verdict in decision.verdicts for match in verdict.matches)


def test_a_match_says_whom_its_rule_asks():
    assert asked(decided(rules="- {id: a, effect: escalate, to: ops}")) == [("a", "ops")]
    assert asked(decided(rules="- {id: a, effect: escalate}")) == [("a", "")]


def test_a_rule_that_blocks_because_of_an_error_asks_nobody():
    rules = "- {id: a, when: agent.age > days(7), effect: escalate, to: ops}"
    assert asked(decided(rules=rules, at=facts(age=None))) == [("a", "")]


def test_what_holds_otherwise_asks_whom_its_file_says():
    otherwise = "otherwise: {T0: allow, T1: allow, T2: escalate, T3: block, unmapped: escalate, to: ops}"
    assert asked(decided(action("payments.create_payment"), rules="", otherwise=otherwise)) == [("otherwise", "ops")]
    assert asked(decided(action("crm.delete_all"), rules="", otherwise=otherwise)) == [("otherwise", "")]


def test_of_several_files_those_with_the_strictest_word_are_asked_each():
    def file(tier, to):
        return written(
            "", more=OPS, otherwise=f"otherwise: {{T0: allow, T1: allow, T2: {tier}, T3: block, unmapped: block, to: {to}}}"
        )

    both = load([("a", file("escalate", "ops")), ("b", file("escalate", "leads")), ("c", file("allow", "ops"))], CATALOG)
    assert asked(decide(both, (action("payments.create_payment"),), facts())) == [("otherwise", "leads"), ("otherwise", "ops")]
    one = load([("a", file("escalate", "ops")), ("b", file("allow", "leads"))], CATALOG)
    assert asked(decide(one, (action("payments.create_payment"),), facts())) == [("otherwise", "ops")]


def test_a_file_that_only_observes_asks_nobody():
    otherwise = "otherwise: {{T0: allow, T1: allow, T2: escalate, T3: block, unmapped: block, to: {}}}"
    enforced = written("", more=OPS, otherwise=otherwise.format("ops"))
    observed = written("", more=OPS, otherwise=otherwise.format("leads"), mode="observe")
    both = load([("a", enforced), ("b", observed)], CATALOG)
    assert asked(decide(both, (action("payments.create_payment"),), facts())) == [("otherwise", "ops")]


# on whom it is enforced


def test_nothing_is_enforced_on_an_agent_that_is_only_observed():
    for rules in ("- {id: a, effect: block}", "", LIMITED):
        decision = decided(action("crm.delete_all"), rules=rules, at=facts(observe=True))
        assert decision.answer is Effect.ALLOW
        assert decision.would.restricts
        assert all(charge.hold is Hold.OBSERVED for charge in decision.charges)


def test_an_observed_agent_shows_what_would_be():
    decision = decided(rules="- {id: a, effect: block}", at=facts(observe=True))
    assert [(match.rule, match.mode) for match in decision.verdicts[0].matches] == [("a", Mode.OBSERVE)]


def on(percent, names):
    rules = policy(f"- {{id: part, effect: block, rollout: {percent}}}")
    return {name for name in names if decide(rules, (action(),), facts(id=name)).answer is Effect.BLOCK}


def test_a_rule_is_enforced_for_as_many_agents_as_it_is_rolled_out_to():
    names = [f"agent-{number}" for number in range(400)]
    reached = [on(percent, names) for percent in (1, 25, 50, 99, 100)]
    assert all(one <= other for one, other in pairwise(reached))
    assert 60 <= len(reached[1]) <= 140
    assert len(reached[-1]) == 400
    assert on(25, names) == reached[1]


def test_beyond_its_rollout_a_rule_is_observed():
    rules = policy("- {id: part, effect: block, rollout: 1}")
    decision = decide(rules, (action(),), facts(id="agent-1"))
    assert (decision.answer, decision.would) == (Effect.ALLOW, Effect.BLOCK)


def test_two_rules_are_rolled_out_to_different_agents():
    rules = policy("- {id: a, effect: block, rollout: 50}\n- {id: b, effect: escalate, rollout: 50}")
    answers = {decide(rules, (action(),), facts(id=f"agent-{number}")).answer for number in range(60)}
    assert answers == {Effect.ALLOW, Effect.ESCALATE, Effect.BLOCK}


# a clock that stepped


@pytest.mark.parametrize("when", ["agent.age > days(1)", "during.office", 'now.getHours("UTC") < 24'])
def test_while_the_clock_is_unsteady_what_depends_on_it_restricts(when):
    hours = "zone: Europe/London\nhours: {office: {days: mon-fri, from: 08:00, to: 19:00}}"
    rules = policy(f"- {{id: a, when: '{when}', effect: escalate}}\n- {{id: b, when: '{when}', effect: allow}}", more=hours)
    assert decide(rules, (action(),), facts()).answer is Effect.ESCALATE
    decision = decide(rules, (action(),), replace(facts(), unsteady=True))
    assert [(match.rule, match.effect) for match in decision.verdicts[0].matches] == [("a", Effect.BLOCK)]


# answers

ROWS = "- {id: rows, phase: response, match: {service: crm}, when: response.rows > 100, effect: block, tell: Ask for fewer.}"


def answered(rules, at=None, of=None, **said):
    under = policy(rules)
    decision = decide(under, (of or action(),), at or facts())
    return decide_answer(under, decision, at or facts(), Answered(**{"status": 200, **said}))


def test_a_rule_of_answers_is_not_asked_of_requests():
    decision = decide(policy(ROWS), (action(),), facts())
    assert (decision.answer, matched(decision)) == (Effect.ALLOW, ["otherwise"])


def test_an_answer_that_a_rule_blocks_is_withheld():
    assert answered(ROWS, rows=101).answer is Effect.BLOCK
    assert answered(ROWS, rows=100).answer is Effect.ALLOW


def test_who_asked_is_told_that_it_happened_and_is_not_to_be_repeated():
    decision = answered(ROWS, rows=101)
    assert decision.tell == "Ask for fewer. This request was carried out and only its answer was withheld: do not send it again."
    assert "crm.update_contact" in answered("- {id: a, phase: response, effect: block}").tell
    assert answered(ROWS, rows=1).tell == ""


@pytest.mark.parametrize("when", ["response.rows > 100", "response.size > 5", '"secret" in response.data', "response.rows < 100"])
def test_what_can_not_be_told_of_an_answer_withholds_it(when):
    decision = answered(f"- {{id: a, phase: response, when: '{when}', effect: block}}")
    assert decision.answer is Effect.BLOCK
    assert decision.verdicts[0].matches[0].error.startswith("missing:response.")


def test_all_of_an_answer_can_be_read():
    rule = "- {{id: a, phase: response, when: '{}', effect: block}}"
    assert answered(rule.format("response.status == 404"), status=404).answer is Effect.BLOCK
    assert answered(rule.format("response.size >= 5"), size=5).answer is Effect.BLOCK
    assert answered(rule.format('"secret" in response.data'), data=frozenset({"secret"})).answer is Effect.BLOCK
    assert answered(rule.format('"secret" in response.data'), data=frozenset()).answer is Effect.ALLOW


def test_an_observed_rule_withholds_nothing():
    decision = answered(ROWS.replace("phase", "mode: observe, phase"), rows=101)
    assert (decision.answer, decision.would, decision.tell) == (Effect.ALLOW, Effect.BLOCK, "")
    decision = answered(ROWS, rows=101, at=facts(observe=True))
    assert (decision.answer, decision.would) == (Effect.ALLOW, Effect.BLOCK)


def test_what_was_nothing_is_withheld():
    assert decide_answer(policy(ROWS), refusal(Reason.AGENT, "No."), facts(), Answered(status=200)).answer is Effect.BLOCK


def reads(rules, of=None, at=None):
    under, at = policy(rules), at or facts()
    return reads_answer(under, decide(under, (of or action(),), at), at)


def test_an_answer_is_read_where_a_rule_may_withhold_it():
    assert reads(ROWS)
    assert reads(ROWS.replace("phase", "mode: observe, phase"))


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "- {id: a, effect: escalate, mode: observe}",
        ROWS.replace("crm", "payments"),
        ROWS.replace("phase", "mode: disabled, phase"),
        "- {id: a, phase: response, when: agent.team == 'x' && response.rows > 5, effect: block}",
        "- {id: a, phase: response, when: response.rows > 5 && agent.team == 'x', effect: block}",
        "- {id: a, phase: response, when: response.rows > 5, unless: response.rows < 9 || agent.id == 'coder', effect: block}",
    ],
)
def test_an_answer_is_not_read_where_the_request_settles_it(rules):
    assert not reads(rules)
