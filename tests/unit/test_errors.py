"""outgate.errors"""

from __future__ import annotations

from outgate.errors import ConfigError, Problem


def test_a_problem_says_as_much_of_its_place_as_is_known():
    assert str(Problem(source="a.yaml", line=3, column=5, message="what")) == "a.yaml:3:5: what"
    assert str(Problem(source="a.yaml", line=3, message="what")) == "a.yaml:3: what"
    assert str(Problem(source="--share", message="what")) == "--share: what"


def test_problems_sort_by_where_they_are():
    problems = [
        Problem(source="b", message="x"),
        Problem(source="a", line=10, message="x"),
        Problem(source="a", line=9, message="y"),
    ]
    assert [(p.source, p.line) for p in sorted(problems)] == [("a", 9), ("a", 10), ("b", 0)]


def test_a_config_error_carries_every_problem():
    error = ConfigError(Problem(source="a.yaml", message="one"), "two", source="settings")
    assert [str(problem) for problem in error.problems] == ["a.yaml: one", "settings: two"]
    assert str(error) == "a.yaml: one\nsettings: two"
