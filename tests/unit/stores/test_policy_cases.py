from textwrap import dedent

import pytest

from outgate.stores.catalog_files import load_catalog
from outgate.stores.policy_cases import cases_beside, try_cases_beside

POLICY = """
    outgate: policy/v1alpha
    policy: mine
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: block, T3: block, unmapped: {read: allow, other: block}}
"""
CASES = """
    outgate: cases/v1alpha
    policy: mine
    cases:
      - {name: unknown things stay here, request: POST https://unknown.test/x, answer: ANSWER}
"""


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


@pytest.fixture
def policy(tmp_path):
    made = tmp_path / "mine.yaml"
    made.write_text(dedent(POLICY))
    return made


def test_a_policy_without_cases_has_nothing_to_fail(policy, catalog):
    assert cases_beside([str(policy)]) == (policy.with_name("mine.cases.yaml"),)
    assert try_cases_beside([str(policy)], catalog) == ()


def test_cases_that_come_out_as_they_say_are_no_problem(policy, catalog):
    policy.with_name("mine.cases.yaml").write_text(dedent(CASES.replace("ANSWER", "block")))
    assert try_cases_beside([str(policy)], catalog) == ()


def test_a_case_that_comes_out_otherwise_is_a_problem_with_its_place(policy, catalog):
    cases = policy.with_name("mine.cases.yaml")
    cases.write_text(dedent(CASES.replace("ANSWER", "allow")))
    (problem,) = try_cases_beside([str(policy)], catalog)
    assert (problem.source, problem.line) == (str(cases), 5)
    assert "case 'unknown things stay here'" in problem.message


@pytest.mark.parametrize("content", [b"cases: [", b"\xff", b""])
def test_cases_that_can_not_be_read_are_a_problem_too(policy, catalog, content):
    policy.with_name("mine.cases.yaml").write_bytes(content)
    assert try_cases_beside([str(policy)], catalog)


def test_a_starter_policy_has_none_of_the_operators(catalog):
    assert cases_beside(["coding-agent"]) == ()
    assert try_cases_beside(["coding-agent"], catalog) == ()
