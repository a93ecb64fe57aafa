import pytest

from outgate.actions.openapi.references import Reading, Spot, is_remote, references, resolve
from outgate.document import parse


def reading(text):
    return Reading(parse(text, "api.yaml"))


def said(problems):
    return [str(one) for one in problems]


@pytest.mark.parametrize(
    ("ref", "remote"), [("#/a/b", False), ("#", False), ("#anchor", True), ("other.yaml#/a", True), ("http://x", True)]
)
def test_a_reference_out_of_the_document_is_known_as_one(ref, remote):
    assert is_remote(ref) is remote


def test_a_reference_is_undone_as_rfc_6901_says():
    assert resolve({"a/b": {"m~n": [1, {"c d": 2}]}}, "#/a~1b/m~0n/1/c%20d") == 2
    assert resolve({"a": [1]}, "#/a/7") is None


def test_references_are_not_looked_for_in_data():
    assert list(references({"a": {"$ref": "#/b"}, "example": {"$ref": "#/c"}})) == [(("a",), "#/b")]


def test_references_are_followed_to_references():
    read = reading("a: {$ref: '#/b'}\nb: {$ref: '#/c'}\nc: {d: 1}")
    assert read.inside(Spot(read.document.value, ()), "a").value == {"d": 1}
    assert read.faults == []


def test_one_that_leads_nowhere_is_told_with_its_line_once():
    read = reading("x: 1\na: {$ref: '#/nothing'}")
    for _ in range(2):
        assert read.inside(Spot(read.document.value, ()), "a").value is None
    assert said(read.faults) == ["api.yaml:2:4: '#/nothing' leads nowhere in this document, correct it or add what it names"]


def test_one_that_leads_back_to_itself_has_an_end():
    read = reading("a: {$ref: '#/b'}\nb: {$ref: '#/a'}")
    assert read.inside(Spot(read.document.value, ()), "a").value is None
    assert "leads back to itself" in said(read.faults)[0]


def test_one_that_leads_out_is_never_followed_and_what_depends_on_it_is_unknown():
    read = reading("a: {$ref: 'https://evil.test/x.yaml#/b'}")
    assert read.inside(Spot(read.document.value, ()), "a").value is None
    assert read.faults == []
    assert said(read.notes) == [
        "api.yaml:1:4: 'https://evil.test/x.yaml#/b' leads out of this document, which is never followed: bundle it into one file; what depends on it is unknown"
    ]
