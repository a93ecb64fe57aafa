from outgate.actions.protocols.graphql_arguments import free, resource_of, said
from outgate.actions.protocols.graphql_document import Doubtful, Variable


def test_variables_are_put_in_and_what_is_said_twice_is_nothing():
    assert said({"a": Variable("i")}, {"i": "7"}, {"i": None}) == {"a": "7"}
    assert said({"a": "1", "b": Doubtful()}, {}, {}) is None


def test_plain_values_are_found_by_their_last_word():
    given = {
        "input": {"refId": "R", "force": True, "tags": ["a", "b"], "nested": {"n": 3}, "mixed": ["a", 1], "f": 1.5},
        "first": 50,
    }
    assert free(given) == {"limit": 50, "refId": "R", "force": True, "tags": ("a", "b"), "n": 3}


def test_a_word_that_stands_twice_is_no_parameter():
    assert free({"id": "1", "input": {"id": "2"}}) == {}
    assert free({"id": "1", "input": {"id": "1"}}) == {"id": "1"}


def test_a_word_of_the_vocabulary_keeps_its_kind():
    assert free({"amount": "10.50", "limit": "all", "ids": "x", "path": "/a"}) == {"path": "/a"}


def test_what_a_field_is_done_to_is_what_its_arguments_identify():
    assert resource_of({"owner": "acme", "name": "site", "id": "7"}) == "acme/site"
    assert resource_of({"title": "x", "issueId": "I1", "id": "7"}) == "I1"
    assert resource_of({"id": "a\nb"}) == ""
    assert resource_of({"id": 7}) == ""
