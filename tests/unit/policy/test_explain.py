from policies import action, facts, policy

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
