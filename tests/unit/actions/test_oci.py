import pytest
from asked import asked

from outgate.actions.protocols import oci

DIGEST = "sha256:" + "a" * 64
IMAGE = "https://registry.acme.test/v2/team/web"


def identify(line, *, declared=True, **asking):
    return oci.identify(asked(line, **asking), declared=declared)


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize(
    ("line", "name", "access", "tier"),
    [
        ("GET https://r.test/v2/", "ping", "read", "T0"),
        ("GET https://r.test/v2/_catalog?n=5", "catalog.list", "list", "T0"),
        (f"GET {IMAGE}/tags/list", "tags.list", "list", "T0"),
        (f"HEAD {IMAGE}/manifests/latest", "manifests.get", "read", "T0"),
        (f"GET {IMAGE}/manifests/{DIGEST}", "manifests.get", "read", "T0"),
        (f"PUT {IMAGE}/manifests/latest", "manifests.put", "publish", "T2"),
        (f"DELETE {IMAGE}/manifests/{DIGEST}", "manifests.delete", "delete", "T2"),
        (f"GET {IMAGE}/blobs/{DIGEST}", "blobs.get", "read", "T0"),
        (f"GET {IMAGE}/blobs/{DIGEST.replace(':', '%3A')}", "blobs.get", "read", "T0"),
        (f"DELETE {IMAGE}/blobs/{DIGEST}", "blobs.delete", "delete", "T2"),
        (f"GET {IMAGE}/referrers/{DIGEST}", "referrers.list", "list", "T0"),
        (f"POST {IMAGE}/blobs/uploads/", "blobs.upload", "write", "T1"),
        (f"PATCH {IMAGE}/blobs/uploads/4f3a", "blobs.upload", "write", "T1"),
        (f"PUT {IMAGE}/blobs/uploads/4f3a?digest={DIGEST}", "blobs.upload", "write", "T1"),
    ],
)
def test_what_a_registry_is_asked(line, name, access, tier):
    (action,) = identify(line)
    assert said(action) == (f"oci.{name}", access, tier, True)


def test_an_image_is_named_by_its_repository_and_its_reference():
    (action,) = identify(f"PUT {IMAGE}/manifests/v1.2")
    assert (action.resource, action.instance) == ("registry.acme.test/team/web", "organisation:team")
    assert action.params == {"repository": "team/web", "reference": "v1.2"}


def test_a_name_is_as_long_as_it_can_be():
    (action,) = identify("DELETE https://r.test/v2/a/manifests/b/blobs/c/manifests/latest")
    assert (action.operation, action.params["repository"]) == ("manifests.delete", "a/manifests/b/blobs/c")


def test_what_is_taken_from_another_repository_is_an_action_of_its_own():
    first, second = identify(f"POST {IMAGE}/blobs/uploads/?mount={DIGEST}&from=other%2Fsecret")
    assert (first.name, second.name, second.resource) == (
        "oci.blobs.upload",
        "oci.blobs.mount",
        "registry.acme.test/other/secret",
    )


@pytest.mark.parametrize(
    "line",
    [
        *(f"POST {IMAGE}/manifests/latest", f"PATCH {IMAGE}/manifests/latest", f"PUT {IMAGE}/blobs/{DIGEST}"),
        *(f"GET {IMAGE}/blobs/latest", f"GET {IMAGE}/manifests/a%2Fb", f"GET {IMAGE}/referrers/latest", f"PUT {IMAGE}/tags/list"),
        *("GET https://r.test/v2/Team/manifests/x", "GET https://r.test/v2/a//b/manifests/x", "POST https://r.test/v2/"),
        *("DELETE https://r.test/v2/_catalog", "GET https://r.test/v2/" + "a" * 300 + "/manifests/x", f"OPTIONS {IMAGE}/blobs/uploads/x"),
    ],
)  # fmt: skip
def test_what_no_registry_has_is_unreadable(line):
    (action,) = identify(line)
    assert said(action) == ("oci.unreadable", "unknown", "T2", False)


@pytest.mark.parametrize("query", ["from=a&from=b", "from=..%2Fx", "from=%FF"])
def test_a_mount_from_what_is_no_one_repository_is_unreadable(query):
    actions = identify(f"POST {IMAGE}/blobs/uploads/?mount={DIGEST}&{query}")
    assert [action.operation for action in actions] == ["blobs.upload", "unreadable"]


def test_what_is_elsewhere_is_no_registrys():
    assert identify("GET https://r.test/v1/repositories") == ()
    assert identify("GET https://r.test/token") == ()


def test_at_a_host_that_nobody_declared_it_is_a_guess():
    (push,) = identify(f"PUT {IMAGE}/manifests/latest", declared=False)
    assert said(push) == ("oci.manifests.put", "publish", "T2", False)
    assert oci.may_be(asked(f"GET {IMAGE}/manifests/latest"))
    assert not oci.may_be(asked("GET https://api.test/v2/users/7"))
