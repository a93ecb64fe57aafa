import pytest

from outgate.mock.nested import DEEPEST, nested


@pytest.mark.parametrize(
    ("pairs", "made"),
    [
        ([("a", "1")], {"a": "1"}),
        ([("metadata[order]", "7"), ("metadata[x]", "y")], {"metadata": {"order": "7", "x": "y"}}),
        ([("items[0][price]", "p"), ("items[1][price]", "q")], {"items": [{"price": "p"}, {"price": "q"}]}),
        ([("t[]", "a"), ("t[]", "b")], {"t": ["a", "b"]}),
        ([("t", "a"), ("t", "b"), ("t", "c")], {"t": ["a", "b", "c"]}),
        ([("a", "1"), ("a[b]", "2")], {"a": "1"}),
        ([("a[b", "1"), ("]", "2"), ("", "3")], {"a[b": "1", "]": "2", "": "3"}),
    ],
)
def test_brackets_are_undone(pairs, made):
    assert nested(pairs) == made


def test_what_is_nested_without_end_is_one_name():
    name = "a" + "[b]" * (DEEPEST + 1)
    assert nested([(name, "1")]) == {name: "1"}
