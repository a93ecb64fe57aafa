import pytest
from asked import asked

from outgate.actions.protocols import packages
from outgate.intake.request import UnreadBody

INDEX = "https://packages.acme.test"
FORM = {"content-type": "multipart/form-data; boundary=b0b"}


def identify(line, *, declared=True, **asking):
    return packages.identify(asked(line, **asking), declared=declared)


def form(*fields):
    parts = "".join(f'--b0b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields)
    return f"{parts}--b0b--\r\n"


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize(
    ("line", "name", "access", "tier", "resource"),
    [
        ("PUT /api/v1/crates/new", "crates.publish", "publish", "T3", "api/v1/crates/new"),
        ("DELETE /api/v1/crates/serde/1.0.0/yank", "crates.yank", "delete", "T3", "serde"),
        ("PUT /api/v1/crates/serde/1.0.0/unyank", "crates.unyank", "publish", "T2", "serde"),
        ("PUT /api/v1/crates/serde/owners", "crates.owners", "admin", "T2", "serde"),
        ("POST /api/v1/gems", "rubygems.publish", "publish", "T3", "api/v1/gems"),
        ("DELETE /api/v1/gems/yank?gem_name=a&version=1", "rubygems.yank", "delete", "T3", "api/v1/gems/yank"),
        ("PUT /api/v2/package/", "nuget.publish", "publish", "T3", "api/v2/package/"),
        ("DELETE /api/v2/package/Acme.Web/1.0.0", "nuget.unlist", "delete", "T3", "Acme.Web"),
        ("PUT /repo/com/acme/web/1.0/web-1.0.jar", "maven.publish", "publish", "T3", "repo/com/acme/web/1.0/web-1.0.jar"),
        (
            "PUT /repo/com/acme/web/1.0/web-1.0.pom.sha1",
            "maven.publish",
            "publish",
            "T3",
            "repo/com/acme/web/1.0/web-1.0.pom.sha1",
        ),
        ("PUT /repo/com/acme/web/maven-metadata.xml", "maven.metadata", "publish", "T2", "repo/com/acme/web/maven-metadata.xml"),
        ("PUT /artifactory/api/npm/npm-local/@acme%2fsite", "npm.publish", "publish", "T3", "@acme/site"),
        ("PUT /left-pad", "npm.publish", "publish", "T3", "left-pad"),
        ("DELETE /left-pad/-rev/3-abc", "npm.unpublish", "delete", "T3", "left-pad"),
        ("DELETE /@acme/site/-/site-1.0.0.tgz/-rev/3-abc", "npm.unpublish", "delete", "T3", "@acme/site"),
        ("PUT /-/package/left-pad/dist-tags/latest", "npm.dist-tag", "publish", "T2", "left-pad"),
        ("POST /-/npm/v1/tokens", "npm.tokens", "auth", "T2", "-/npm/v1/tokens"),
        ("POST /-/npm/v1/security/advisories/bulk", "npm.audit", "read", "T0", "-/npm/v1/security/advisories/bulk"),
        ("GET /simple/requests/", "fetch", "read", "T0", "simple/requests/"),
        ("GET /example.com/mod/@v/v1.0.0.zip", "fetch", "read", "T0", "example.com/mod/@v/v1.0.0.zip"),
    ],
)
def test_what_a_client_asks_of_a_declared_index(line, name, access, tier, resource):
    method, _, target = line.partition(" ")
    (action,) = identify(f"{method} {INDEX}{target}")
    assert said(action) == (f"packages.{name}", access, tier, True)
    assert (action.resource, action.instance) == (resource, "index:packages.acme.test")


@pytest.mark.parametrize(
    ("word", "name", "access", "tier"),
    [
        ("file_upload", "pypi.upload", "publish", "T3"),
        ("remove_pkg", "pypi.remove", "delete", "T3"),
        ("verify", "pypi.verify", "read", "T0"),
        ("frobnicate", "unreadable", "unknown", "T2"),
    ],
)
def test_a_form_for_a_python_index_says_what_it_is(word, name, access, tier):
    text = form((":action", word), ("name", "acme-site"), ("version", "1.0"))
    (action,) = identify(f"POST {INDEX}/legacy/", headers=FORM, text=text)
    assert said(action)[:3] == (f"packages.{name}", access, tier)
    assert action.params == ({"package": "acme-site", "version": "1.0"} if name != "unreadable" else {})


def test_one_that_says_it_twice_is_unreadable():
    text = form((":action", "verify"), (":action", "file_upload"))
    (action,) = identify(f"POST {INDEX}/legacy/", headers=FORM, text=text)
    assert said(action) == ("packages.unreadable", "unknown", "T2", False)


def test_a_form_that_does_not_say_it_is_for_something_else():
    assert identify(f"POST {INDEX}/legacy/", headers=FORM, text=form(("name", "x"))) == ()


def test_one_that_nobody_read_is_unreadable():
    (action,) = identify(f"POST {INDEX}/legacy/", headers=FORM, body=UnreadBody(10**9, too_large=True))
    assert action.name == "packages.unreadable"


def test_a_host_that_nobody_declared_is_an_index_only_by_what_nothing_else_has():
    assert identify(f"PUT {INDEX}/left-pad", declared=False) == ()
    assert identify(f"GET {INDEX}/simple/", declared=False) == ()
    assert identify(f"POST {INDEX}/upload/", declared=False, headers=FORM, text=form(("file", "x"))) == ()
    (upload,) = identify(f"POST {INDEX}/pypi/", declared=False, headers=FORM, text=form((":action", "file_upload")))
    assert said(upload) == ("packages.pypi.upload", "publish", "T3", False)
    (verify,) = identify(f"POST {INDEX}/pypi/", declared=False, headers=FORM, text=form((":action", "verify")))
    assert said(verify)[1:] == ("unknown", "T2", False)
    (crate,) = identify(f"PUT {INDEX}/api/v1/crates/new", declared=False)
    assert said(crate) == ("packages.crates.publish", "publish", "T3", False)


def test_a_client_is_told_from_the_head():
    assert packages.may_be(asked(f"PUT {INDEX}/api/v1/crates/new"))
    assert packages.may_be(asked(f"POST {INDEX}/team/dev/", headers=FORM))
    assert not packages.may_be(asked(f"POST {INDEX}/photos", headers=FORM))
    assert not packages.may_be(asked(f"GET {INDEX}/api/v1/crates/new"))
    assert packages.wants_body(asked(f"POST {INDEX}/legacy/", headers=FORM))
    assert not packages.wants_body(asked(f"PUT {INDEX}/left-pad"))


def test_what_is_no_clients_is_nothing():
    assert identify(f"POST {INDEX}/left-pad") == ()
    assert identify(f"DELETE {INDEX}/left-pad") == ()


def test_a_path_written_otherwise_is_the_same():
    (action,) = identify(f"PUT {INDEX}//api/v1/%63rates/new")
    assert action.name == "packages.crates.publish"
