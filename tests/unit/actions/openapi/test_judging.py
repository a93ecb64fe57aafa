import pytest

from outgate.actions.openapi.judging import ambiguous, judged
from outgate.actions.openapi.operations import Described


def one(method, *ways, template="/things", remote=False):
    return Described(
        method=method,
        template=template,
        path=(),
        name="",
        tag="",
        deprecated=False,
        ways=tuple(map(frozenset, ways)),
        servers=(),
        fields=(),
        said={},
        said_at=(),
        remote=remote,
    )


@pytest.mark.parametrize(
    ("method", "name", "ways", "access"),
    [
        ("GET", "things.list", [], "list"),
        ("GET", "things.get", [["read:things"]], "read"),
        ("GET", "things.get", [["write:things"]], "write"),
        ("GET", "things.get", [["write:things", "read:things"]], "read"),
        ("POST", "things.match", [["read:things"]], "read"),
        ("POST", "deleteThings", [["read:things"]], "delete"),
        ("POST", "things.zap", [["read:things"]], "read"),
        ("POST", "things.zap", [["read:things"], ["write:things"]], "write"),
        ("PUT", "things.replace", [["admin"]], "admin"),
        ("DELETE", "things.get", [["read:things"]], "delete"),
        ("POST", "things.purge", [], "delete"),
    ],
)
def test_scopes_say_what_the_method_does_not(method, name, ways, access):
    assert judged(one(method, *ways), name).access == access


def test_what_stands_in_another_document_is_unknown_whatever_it_is_called():
    found = judged(one("GET", remote=True), "things.get")
    assert (found.access, found.tier.name) == ("unknown", "T2")


def test_paths_that_fit_two_templates_alike_are_known():
    routes = [("GET", path) for path in ("/{a}/b", "/a/{b}", "/a/b", "/{a}/{b}", "/x/{y}", "/{a}.json/b")]
    assert ambiguous([*routes, ("PUT", "/{a}/c")]) == {("GET", "/a/{b}"): ("GET", "/{a}/b"), ("GET", "/x/{y}"): ("GET", "/{a}/b")}


def test_one_that_is_more_literal_everywhere_is_not_ambiguous():
    assert ambiguous([("GET", "/users/me"), ("GET", "/users/{id}"), ("GET", "/{a}/{b}/c"), ("GET", "/users/{id}/c")]) == {}
