import pytest

from outgate.document import parse
from outgate.errors import ConfigError
from outgate.policy.shapes import (
    Anything,
    Count,
    Either,
    Many,
    Named,
    Scalar,
    Table,
    Text,
    Truth,
    Words,
    meant,
    problems,
    schema,
    shaped,
)

COLOUR = Words("colour", ("red", "green"), later={"blue": "paint comes next"})
SHAPE = Table(
    what="a box",
    keys={
        "colour": COLOUR,
        "label": Text("a label", r"[a-z]+", "small letters"),
        "open": Truth("'open'"),
        "size": Count("'size'", least=2),
        "tags": Many(Text("a tag")),
        "parts": Many(COLOUR, bare=False),
        "by": Named("sides", Count("a side")),
        "inner": Either(COLOUR, Table(what="an inner", keys={"depth": Count("'depth'")})),
        "any": Anything("anything"),
        "value": Scalar("a value"),
    },
    required=frozenset({"colour"}),
    families=((r"x-[a-z]+", "x-<name>", Count("an extra")),),
    later={"lid": "lids come next"},
)


def wrong(text):
    return [str(problem) for problem in problems(SHAPE, parse(text, "f"))]


@pytest.mark.parametrize(
    "text",
    [
        "colour: red",
        "{colour: red, label: abc, open: false, size: 2, tags: a, parts: [red], by: {left: 3}, inner: green, any: [{}], value: true}",
        "{colour: red, tags: [a, b], inner: {depth: 3}, x-more: 5, value: 7}",
    ],
)
def test_what_has_the_form_has_no_problem(text):
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{colour: rde}", "f:1:10: unknown colour 'rde', did you mean 'red'?"),
        ("{colour: blue}", "f:1:10: colour 'blue' is not in this version: paint comes next"),
        ("{colour: 5}", "f:1:10: unknown colour 5, use one of green, red"),
        ("{size: 2}", "f:1:1: a box lacks 'colour'"),
        ("{colour: red, label: A}", "f:1:22: a label is small letters, not 'A'"),
        ("{colour: red, label: 5}", "f:1:22: a label is small letters, not 5, put it in quotes"),
        ("{colour: red, open: off}", "f:1:21: 'open' is true or false, not 'off'"),
        ("{colour: red, size: 1}", "f:1:21: 'size' is a whole number from 2, not 1"),
        ("{colour: red, size: true}", "f:1:21: 'size' is a whole number from 2, not true"),
        ("{colour: red, tags: []}", "f:1:21: an empty list matches nothing, name at least one"),
        ("{colour: red, tags: [a, a]}", "f:1:25: 'a' is here twice, keep one"),
        ("{colour: red, parts: red}", "f:1:22: this is a list, not 'red'"),
        ("{colour: red, by: 3}", "f:1:19: 'by' is a table of sides, not 3"),
        (
            "{colour: red, by: {Left: 3}}",
            "f:1:20: 'Left' can't name sides, use small letters, digits, '-' and '_', starting with a letter",
        ),
        ("{colour: red, inner: {deep: 3}}", "f:1:23: an inner has no key 'deep', did you mean 'depth'?"),
        ("{colour: red, lid: 5}", "f:1:15: 'lid' is not in this version: lids come next"),
        ("{colour: red, x-more: no}", "f:1:23: an extra is a whole number from 1, not 'no'"),
        ("{colour: red, value: {}}", "f:1:22: a value is text, a whole number or true or false, not a table"),
        ("[red]", "f:1:1: a box is a table with colour, not a list"),
        ("", "f: a box is a table with colour, not nothing"),
    ],
)
def test_what_has_not_says_where_what_and_what_was_meant(text, said):
    assert said in wrong(text)


def test_a_text_of_the_shape_is_read_and_another_is_refused_with_all_that_is_wrong():
    assert shaped(SHAPE, "colour: red", "f").value == {"colour": "red"}
    with pytest.raises(ConfigError) as raised:
        shaped(SHAPE, "{size: none, colour: pink}", "f")
    assert [problem.column for problem in raised.value.problems] == [8, 22]


def test_a_long_value_is_cut_in_a_message():
    assert len(wrong(f"{{colour: {'x' * 500}}}")[0]) < 120


def test_a_remedy_is_the_nearest_or_all_if_they_are_few():
    assert meant("rad", ["red", "green"]) == ", did you mean 'red'?"
    assert meant("RED", ["red", "green"]) == ", did you mean 'red'?"
    assert meant("team", ["agent.team", "agent.id"]) == ", did you mean 'agent.team'?"
    assert meant("zzz", ["red"]) == ", use red"
    assert meant("zzz", [f"name{n}" for n in range(50)]) == ""
    assert meant("zzz", []) == ""


def test_the_schema_says_the_same():
    made = schema(SHAPE)
    assert made["required"] == ["colour"]
    assert made["additionalProperties"] is False
    assert made["properties"]["colour"]["enum"] == ["red", "green"]
    assert made["properties"]["size"]["minimum"] == 2
    assert "^x-[a-z]+$" in made["patternProperties"]
    assert len(made["properties"]["inner"]["anyOf"]) == 2
    assert made["properties"]["parts"]["items"]["enum"] == ["red", "green"]


def test_a_number_may_have_a_most():
    percent = Count("a share", most=100)
    assert schema(percent)["maximum"] == 100
    assert [percent.has(value) for value in (0, 1, 100, 101, True, "5")] == [False, True, True, False, False, False]
    assert problems(percent, parse("101", "a"))[0].message == "a share is a whole number from 1 to 100, not 101"
