import base64
from array import array
from uuid import UUID

import pytest
from sandboxed import to_mock

from outgate.mock.names import Names, fault
from outgate.mock.template import ABSENT

ASKED = to_mock("POST /v1/things/7?limit=3&limit=4", json={"a": {"b": [1, "x"]}}, headers={"accept": "text/html"})


def names(serial=1, asked=ASKED, **more):
    return Names(asked=asked, captures={"id": "7"}, serial=serial, **more)


def seen(name, **given):
    return names(**given).look(tuple(name.split(".")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path.id", "7"),
        ("query.limit", ["3", "4"]),
        ("body.a.b.1", "x"),
        ("header.accept", "text/html"),
        ("asked.method", "POST"),
        ("asked.target", "/v1/things/7?limit=3&limit=4"),
        ("asked.origin", "https://api.shop.test"),
        ("asked.host", "api.shop.test"),
        ("asked.agent", "coder"),
        ("now.unix", 1769846400),
        ("now.iso", "2026-01-31T08:00:00Z"),
        ("now.http", "Sat, 31 Jan 2026 08:00:00 GMT"),
        ("new.number", 2),
        ("word.tokens", 4),
        ("word.tokens.12", 16),
    ],
)
def test_names_stand_for_what_was_asked(name, value):
    assert seen(name) == value


@pytest.mark.parametrize("name", ["path.no", "query.no", "body.no", "header.authorization", "item.id", "page.items"])
def test_what_is_not_there_is_absent(name):
    assert seen(name) is ABSENT


def test_what_is_new_is_the_same_all_over_one_answer_and_another_in_the_next():
    assert seen("new.text.14") == seen("new.text.14")
    assert seen("new.text.14") != seen("new.text.14", serial=2)
    assert seen("new.text.24").startswith(seen("new.text.14"))


def test_what_is_new_depends_on_the_agent_and_on_nothing_that_is_drawn():
    other = to_mock("POST /v1/things/7", agent="mailer")
    assert seen("new.hex") != seen("new.hex", asked=other)
    assert seen("new.hex") == seen("new.hex", asked=to_mock("GET /other"))


@pytest.mark.parametrize(
    ("name", "form"), [("new.text.5", "[0-9A-Za-z]{5}"), ("new.hex.40", "[0-9a-f]{40}"), ("new.digits.9", "[1-9][0-9]{8}")]
)
def test_what_is_new_has_the_form_and_length_that_was_asked_for(name, form):
    import re

    assert re.fullmatch(form, seen(name))


def test_a_new_uuid_is_one():
    assert UUID(seen("new.uuid")).version == 8


def test_a_vector_can_be_packed():
    packed = array("f", base64.b64decode(seen("packed.8")))
    assert packed.tolist() == pytest.approx(seen("vector.8"), abs=1e-6)


def test_a_vector_has_its_length_and_about_length_one():
    vector = seen("vector.1536")
    assert len(vector) == 1536
    assert 0.5 < sum(x * x for x in vector) < 2


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("nothing.x", "nothing is called 'nothing.x' here"),
        ("item.id", "nothing is called 'item.id' here"),
        ("path.no", "is no variable of the route, there are id"),
        ("asked.password", "is none of asked."),
        ("asked", "is none of asked."),
        ("now.then", "is none of now."),
        ("new.thing", "is none of new."),
        ("new.text.0", "is no length"),
        ("new.text.65", "is no length"),
        ("new.text.x", "is no length"),
        ("vector", "say how many numbers"),
        ("vector.5000", "is no length"),
        ("packed", "say how many numbers"),
        ("header", "say which header"),
        ("word.count", "is none of word."),
    ],
)
def test_a_misspelt_name_is_told_with_what_there_is(name, wrong):
    assert wrong in fault(tuple(name.split(".")), frozenset({"id"}), frozenset())


@pytest.mark.parametrize(
    "name", ["path.id", "body", "body.a.b", "query.x", "new.text", "new.text.14", "now.iso", "vector.8", "word.tokens.5"]
)
def test_a_name_that_is_one_has_no_fault(name):
    assert fault(tuple(name.split(".")), frozenset({"id"}), frozenset()) == ""


def test_some_names_are_known_only_where_they_stand_for_something():
    assert fault(("page", "items"), frozenset(), frozenset({"page"})) == ""
    assert fault(("page", "items"), frozenset(), frozenset({"item"})) != ""
