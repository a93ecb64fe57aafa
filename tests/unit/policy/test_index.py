from policies import action, policy

from outgate.actions.action import Access, Tier

RULES = """
- {id: by-action, match: {action: [crm.update_contact, crm.delete_all]}, effect: block}
- {id: by-pattern, match: {action: 'crm.*'}, effect: block}
- {id: by-service, match: {service: [crm, payments]}, effect: block}
- {id: by-both, match: {service: crm, action: crm.update_contact}, effect: block}
- {id: by-access, match: {access: [pay, admin]}, effect: block}
- {id: by-tier, match: {tier: T1}, effect: block}
- {id: all, effect: block}
- {id: off, effect: block, mode: disabled}
"""


def candidates(one):
    return sorted(one.rule.id for one in policy(RULES).index.candidates(one))


def test_an_action_finds_the_rules_that_may_match_it_each_once():
    assert candidates(action()) == ["all", "by-action", "by-both", "by-pattern", "by-service", "by-tier"]
    assert candidates(action("payments.create_payment")) == ["all", "by-access", "by-pattern", "by-service"]


def test_access_and_tier_are_those_of_the_request_not_of_the_catalog():
    assert "by-access" in candidates(action(access=Access.ADMIN, tier=Tier.T3))
    assert "by-tier" not in candidates(action(tier=Tier.T3))


def test_disabled_rules_are_never_asked():
    assert "off" not in candidates(action())


def test_what_finding_a_rule_settles_is_not_asked_again():
    tests = {one.rule.id: [test.key for test in one.tests] for one in policy(RULES).index.candidates(action())}
    assert tests == {
        "all": [],
        "by-action": [],
        "by-both": ["service"],
        "by-pattern": ["action"],
        "by-service": [],
        "by-tier": [],
    }
