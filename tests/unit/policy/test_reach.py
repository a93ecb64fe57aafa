import pytest
from policies import CATALOG, policy

from outgate.policy.lint import lint
from outgate.policy.load import load
from outgate.policy.matching import Scope
from outgate.policy.reach import can_meet, is_open, models, named, reach, services, unknown
from outgate.stores.catalog_files import load_catalog


def reached(match):
    (rule,) = policy(f"- {{id: a, match: {match}, effect: block}}").rules
    return {operation.name for operation in reach(rule.scope, CATALOG) if operation.service != "http"}


def test_a_rule_reaches_what_its_action_service_and_access_name():
    assert reached("{service: payments}") == {"payments.create_payment", "payments.get_payment"}
    assert reached("{service: payments, access: pay}") == {"payments.create_payment"}
    assert reached("{action: 'crm.del*'}") == {"crm.delete_all"}
    assert reached("{action: crm.delete_all, tier: T0}") == {"crm.delete_all"}


def test_an_operation_whose_callers_choose_the_rest_is_reached_by_every_name_it_may_have():
    assert reached("{action: 'tools.call:search'}") == {"tools.call:*"}
    assert reached("{action: 'tools.call:*_issue'}") == {"tools.call:*"}
    assert [operation.name for operation in CATALOG.listed() if is_open(operation)] == ["tools.call:*"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        *(
            ("action", name)
            for name in ("crm.delete_all", "crm.*", "*", "*.delete_*", "tools.call:search", "tools.*", "http.PROPFIND", "crm.PUT")
        ),
        *(("service", name) for name in ("crm", "c*", "http")),
    ],
)
def test_what_can_be_met_is_known(key, said):
    assert unknown(key, said, CATALOG) is None


@pytest.mark.parametrize(
    ("key", "said", "message"),
    [
        ("action", "crm.delet_all", "no action 'crm.delet_all' is known, did you mean 'crm.delete_all'?"),
        ("action", "cmr.delete_all", "no action 'cmr.delete_all' is known, did you mean 'crm.delete_all'?"),
        ("action", "crm.x*", "no action 'crm.x*' is known, use one of crm.delete_all, crm.update_contact"),
        ("action", "nothing", "no action 'nothing' is known, `outgate explain` says the name of a request's action"),
        ("service", "x*", "no service 'x*' is known, use one of crm, http, payments, tools"),
    ],
)
def test_what_can_not_be_met_says_what_was_meant(key, said, message):
    assert unknown(key, said, CATALOG) == message


def test_services_whose_operations_a_language_model_answers_are_known():
    assert models(Scope(), CATALOG) == frozenset()
    assert models(Scope(), load_catalog()) >= {"anthropic", "cohere", "gemini", "groq", "mistral", "openai"}


def test_operations_are_named_and_the_rest_of_them_counted():
    operations = reach(Scope(), CATALOG)
    assert named(operations[:1]) == operations[0].name
    assert named(operations).endswith(f" and {len(operations) - 3} more")


@pytest.mark.parametrize(
    ("match", "parts"),
    [
        ("{service: aws}", set()),
        ("{action: 'aws.*'}", set()),
        ("{service: aws, access: read}", set()),
        ("{action: aws.ec2.TerminateInstances}", {"ec2"}),
        ("{action: 'aws.ec2.Terminate*', access: delete}", {"ec2"}),
        ("{action: 'aws.ec2.*', access: list}", {"ec2"}),
    ],
)
def test_no_more_of_a_service_is_looked_up_than_a_rule_needs(match, parts):
    catalog = load_catalog()
    text = f"outgate: policy/v1alpha\npolicy: p\notherwise: block\nrules:\n- {{id: a, match: {match}, effect: sandbox}}\n"
    lint(load([("p.yaml", text)], catalog), catalog)
    assert {part.name for part in catalog.service("aws").mined.parts if "_inflated" in vars(part)} == parts


def test_a_model_that_answers_is_known_where_people_say_so_of_what_was_mined():
    catalog = load_catalog()
    text = "outgate: policy/v1alpha\npolicy: p\notherwise: block\nrules:\n- {id: a, match: {service: [openai, github]}, effect: block}\n"
    (rule,) = load([("p.yaml", text)], catalog).rules
    assert services(rule.scope, catalog) == {"openai", "github"}
    assert models(rule.scope, catalog) == {"openai"}


def test_the_services_of_a_rule_are_those_that_it_can_meet():
    (rule,) = policy("- {id: a, match: {action: 'c*.del*'}, effect: block}").rules
    assert services(rule.scope, CATALOG) == {"crm"}
    assert services(Scope(), CATALOG) == {"crm", "http", "payments", "tools"}


def test_an_access_that_nothing_has_can_not_be_met():
    (rule,) = policy("- {id: a, match: {service: crm, access: [pay, read]}, effect: block}").rules
    access = rule.scope.test("access")
    assert not can_meet(access, rule.scope, CATALOG)
    assert can_meet(access, Scope(), CATALOG)
