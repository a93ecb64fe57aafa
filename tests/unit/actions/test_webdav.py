import pytest
from asked import asked

from outgate.actions.protocols import webdav

FILE = "https://dav.acme.test/files/a.txt"


def identify(line, *, declared=True, **asking):
    return webdav.identify(asked(line, **asking), declared=declared)


def one(line, **asking):
    (action,) = identify(line, **asking)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize(
    ("method", "access", "tier"),
    [
        *(("GET", "read", "T0"), ("PROPFIND", "list", "T0"), ("REPORT", "list", "T0"), ("SEARCH", "list", "T0")),
        *(("PUT", "write", "T1"), ("MKCOL", "write", "T1"), ("PROPPATCH", "write", "T1"), ("LOCK", "write", "T1")),
        *(("VERSION-CONTROL", "write", "T1"), ("DELETE", "delete", "T2"), ("ACL", "admin", "T2")),
    ],
)
def test_the_method_says_what_is_done(method, access, tier):
    action = one(f"{method} {FILE}")
    assert said(action) == (f"webdav.{method}", access, tier, True)
    assert action.resource == "dav.acme.test/files/a.txt"


def test_post_says_nothing():
    assert said(one(f"POST {FILE}")) == ("webdav.POST", "unknown", "T2", False)


def test_a_collection_is_deleted_with_all_below_it():
    assert said(one("DELETE https://dav.acme.test/files/"))[1:3] == ("delete", "T3")


@pytest.mark.parametrize("to", ["https://dav.acme.test/b.txt", "/b.txt", "https://DAV.acme.test/b.txt"])
def test_where_something_is_moved_to_is_a_parameter(to):
    action = one(f"MOVE {FILE}", headers={"destination": to, "overwrite": "F"})
    assert (action.params, action.tier.name) == ({"destination": "b.txt"}, "T1")


def test_what_is_there_already_is_lost_unless_it_is_kept():
    assert one(f"COPY {FILE}", headers={"destination": "/b"}).tier.name == "T2"
    assert one(f"COPY {FILE}", headers={"destination": "/b", "overwrite": "T"}).tier.name == "T2"


@pytest.mark.parametrize(
    "to",
    [
        *("https://evil.test/b", "http://dav.acme.test/b", "https://dav.acme.test:444/b", "https://dav.acme.test@evil.test/b"),
        *("/../b", "/%2e%2e/b", "b", "", "https://[", "/b?x=1"),
    ],
)
def test_a_destination_elsewhere_is_unreadable(to):
    assert said(one(f"MOVE {FILE}", headers={"destination": to})) == ("webdav.unreadable", "unknown", "T2", False)


def test_without_a_destination_nothing_moves():
    assert one(f"MOVE {FILE}").operation == "unreadable"


def test_a_host_that_nobody_declared_is_told_by_methods_that_only_webdav_has():
    assert webdav.may_be(asked(f"MOVE {FILE}"))
    assert not webdav.may_be(asked(f"PUT {FILE}"))
    assert not webdav.may_be(asked(f"POST {FILE}"))
    assert said(one(f"PROPFIND {FILE}", declared=False)) == ("webdav.PROPFIND", "unknown", "T2", False)
    assert said(one(f"ACL {FILE}", declared=False)) == ("webdav.ACL", "admin", "T2", False)
    assert not webdav.wants_body(asked(f"MOVE {FILE}"))


def test_a_method_of_nobodys_is_nothing():
    assert identify(f"FROBNICATE {FILE}") == ()
