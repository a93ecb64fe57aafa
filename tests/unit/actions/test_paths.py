import pytest

from outgate.actions.paths import plain, plainest, readable, readings


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/a/b", "/a/b"),
        ("/", "/"),
        ("/a/", "/a"),
        ("//", "/"),
        ("//a///b/", "/a/b"),
        ("/%61/%2e%7E", "/a/.~"),
        ("/a;x=1/b;y", "/a/b"),
        ("/@scope%2fname", "/@scope%2fname"),
        ("/a%20b", "/a%20b"),
        ("/a%25b", "/a%25b"),
    ],
)
def test_a_path_as_the_most_lenient_server_sees_it(path, plain):
    assert plainest(path) == plain


@pytest.mark.parametrize(
    ("raw", "text"),
    [("abc", "abc"), ("a%20b", "a b"), ("%C3%A9", "é"), ("%ff", "%ff"), ("a%0a", "a%0a"), ("%e2%80%ae", "%e2%80%ae")],
)
def test_a_part_as_people_read_it(raw, text):
    assert readable(raw) == text


@pytest.mark.parametrize(
    ("resource", "seen"),
    [
        ("api.test/a/b/", {"api.test/a/b/"}),
        ("api.test/%61", {"api.test/%61", "api.test/a"}),
        ("api.test//a;x/b", {"api.test//a;x/b", "api.test/a/b"}),
        ("api.test/%61%ff", {"api.test/%61%ff", "api.test/a%ff"}),
        ("a%2fb", {"a%2fb", "a/b"}),
    ],
)
def test_every_way_in_which_a_resource_may_be_read(resource, seen):
    assert readings(resource) == seen


@pytest.mark.parametrize("resource", ["api.test/a/b", "api.test/%61//b", "api.test/a;x/%62", "api.test/a%2fb"])
def test_every_spelling_of_a_resource_counts_as_one(resource):
    assert plain(resource) == "api.test/a/b"
