import pytest
from policies import CATALOG, policy

from outgate.policy.lint import lint, notes

MOCKS = "mocks: {default: {answers: canned}}"
OPS = "approvers: {ops: {need: 1, of: ann}, two: {need: 2, of: [ann, ben]}}"


def said(rules, **more):
    return [problem.message for problem in lint(policy(rules, **more), CATALOG)]


def test_a_policy_in_which_everything_counts_is_clean():
    rules = """
    - {id: a, match: {service: crm}, effect: escalate}
    - {id: b, match: {service: crm, tier: T3}, effect: block}
    - {id: c, match: {tier: T2}, effect: allow}
    """
    assert said(rules) == []


@pytest.mark.parametrize(
    "narrow",
    [
        "{id: b, match: {service: crm, tier: T3}, effect: block}",
        "{id: b, match: {action: crm.delete_all, service: crm}, effect: escalate}",
        "{id: b, match: {service: crm}, when: agent.team == 'x', effect: sandbox}",
        "{id: b, match: {service: crm}, effect: block, mode: observe}",
    ],
)
def test_a_restriction_inside_a_wider_one_changes_nothing(narrow):
    assert said(f"- {{id: a, match: {{service: crm}}, effect: block}}\n- {narrow}", more=MOCKS) == [
        "rule 'b' changes nothing: 'a' says block for all that it matches; delete one"
    ]


@pytest.mark.parametrize(
    "other",
    [
        "{id: a, match: {service: crm}, effect: block, mode: observe}",
        "{id: a, match: {service: crm}, when: agent.team == 'x', effect: block}",
        "{id: a, match: {service: crm, tier: T3}, effect: block}",
    ],
)
def test_a_rule_that_adds_something_is_no_rule_in_vain(other):
    assert not any(
        "changes nothing" in message for message in said(f"- {other}\n- {{id: b, match: {{service: crm}}, effect: escalate}}")
    )


def test_a_rule_that_could_block_by_an_error_is_not_in_vain_beside_a_weaker_one():
    rules = "- {id: a, match: {service: crm}, effect: escalate}\n- {id: b, match: {service: crm, data: secret}, effect: escalate}"
    assert said(rules) == []


def test_of_two_alike_only_one_is_reported():
    assert said("- {id: a, match: {service: crm}, effect: block}\n- {id: b, match: {service: crm}, effect: block}") == [
        "rule 'b' changes nothing: 'a' says block for all that it matches; delete one"
    ]


def test_a_permission_under_a_restriction_lets_nothing_out():
    rules = (
        "- {id: a, match: {service: payments}, effect: escalate}\n- {id: b, match: {service: payments, tier: T2}, effect: allow}"
    )
    assert said(rules) == ["rule 'b' never lets anything out: 'a' says escalate for all that it matches; narrow that one"]


def test_an_access_that_nothing_has_is_said():
    assert said("- {id: a, match: {service: payments, access: delete}, effect: block}") == [
        "rule 'a' names access delete, which nothing that it matches has"
    ]


def test_a_disabled_rule_is_said():
    assert said("- {id: a, effect: block, mode: disabled}") == ["rule 'a' is disabled, delete it or observe it"]


def test_warnings_stand_at_their_rule():
    assert str(lint(policy("- {id: a, effect: block, mode: disabled}"), CATALOG)[0]).startswith("tried.yaml:7:5: ")


@pytest.mark.parametrize(
    "other",
    [
        "{id: a, match: {service: crm}, effect: block, limit: 5/min}",
        "{id: a, match: {service: crm}, effect: block, rollout: 99}",
        "{id: a, match: {service: crm}, phase: response, when: response.rows > 5, effect: block}",
        "{id: a, match: {service: crm}, phase: response, effect: block, when: response.rows > 5, mode: enforce}",
    ],
)
def test_what_does_not_always_hold_makes_nothing_vain(other):
    assert said(f"- {other}\n- {{id: b, match: {{service: crm}}, effect: escalate}}") == []


def test_a_rule_that_asks_others_is_not_in_vain():
    rules = "- {{id: a, match: {{service: crm}}, effect: escalate, to: ops}}\n- {{id: b, match: {{service: crm, tier: T3}}, effect: escalate{}}}"
    assert said(rules.format(", to: two"), more=OPS) == []
    assert len(said(rules.format(", to: ops"), more=OPS)) == 1
    assert len(said(rules.format(""), more=OPS)) == 1


