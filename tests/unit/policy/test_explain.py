from policies import action, facts, policy, pounds

from outgate.policy.effect import Mode
from outgate.policy.explain import findings
from outgate.policy.matching import MATCH, Erred

RULES = """
- {id: near, match: {service: crm, tier: T3}, effect: block}
- {id: far, match: {service: payments, tier: T3}, effect: block}
- {id: young, match: {service: crm}, when: agent.age < days(7), effect: sandbox}
- {id: held, match: {service: crm}, effect: escalate}
- {id: not-ours, match: {service: crm}, unless: agent.team == "sales", effect: block}
- {id: other, match: {tier: T3}, effect: block}
- {id: another, match: {action: crm.delete_all, access: write}, effect: block}
- {id: no-part-held, match: {data: secret}, unless: agent.team == "x", effect: block}
- {id: off, effect: block, mode: disabled}
"""


def found(at):
    return {one.rule.id: one for one in findings(policy(RULES), action(), at)}


def test_rules_that_matched_come_first_then_those_that_nearly_did():
    assert list(found(facts(team="sales"))) == ["held", "near", "not-ours", "young"]


def test_a_near_miss_says_what_it_lacked():
    near = found(facts(team="sales"))
    assert near["near"].lacked == "tier is T1, not T3"
    assert near["young"].lacked == "when: agent.age < days(7)"
    assert near["not-ours"].lacked == 'unless: agent.team == "sales"'
    assert near["held"].truth is MATCH


def test_a_rule_that_can_not_be_told_is_found_with_its_error():
    assert found(facts(age=None))["young"].truth == Erred("missing:agent.age")


def note(rule, of=None, **who):
    (one,) = findings(policy(f"- {{id: a, {rule}}}"), of or action(), facts(**who))
    return one.note


def test_a_limit_says_what_is_taken_of_it():
    assert note("effect: throttle, limit: 60/min", action(count=3)) == "takes 3 of 60/minute, for each agent.id"
    assert note("effect: throttle, limit: 5/day, per: [host, agent.team]") == "takes 1 of 5/day, for each agent.team and host"
    pay = action("payments.create_payment", params={"amount": pounds(7)})
    rule = "match: {service: payments}, effect: block, limit: 50 GBP/day, per: all"
    assert note(rule, pay) == "takes 7 GBP of 50 GBP/day, for all together"
    assert note(rule, action("payments.get_payment")) == "takes nothing of 50 GBP/day"


def test_a_limit_of_which_nobody_can_tell_what_is_taken_restricts():
    rules = policy("- {id: a, match: {service: payments}, effect: block, limit: 50 GBP/day}")
    (one,) = findings(rules, action("payments.create_payment"), facts())
    assert (one.truth, one.note) == (Erred("missing:amount"), "")


def test_a_rule_that_is_not_rolled_out_to_this_agent_says_so():
    assert note("effect: block, rollout: 1", id="agent-1") == "is rolled out to 1 of 100 agents, and not to this one"
    assert note("effect: block, rollout: 99", id="agent-1") == ""


def test_how_much_a_rule_does_to_this_agent_is_said():
    (one,) = findings(policy("- {id: a, effect: block}"), action(), facts(observe=True))
    assert (one.acts, one.note) == (Mode.OBSERVE, "")


def test_a_rule_of_answers_says_that_it_is_one():
    assert note("phase: response, when: response.rows > 5, effect: block") == "is asked of the answer"
    assert findings(policy("- {id: a, phase: response, match: {service: crm, tier: T3}, effect: block}"), action(), facts())[
        0
    ].lacked


def test_a_rule_of_messages_says_that_it_is_one_and_what_a_message_takes():
    assert note("phase: stream, when: message.size > 5, effect: block") == "is asked of each message, once it was let out"
    assert note("phase: stream, limit: 60/min, effect: throttle").endswith("a message takes one of 60/minute, for each agent.id")


def test_a_rule_for_agents_with_a_label_is_about_somebody_else():
    assert findings(policy("- {id: a, match: {service: crm, agent.label.trust: none}, effect: block}"), action(), facts()) == ()
