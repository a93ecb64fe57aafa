"""YAML as operators write it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.document import parse
from outgate.errors import ConfigError


def problems(text):
    with pytest.raises(ConfigError) as raised:
        parse(text, "a.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_words_that_older_yaml_took_for_booleans_and_times_stay_text():
    assert parse("{a: off, b: NO, c: 19:00, d: 0o17, e: yes}", "a.yaml").value == {
        "a": "off",
        "b": "NO",
        "c": "19:00",
        "d": "0o17",
        "e": "yes",
    }


def test_core_types_are_read():
    assert parse("[true, false, ~, null, -3, 2.5, 'true']", "a.yaml").value == [True, False, None, None, -3, 2.5, "true"]


def test_an_empty_file_is_nothing():
    assert parse("", "a.yaml").value is None
    assert parse("# only a comment\n", "a.yaml").value is None


def test_every_key_that_is_there_twice_is_named_with_its_place():
    assert problems("a: 1\na: 2\nb: {c: 1, c: 2}\n") == [
        "a.yaml:2:1: 'a' is here twice, keep one",
        "a.yaml:3:11: 'c' is here twice, keep one",
    ]


def test_an_alias_is_refused_where_it_stands():
    assert problems("a: &x 1\nb: *x\n") == ["a.yaml:2:4: alias '*x' is not allowed here, write the value out"]


def test_a_billion_laughs_never_expands():
    bomb = "a: &a [x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9))
    assert len(problems(bomb)) == 81


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("a: !!python/object:os.system x", "tag 'tag:yaml.org,2002:python/object:os.system' is not allowed here"),
        ("? [a]\n: 1", "a key must be plain text"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("\t- x", "not YAML"),
        ("a: \x00", "not YAML"),
        ("[" * 3000, "nested deeper than 64 levels"),
        ("- " * 300_000 + "x", "nested deeper than 64 levels"),
    ],
)
def test_what_is_not_ours_is_refused_with_a_sentence(text, said):
    assert said in problems(text)[0]


def test_a_problem_stands_where_its_value_or_key_is():
    document = parse("rules:\n  - id: a\n    effect: blok\n", "a.yaml")
    assert str(document.problem(("rules", 0, "effect"), "x")) == "a.yaml:3:13: x"
    assert str(document.problem(("rules", 0, "effect"), "x", key=True)) == "a.yaml:3:5: x"


def test_a_problem_of_what_is_missing_stands_at_what_it_is_missing_from():
    document = parse("rules:\n  - id: a\n", "a.yaml")
    assert str(document.problem(("rules", 0, "effect"), "x")) == "a.yaml:2:5: x"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with suppress(ConfigError):
        assert parse(text, "a.yaml").source == "a.yaml"
