import pytest
from policies import CATALOG, policy

from outgate.policy.lint import lint


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
    assert said(f"- {{id: a, match: {{service: crm}}, effect: block}}\n- {narrow}") == [
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
