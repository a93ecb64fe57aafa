from dataclasses import replace

import pytest
from policies import GET, action, facts, policy, pounds

from outgate.policy.matching import KEYS, MATCH, NO_MATCH, Erred, opposite, reader, wanted


def held(match, one=None, at=None, effect="block"):
    """Whether `match` holds of an action, for a restriction unless it is said otherwise."""
    (rule,) = policy(f"- {{id: a, match: {match}, effect: {effect}}}").rules
    (test,) = rule.scope.tests
    return test.holds(one or action(), at or facts())


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ("{action: crm.update_contact}", True),
        ("{action: [crm.delete_all, crm.update_contact]}", True),
        ("{action: 'crm.*'}", True),
        ("{action: '*.update_*'}", True),
        ("{action: crm.delete_all}", False),
        ("{action: 'payments.*'}", False),
        ("{service: crm}", True),
        ("{service: payments}", False),
        ("{access: [write, delete]}", True),
        ("{tier: T1}", True),
        ("{tier: [T2, T3]}", False),
        ("{mapped: true}", True),
        ("{mapped: false}", False),
        ("{method: GET}", True),
        ("{method: [POST, PUT]}", False),
        ("{agent.id: coder}", True),
        ("{agent.id: 'cod*'}", True),
        ("{agent.team: sales}", True),
        ("{agent.team: finance}", False),
        ("{agent.label.env: prod}", True),
        ("{agent.label.env: dev}", False),
        ("{agent.label.other: '*'}", False),
    ],
)
def test_each_key_reads_its_own_value(match, holds):
    at = facts(team="sales", labels={"env": "prod"})
    assert held(match, at=at) is (MATCH if holds else NO_MATCH)


@pytest.mark.parametrize(
    ("pattern", "host", "holds"),
    [
        ("api.crm.test", "api.crm.test", True),
        ("'*.crm.test'", "api.crm.test", True),
        ("'*.crm.test'", "a.b.crm.test", True),
        ("'*.crm.test'", "crm.test", False),
        ("'*.crm.test'", "evilcrm.test", False),
        ("'*.crm.test'", "api.crm.test.evil.test", False),
        ("crm.test", "api.crm.test", False),
        ("10.0.0.1", "10.0.0.1", True),
    ],
)
def test_a_host_pattern_ends_at_a_label(pattern, host, holds):
    assert held(f"{{host: {pattern}}}", at=facts(request=replace(GET, host=host))) is (MATCH if holds else NO_MATCH)


@pytest.mark.parametrize(
    ("pattern", "text", "holds"),
    [
        ("acme/*", "acme/site", True),
        ("acme/*", "acme/site/refs/heads/main", True),
        ("acme/*", "acme", False),
        ("*/site", "acme/site", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("*", "", True),
        ("a?c", "abc", False),
        ("[ab]", "a", False),
    ],
)
def test_a_star_is_any_text_and_nothing_else_is_special(pattern, text, holds):
    assert wanted([pattern]).has(text) is holds


def test_a_pattern_takes_no_time_on_hostile_text():
    assert not wanted(["*a" * 30 + "b"]).has("a" * 100_000)


def test_a_restriction_ignores_case_and_a_permission_does_not():
    loud = action(resource="ACME/Site")
    assert held("{resource: acme/site}", loud) is MATCH
    assert held("{resource: acme/site}", loud, effect="allow") is NO_MATCH
    assert held("{resource: ACME/*}", loud, effect="allow") is MATCH


def test_a_restriction_matches_one_of_several_values_and_a_permission_all():
    both = action(data=frozenset({"secret", "other"}))
    assert held("{data: secret}", both) is MATCH
    assert held("{data: secret}", both, effect="allow") is NO_MATCH
    assert held("{data: secret}", action(data=frozenset({"secret"})), effect="allow") is MATCH
    assert held("{data: secret}", action(), effect="allow") is NO_MATCH


def test_in_what_could_not_be_looked_into_only_what_was_found_is_certain():
    for one, at in ((action(data=frozenset({"unreadable"})), facts()), (action(), facts(unread=True))):
        assert held("{data: secret}", one, at) == Erred("missing:data")
        assert held("{data: secret}", replace(one, data=one.data | {"secret"}), at) is MATCH
        assert held(
            "{data: [secret, unreadable]}", replace(one, data=frozenset({"secret"})), facts(unread=True), "allow"
        ) == Erred("missing:data")
    assert held("{data: unreadable}", action(data=frozenset({"unreadable"}))) is MATCH


@pytest.mark.parametrize(
    ("match", "value", "holds"),
    [
        ("{params.id: 7}", 7, True),
        ("{params.id: [6, 8]}", 7, False),
        ("{params.vip: true}", True, True),
        ("{params.vip: true}", False, False),
        ("{params.tags: [a, b]}", ("b", "c"), True),
        ("{params.tags: a*}", ("b", "c"), False),
    ],
)
def test_parameters_are_compared_as_they_are_written(match, value, holds):
    name = match.split(".")[1].split(":")[0]
    one = action(params={name: value})
    rule = match.replace("{", "{action: crm.update_contact, ")
    (made,) = policy(f"- {{id: a, match: {rule}, effect: block}}").rules
    assert made.scope.test(f"params.{name}").holds(one, facts()) is (MATCH if holds else NO_MATCH)


def test_a_parameter_that_is_missing_or_an_amount_is_an_error():
    read = reader("params.id")
    assert read(action(), facts()) == Erred("missing:params.id")
    assert read(action(params={"id": pounds(1)}), facts()) == Erred("type:params.id")


@pytest.mark.parametrize("path", ["api.test/%61dmin", "api.test//admin", "api.test/adm%69n;x=1", "api.test/%41dmin"])
def test_a_resource_that_a_server_may_read_as_another_is_both(path):
    sly = action(resource=path)
    assert held("{resource: api.test/admin}", sly) is MATCH
    assert held("{resource: [api.test/admin, api.test/Admin]}", sly, effect="allow") is NO_MATCH
    assert held("{resource: api.test/*}", sly, effect="allow") is MATCH


def test_unread_data_and_resources_are_errors():
    assert held("{data: secret}", at=facts(unread=True)) == Erred("missing:data")
    assert held("{resource: a}", at=facts(unread=True)) == Erred("missing:resource")
    assert held("{resource: a}", action(resource="b"), at=facts(unread=True)) is NO_MATCH


def test_the_opposite_of_an_error_is_an_error():
    assert (opposite(MATCH), opposite(NO_MATCH), opposite(Erred("x"))) == (NO_MATCH, MATCH, Erred("x"))


def test_every_key_has_a_reader():
    assert [reader(key)(action(), facts()) for key in KEYS]


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("{}", "{service: crm}", True),
        ("{service: crm}", "{}", False),
        ("{service: [crm, payments]}", "{service: crm}", True),
        ("{service: crm}", "{service: crm, tier: T1}", True),
        ("{action: 'crm.*'}", "{action: crm.delete_all}", True),
        ("{action: 'crm.*'}", "{action: 'crm.d*'}", True),
        ("{action: 'crm.d*'}", "{action: 'crm.*'}", False),
        ("{tier: T1}", "{service: crm}", False),
        ("{resource: A/*}", "{resource: a/b}", True),
    ],
)
def test_a_scope_covers_what_is_narrower(wide, narrow, covers):
    one, other = policy(f"- {{id: a, match: {wide}, effect: block}}\n- {{id: b, match: {narrow}, effect: block}}").rules
    assert one.scope.covers(other.scope) is covers