def test_a_limit_under_what_is_always_refused_changes_nothing():
    rules = "- {id: a, match: {service: crm}, effect: block}\n- {id: b, match: {service: crm}, effect: throttle, limit: 5/min}"
    assert said(rules) == ["rule 'b' changes nothing: 'a' says block for all that it matches; delete one"]


def test_a_limit_under_what_people_may_lift_still_counts():
    rules = "- {id: a, match: {service: crm}, effect: escalate}\n- {id: b, match: {service: crm}, effect: throttle, limit: 5/min}"
    assert said(rules) == []


LOWER = "- {id: a, match: {service: crm}, effect: throttle, limit: 60/min}\n"


@pytest.mark.parametrize(
    "higher",
    [
        "{id: b, match: {service: crm}, effect: throttle, limit: 100/min}",
        "{id: b, match: {service: crm, tier: T3}, effect: escalate, limit: 60/min}",
        "{id: b, match: {service: crm}, effect: throttle, limit: 60/min}",
    ],
)
def test_a_limit_that_another_stops_before_is_never_reached(higher):
    (message,) = said(f"{LOWER}- {higher}")
    assert message.startswith("rule 'b' is never reached: 'a' stops at 60/minute what it would at ")


@pytest.mark.parametrize(
    "other",
    [
        "{id: b, match: {service: crm}, effect: throttle, limit: 100/min, burst: 5}",
        "{id: b, match: {service: crm}, effect: throttle, limit: 100/hour}",
        "{id: b, match: {service: crm}, effect: throttle, limit: 100/min, per: all}",
        "{id: b, match: {access: write}, effect: throttle, limit: 100/min}",
        "{id: b, match: {service: crm}, effect: throttle, limit: 100/min, count: attempted}",
    ],
)
def test_a_limit_that_can_be_reached_is_right(other):
    assert said(f"{LOWER}- {other}") == []


def test_a_limit_that_people_may_lift_stops_no_other():
    rules = "- {id: a, effect: escalate, limit: 5/min}\n- {id: b, effect: block, limit: 9/min}"
    assert said(rules) == []


def test_a_sandbox_without_a_mock_is_said():
    rules = "- {id: a, match: {service: [crm, payments]}, effect: sandbox}"
    assert said(rules) == [
        "rule 'a' blocks, as there is no mock of crm, payments; add one, as in mocks: {default: {answers: canned}}"
    ]
    assert "no mock of payments;" in said(rules, more="mocks: {crm: {answers: canned}}")[0]
    assert said(rules, more="mocks: {crm: {answers: canned}, payments: {answers: canned}}") == []
    assert said(rules, more=MOCKS) == []


def test_a_default_of_sandbox_without_a_mock_is_said():
    (message,) = said("", otherwise="otherwise: sandbox")
    assert message.startswith("otherwise: sandbox blocks what has no mock")
    assert said("", otherwise="otherwise: sandbox", more=MOCKS) == []


def test_a_rule_of_answers_that_reads_nothing_of_them_is_said():
    assert said("- {id: a, phase: response, match: {service: crm}, effect: block}") == [
        "rule 'a' reads nothing of the answer, leave phase: response out to stop the request before"
    ]


def test_a_rule_of_messages_that_makes_no_difference_between_them_is_said():
    (line,) = said("- {id: a, phase: stream, match: {service: crm}, effect: block}")
    assert line.startswith("rule 'a' reads nothing of a message and counts none, so it stops the first; leave phase: stream out")


@pytest.mark.parametrize(
    "more",
    ["when: message.size > 5", "when: '\"secret\" in data'", "match: {data: secret}", "when: now.getHours() > 5", "limit: 5/min"],
)
def test_a_rule_of_messages_that_does_is_not(more):
    assert said(f"- {{id: a, phase: stream, effect: {'throttle' if 'limit' in more else 'block'}, {more}}}") == []


def test_who_is_asked_where_nobody_is_named_is_noted():
    assert notes(policy("- {id: a, effect: escalate}")) == (
        "'a' escalates to nobody in particular: anyone whose key is known may approve",
    )
    both = policy("- {id: a, match: {service: crm}, effect: escalate}\n- {id: b, effect: escalate}")
    assert notes(both)[0].startswith("'a' and 1 more escalate to nobody")
    assert notes(policy("- {id: a, effect: escalate, to: ops}", more=OPS)) == ()
    assert notes(policy("- {id: a, effect: block}")) == ()
    to = "otherwise: {T0: allow, T1: allow, T2: escalate, T3: escalate, unmapped: escalate, to: ops}"
    assert notes(policy("- {id: a, effect: escalate}", otherwise=to, more=OPS)) == ()
