import pytest

from outgate.actions.paths import is_ambiguous, plain, plainest, readable, readings, spellings


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
        ("/%2561/%25252E", "/a/."),
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


@pytest.mark.parametrize("path", ["//", "/a//b", "/a;x", "/%61", "/%2561", "/a/%7Eb/", "/a;/"])
def test_a_path_that_servers_take_for_different_ones_is_ambiguous(path):
    assert is_ambiguous(path)


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/a%2Fb", "/@s%2fn", "/a%20b", "/caf%C3%A9", "/100%25", "/a%253A%252Fb", "*", "/%40a"]
)
def test_a_path_of_which_there_is_one_reading_is_not(path):
    assert not is_ambiguous(path)


def test_the_spellings_of_a_text_come_in_one_order():
    assert spellings("/%61%20;b") == ("/%61%20;b", "/a ;b", "/a%20", "/a ")
    assert spellings("/a") == ("/a", "/a", "/a", "/a")
