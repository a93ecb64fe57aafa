"""E2, E3 and MCP: access as judged by names and methods, against what vendors say of their own operations.

Halves are by the hash of a service's name. Rules are made with the errors of the `dev` half at hand; of the `test` half nobody
looks at more than the totals that are asserted here.
"""

import pytest
from catalog import aws_levels, google_scopes, mcp_servers
from catalog.halves import Case, half_of, score

from fetch import fetch
from outgate.actions.access import judge
from write import MiningError


def of(half, cases):
    return score(case for case in cases if case.half == half)


def told(what, cases):
    for half in ("dev", "test"):
        found = of(half, cases)
        print(
            f"{what} ({half}): {found.changes} changes, under-block {found.under_block:.2%} · "
            f"{found.reads} reads, over-block {found.over_block:.2%}"
        )


def test_halves_are_about_as_large_and_nobody_chooses_them():
    keys = {operation.signed_for for operation in aws_levels.operations()}
    assert 0.4 < sum(half_of(key) == "dev" for key in keys) / len(keys) < 0.6


def test_a_change_that_is_taken_for_a_read_and_its_opposite_are_counted_apart():
    cases = [
        Case(key="x", name="get", reads=False, judged=judge("get")),
        Case(key="x", name="delete", reads=True, judged=judge("delete")),
        Case(key="x", name="list", reads=True, judged=judge("list")),
    ]
    found = score(cases)
    assert (found.under, found.changes, found.over, found.reads) == (1, 1, 1, 2)
    assert (found.under_block, found.over_block) == (1.0, 0.5)


def test_operations_of_aws_are_judged_as_iam_does_though_its_levels_are_withheld():
    cases = aws_levels.cases()
    told("E2 AWS without IAM's levels", cases)
    for half in ("dev", "test"):
        assert of(half, cases).under_block <= 0.012
        assert of(half, cases).over_block <= 0.020


def test_nearly_every_operation_of_aws_has_a_level_in_iam():
    operations = aws_levels.operations()
    joined = sum(operation.level is not None for operation in operations) / len(operations)
    print(f"E2 AWS with IAM's levels: {joined:.1%} of {len(operations)} operations have one")
    assert len(operations) > 19_000
    assert joined >= 0.95


def agreeing(cases):
    found = score(cases)
    return 1 - (found.under + found.over) / len(cases)


def test_googles_methods_are_judged_as_its_read_only_scopes_do():
    cases = google_scopes.sampled()
    told("E3 Google, a sample", cases)
    assert len(cases) > 400
    assert agreeing(cases) >= 0.96


@pytest.mark.slow
def test_all_methods_of_googles_strict_apis_are_judged_as_their_scopes_do():
    try:
        wheel = fetch(google_scopes.PIN).archive
    except MiningError as error:
        pytest.skip(f"the package registry can't be reached: {error}")
    cases = google_scopes.cases(wheel)
    told("E3 Google", cases)
    assert len(cases) >= 2_235
    assert agreeing(cases) >= 0.96
    assert google_scopes.sample(wheel) == google_scopes.SAMPLE.read_text(encoding="utf-8")


def test_tools_of_mcp_servers_that_change_something_are_hardly_ever_taken_for_reads():
    cases = mcp_servers.cases()
    told("MCP hints", cases)
    assert len(cases) >= 1_000
    assert len({case.key for case in cases}) >= 25
    for half in ("dev", "test"):
        assert of(half, cases).under_block <= 0.02


def test_what_a_server_calls_destructive_is_hardly_ever_harmless():
    cases = mcp_servers.destroying()
    harmless = sum(case.judged.access.only_reads for case in cases)
    print(f"MCP destructiveHint: {harmless} of {len(cases)} tools taken for reads")
    assert harmless <= 0.01 * len(cases)
