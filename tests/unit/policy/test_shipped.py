"""The starter policies and their cases, and the guide, as they are shipped."""

import re
from dataclasses import replace

import pytest

from outgate.policy.cases import read_cases, run
from outgate.policy.effect import Effect, Mode
from outgate.policy.lint import lint
from outgate.policy.load import load
from outgate.stores.catalog_files import load_catalog
from outgate.stores.shipped import shipped

STARTERS = ("coding-agent", "deny-all", "finance-agent", "research-agent", "support-agent")
README = shipped("rules").joinpath("README.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
CATALOG = load_catalog()


def text(*parts):
    return shipped("rules", *parts).read_text()


def starter(name):
    return load([(f"{name}.yaml", text("policies", f"{name}.yaml"))], CATALOG)


SUITES = {name: read_cases(text("cases", f"{name}.yaml"), f"{name}.yaml") for name in STARTERS}
CASES = [pytest.param(name, case, id=f"{name}: {case.name}") for name, suite in SUITES.items() for case in suite.cases]


def test_these_are_the_starters_each_with_its_cases():
    for folder in ("policies", "cases"):
        assert {path.stem for path in shipped("rules", folder).glob("*.yaml")} == set(STARTERS)
    assert {suite.policy for suite in SUITES.values()} == set(STARTERS)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_case_comes_out_as_it_says(name, case):
    (tried,) = run([case], starter(name), CATALOG)
    assert tried.wrong == ()


@pytest.mark.parametrize("name", STARTERS)
def test_nothing_in_a_starter_is_in_vain_and_every_rule_has_a_case(name):
    policy = starter(name)
    assert lint(policy, CATALOG) == ()
    matched = frozenset().union(*(tried.matched for tried in run(SUITES[name].cases, policy, CATALOG)))
    assert {rule.id for rule in policy.rules} <= matched


@pytest.mark.parametrize("name", ["finance-agent", "research-agent", "support-agent"])
def test_a_starter_for_work_with_others_sandboxes_newcomers_and_has_a_budget(name):
    effects = {rule.effect for rule in starter(name).rules}
    assert effects >= {Effect.ALLOW, Effect.THROTTLE, Effect.SANDBOX, Effect.BLOCK}
    assert "default" in starter(name).mocks
    assert {"newcomers", "untrusted", "tokens"} <= {rule.id for rule in starter(name).rules}


def test_the_cases_of_the_starters_have_all_five_answers():
    assert {case.answer for suite in SUITES.values() for case in suite.cases} == set(Effect)


def test_on_a_developers_first_day_the_coding_agent_is_quiet():
    quiet = [case for case in SUITES["coding-agent"].cases if case.answer is Effect.ALLOW and case.agent.since]
    first_day = [replace(case, agent=replace(case.agent, since=case.now)) for case in quiet]
    assert all(tried.wrong == () for tried in run(first_day, starter("coding-agent"), CATALOG))
    assert not any("agent.age" in rule.reads for rule in starter("coding-agent").rules)


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_only_observes_but_deny_all(name):
    assert starter(name).mode is (Mode.ENFORCE if name == "deny-all" else Mode.OBSERVE)


@pytest.mark.parametrize("name", STARTERS)
def test_every_restriction_of_a_starter_tells_the_agent_something(name):
    policy = starter(name)
    assert [rule.id for rule in policy.rules if rule.effect.restricts and rule.mode is Mode.ENFORCE and not rule.tell] == []


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_speaks_of_actions_not_of_addresses(name):
    tests = {test.key for rule in starter(name).rules for test in rule.scope.tests}
    reads = frozenset().union(*(rule.reads for rule in starter(name).rules))
    assert not tests & {"host", "method"}
    assert not any(read.startswith("request.") for read in reads)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_what_the_guide_shows_passes_the_check(block):
    if block.startswith("outgate: cases"):
        suite = read_cases(block, "README.md")
        assert [tried.wrong for tried in run(suite.cases, starter(suite.policy), CATALOG)] == [()] * len(suite.cases)
        return
    if not block.startswith("outgate: policy"):
        block = "outgate: policy/v1alpha\npolicy: shown\notherwise: block\nrules:\n" + block
    assert lint(load([("README.md", block)], CATALOG), CATALOG) == ()


def test_the_guide_names_every_key_and_every_name():
    from outgate.policy.conditions import FUNCTIONS
    from outgate.policy.form import RULE
    from outgate.policy.matching import KEYS
    from outgate.policy.meter import PER
    from outgate.policy.names import NAMES, RESPONSE_NAMES

    words = set(re.findall(r"[A-Za-z.]+", README))
    said = {*KEYS, *RULE.keys, *FUNCTIONS, *(name.rpartition(".")[2] for name in NAMES), *RESPONSE_NAMES, *PER}
    assert said - words == set()
