import pytest
from asked import asked

from outgate.actions.identify import identify, wants_body
from outgate.actions.service_file import compile_catalog
from outgate.actions.speakers import SPEAKERS
from outgate.document import parse
from outgate.errors import ConfigError

EMPTY = compile_catalog([])


def catalog(name, speaks):
    text = f"outgate: service/v1alpha\nservice: {name}\nspeaks: {speaks}\nhosts: [host.acme.test]\n"
    return compile_catalog([parse(text, "acme.yaml")])


def one(line, known, **asking):
    (action,) = identify(asked(line, **asking), known)
    return action.name, action.mapped


def test_a_protocol_says_what_is_done_at_hosts_that_are_declared_to_speak_it():
    assert one("DELETE https://host.acme.test/api/v1/pods", catalog("kubernetes", "kubernetes")) == (
        "kubernetes.pods.deletecollection",
        True,
    )
    assert one("PUT https://host.acme.test/v2/a/manifests/b", catalog("oci", "oci")) == ("oci.manifests.put", True)
    assert one("PUT https://host.acme.test/left-pad", catalog("packages", "packages")) == ("packages.npm.publish", True)
    assert one("POST https://host.acme.test/token", catalog("oauth", "oauth"), form="grant_type=password") == (
        "oauth.token.password",
        True,
    )
    sent = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {}}
    assert one("POST https://host.acme.test/a2a", catalog("a2a", "a2a"), json=sent) == ("a2a.message/send", True)
    assert one("ACL https://host.acme.test/a", catalog("webdav", "webdav")) == ("webdav.ACL", True)
    soap = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><GetX/></e:Body></e:Envelope>'
    assert one("POST https://host.acme.test/a", catalog("erp", "soap"), headers={"content-type": "text/xml"}, text=soap) == (
        "erp.GetX",
        True,
    )
    call = one("POST https://host.acme.test/a.B/DeleteC", catalog("orders", "grpc"), headers={"content-type": "application/grpc"})
    assert call == ("orders.a.B/DeleteC", True)


@pytest.mark.parametrize("speaks", sorted(name for name, speaker in SPEAKERS.items() if speaker.shared))
def test_hosts_of_a_shared_protocol_are_one_service(speaks):
    with pytest.raises(ConfigError, match=f"hosts that speak {speaks} are added with `adds-to: {speaks}`"):
        catalog("mine", speaks)


def test_anywhere_else_it_is_a_guess():
    assert one("DELETE https://x.test/api/v1/pods", EMPTY) == ("kubernetes.pods.deletecollection", False)
    assert one("PUT https://x.test/v2/a/manifests/b", EMPTY) == ("oci.manifests.put", False)
    assert one("PUT https://x.test/api/v1/crates/new", EMPTY) == ("packages.crates.publish", False)
    assert one("POST https://x.test/oauth/token", EMPTY, form="grant_type=password") == ("oauth.token.password", False)
    assert one("POST https://x.test/a.B/C", EMPTY, headers={"content-type": "application/grpc"}) == ("grpc.a.B/C", False)
    assert one("POST https://x.test/a.B/C", EMPTY) == ("http.POST", False)


def test_a_body_is_wanted_of_a_guess_only_where_it_says_what_is_done():
    assert wants_body(asked("POST https://x.test/oauth/token", form="grant_type=password"), EMPTY)
    assert not wants_body(asked("PATCH https://x.test/v2/a/blobs/uploads/7"), EMPTY)
    assert not wants_body(asked("PUT https://x.test/api/v1/crates/new"), EMPTY)
