import pytest

from outgate.mock.template import ABSENT, Absent, fill, has_each, holes, inside, template

KNOWN = {"path": {"id": "7"}, "body": {"amount": "12", "on": "true", "tags": ["a", "b"], "none": None, "deep": {"x": [1, 2]}}}


def look(name):
    return inside(KNOWN, name)


def filled(value):
    return fill(template(value), look)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("plain", "plain"),
        ("", ""),
        (5, 5),
        (None, None),
        ("{path.id}", "7"),
        ("cus_{path.id}!", "cus_7!"),
        ("{body.tags}", ["a", "b"]),
        ("{body.tags.1}", "b"),
        ("{body.deep.x.0}", 1),
        ("{body.amount:int}", 12),
        ("{body.on:bool}", True),
        ("{body.tags:text}", '["a", "b"]'),
        ("{body.missing}", None),
        ("{body.missing|usd}", "usd"),
        ("{body.missing|0}", 0),
        ("{body.missing|[]}", []),
        ("{body.missing|}", ""),
        ("a {body.missing} b", "a  b"),
        ("{{path.id}}", "{path.id}"),
        ({"a": "{path.id}", "b": ["{path.id}"]}, {"a": "7", "b": ["7"]}),
        ({"a": 1, "b": "{body.missing?}"}, {"a": 1}),
        (["{body.missing?}", "x"], ["x"]),
    ],
)
def test_holes_are_filled_with_what_is_there(written, made):
    assert filled(written) == made


def test_text_that_needs_what_is_not_there_is_not_there_either():
    assert isinstance(filled("<{body.next?}>"), Absent)


def test_what_was_put_in_is_not_read_again():
    assert fill(template("{body.x}"), lambda _: "{path.id}") == "{path.id}"


def test_a_list_has_one_for_each():
    written = {"$each": "body.tags", "$as": {"n": "{each.index}", "v": "{each.value}", "id": "{path.id}"}}
    assert filled(written) == [{"n": 0, "v": "a", "id": "7"}, {"n": 1, "v": "b", "id": "7"}]
    assert has_each(template({"a": [written]}))
    assert not has_each(template({"a": ["{path.id}"]}))


def test_one_value_is_a_list_of_one_and_none_an_empty_one():
    assert filled({"$each": "path.id", "$as": "{each.value}"}) == ["7"]
    assert filled({"$each": "path.no", "$as": "{each.value}"}) == []


def test_a_million_values_do_not_make_a_million_answers():
    made = fill(template({"$each": "body.all", "$as": "x"}), lambda _: list(range(10**6)))
    assert len(made) == 2048
    large = fill(template({"$each": "body.all", "$as": {"v": "{body.v}"}}), lambda name: [0.5] * 1000)
    assert 40 < len(large) < 60


@pytest.mark.parametrize(
    "written", ["{", "}", "{}", "{a b}", "{path.id", "{Path.id}", "{path.id:float}", {"$each": "body"}, {"$each": "a.b", "x": 1}]
)
def test_what_looks_like_a_hole_and_is_none_is_an_error(written):
    with pytest.raises(ValueError, match=r"hole|written"):
        template(written)


def test_every_name_is_told():
    written = {"a": "{path.id}-{body.x}", "b": [{"$each": "body.l", "$as": "{each.value}"}], "c": "no"}
    assert set(holes(template(written))) == {("path", "id"), ("body", "x"), ("body", "l"), ("each", "value")}


@pytest.mark.parametrize(
    "steps", [("body", "amount", "x"), ("body", "tags", "2"), ("body", "tags", "-1"), ("body", "tags", "²"), ("no",)]
)
def test_further_in_than_there_is_anything_is_nothing(steps):
    assert inside(KNOWN, steps) is ABSENT
