import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.openapi.described import read_text
from outgate.document import parse
from outgate.errors import ConfigError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab,{}[]:" \\', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:,{", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=12,
)


def problems(text):
    with pytest.raises(ConfigError) as error:
        read_text(text, "api.json")
    return [str(one) for one in error.value.problems]


@given(st.dictionaries(st.text("ab:,{", min_size=1, max_size=3), VALUES, min_size=1, max_size=3), st.sampled_from([None, 1, 2]))
def test_a_thing_in_json_stands_where_it_does_as_yaml(value, indent):
    text = json.dumps(value, indent=indent)
    ours, theirs = read_text(text, "x"), parse(text, "x")
    assert ours.value == theirs.value
    for path in theirs.places:
        asked = tuple(path[:-1]) if path[-1:] == ("\0key",) else path
        assert ours.problem(asked, "m", key=path != asked) == theirs.problem(asked, "m", key=path != asked)


def test_every_duplicate_key_is_told_with_its_line():
    assert problems('{"a": 1,\n "b": {"c": 1,\n  "c": 2}, "a": 3}') == [
        "api.json:3:3: 'c' is here twice, keep one",
        "api.json:3:12: 'a' is here twice, keep one",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": ,}', "api.json:1:7: not JSON: expecting value"),
        ('{"a": NaN}', "api.json: not JSON: it has no 'NaN'"),
        ('{"a": "\\ud800"}', "api.json: not JSON: half of a surrogate pair is no text"),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "api.json: nested deeper than 64 levels"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "api.json: nested deeper than 64 levels"),
    ],
)
def test_what_is_no_sound_json_is_refused(text, said):
    assert problems(text) == [said]


def test_yaml_is_read_as_yaml_and_json_where_it_is_said_to_be_some():
    assert read_text("a: off", "x").value == {"a": "off"}
    assert read_text('"a"', "x", is_json=True).value == "a"
