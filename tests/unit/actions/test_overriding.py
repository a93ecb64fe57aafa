"""A header that asks for another method makes another request, and which of the two counts is up to the host."""

import pytest
from asked import asked, with_body
from mined import mined

from outgate.actions.action import Access, Confidence, Tier
from outgate.actions.identify import identify, wants_body
from outgate.actions.overriding import hides, may_be_renamed, may_name_methods, overridden, renamed
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.intake.reading import read
from outgate.intake.request import NoBody, RawRequest, Tunnel, Unreadable, UnreadBody, WholeBody

URL = "POST https://drive.googleapis.com/files"
GET = {"x-http-method-override": "GET"}
ZOO = mined(
    "zoo",
    ("files.list", "GET", "/files", "r", "", ["limit int query.limit"]),
    ("files.create", "POST", "/files", "", "", []),
    ("files.delete", "DELETE", "/files/{id}", "", "", []),
)


def catalog(speaks="google"):
    text = f"outgate: service/v1alpha\nservice: zoo\nspeaks: {speaks}\nhosts: [drive.googleapis.com]\n"
    return compile_catalog([parse(text, "zoo.yaml")], {"zoo": ZOO}, {"id"})


def test_a_request_without_such_a_header_is_itself():
    assert overridden(asked(URL)) is None
    assert overridden(asked(URL, headers={"x-http-method-override": "POST"})) is None
    assert overridden(asked("GET https://drive.googleapis.com/files", headers=GET)) is None


def test_a_form_is_the_query_of_what_becomes_a_get():
    meant = overridden(asked(URL + "?a=1", headers=GET, form="limit=5&q=%20"))
    assert (meant.method, meant.query, meant.body) == ("GET", "a=1&limit=5&q=%20", NoBody())


@pytest.mark.parametrize("content", [b"limit=5\r\nX: y", b"limit=\xff", b"a b", b"\x7f"])
def test_a_form_that_could_be_no_query_stays_a_body(content):
    request = with_body(asked(URL, headers={**GET, "content-type": "application/x-www-form-urlencoded"}), WholeBody(content))
    assert overridden(request).body == WholeBody(content)


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_any_such_header_counts_and_one_that_says_nothing_new_hides_no_other(header):
    headers = {"x-http-method": "POST", header: "DELETE"}
    assert overridden(asked(URL, headers=headers)).method == "DELETE"


def test_where_it_is_honoured_the_method_it_names_counts_at_the_tier_of_the_worse():
    (action,) = identify(asked(URL, headers=GET, form="limit=5"), catalog())
    assert (action.name, action.access, action.tier) == ("zoo.files.list", Access.READ, Tier.T1)
    assert action.params == {"limit": 5}
    (deleted,) = identify(asked(URL + "/7", headers={"x-http-method-override": "DELETE"}), catalog())
    assert (deleted.name, deleted.tier) == ("zoo.files.delete", Tier.T2)


def test_where_nobody_said_that_it_is_honoured_both_methods_count():
    actions = identify(asked(URL, headers={"x-http-method-override": "GET"}), catalog("rest"))
    assert [action.name for action in actions] == ["zoo.files.list", "zoo.files.create"]


def test_a_body_that_was_not_read_hides_nothing():
    request = with_body(asked(URL, headers=GET), UnreadBody(too_large=True))
    assert wants_body(request, catalog())
    (action,) = identify(request, catalog())
    assert action.access is Access.READ
    assert action.confidence is Confidence.CATALOG


def head(method, host, *lines):
    tunnel = Tunnel(host=host.encode(), port=443, sni=host.encode())
    headers = ((b"Host", host.encode()), *lines)
    return RawRequest(method=method, scheme=b"", authority=b"", target=b"/a", version=b"HTTP/1.1", headers=headers, tunnel=tunnel)


@pytest.mark.parametrize(
    ("method", "host", "lines"),
    [
        (b"POST", "api.test", [(b"X-HTTP-Method-Override", b"GET")]),
        (b"POST", "googleapis.com.evil.test", [(b"X-HTTP-Method-Override", b"GET")]),
        (b"POST", "evilgraph.microsoft.com", [(b"X-HTTP-Method", b"DELETE")]),
        (b"GET", "drive.googleapis.com", [(b"X-HTTP-Method-Override", b"DELETE")]),
        (b"POST", "drive.googleapis.com", [(b"X-HTTP-Method-Override", b"get")]),
        (b"POST", "drive.googleapis.com", [(b"X-HTTP-Method-Override", b"CONNECT")]),
        (b"POST", "drive.googleapis.com", [(b"X-HTTP-Method-Override", b"GET"), (b"X-HTTP-Method", b"DELETE")]),
    ],
)
def test_anything_but_a_post_to_hosts_whose_clients_send_it_is_refused(method, host, lines):
    assert isinstance(read(head(method, host, *lines)), Unreadable)


@pytest.mark.parametrize("asks", [b"GET", b"PUT", b"PATCH", b"DELETE"])
def test_a_post_to_such_a_host_is_read(asks):
    assert overridden(read(head(b"POST", "drive.googleapis.com", (b"X-HTTP-Method-Override", asks)))).method == asks.decode()


def methods(line, **asking):
    return [request.method for request in renamed(asked(line, **asking))]


@pytest.mark.parametrize("query", ["_method=DELETE", "a=b&_METHOD=delete", "%5fmethod=DELETE", "%255=1&_metho%64=DELETE"])
def test_a_post_is_also_what_a_field_of_its_query_or_of_its_form_makes_of_it(query):
    assert methods(f"POST https://api.example/x?{query}") == ["DELETE"]
    assert methods("POST https://api.example/x", form=query) == ["DELETE"]


def test_of_several_fields_each_counts_once_and_what_is_no_other_method_does_not():
    assert methods("POST https://api.example/x?_method=PUT&_method=put&_method=DELETE&_method=POST&_method=x") == [
        "PUT",
        "DELETE",
    ]


def test_only_a_post_has_such_a_field_and_only_googles_apis_have_another_of_any_method():
    assert methods("GET https://api.example/x?_method=DELETE") == []
    assert methods("GET https://api.example/x?$httpMethod=DELETE") == []
    assert methods("GET https://drive.googleapis.com/x?%24httpMethod=DELETE") == ["DELETE"]
    assert methods("POST https://drive.googleapis.com/x?_method=DELETE") == []


def test_a_read_elsewhere_names_no_method():
    assert may_name_methods(asked("POST https://api.example/x"))
    assert may_name_methods(asked("GET https://drive.googleapis.com/x"))
    assert not may_name_methods(asked("GET https://api.example/x?_method=DELETE"))


def test_headers_and_a_body_in_the_query_hide_something_at_googles_apis_alone():
    assert hides(asked("GET https://drive.googleapis.com/x?$httpHeaders=a%3Ab"))
    assert hides(asked("GET https://drive.googleapis.com/x?%24req=a"))
    assert not hides(asked("GET https://drive.googleapis.com/x?$.xgafv=1&fields=id"))
    assert not hides(asked("GET https://api.example/x?$req=a"))


def test_a_form_must_be_seen_to_know_whether_it_names_a_method():
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert may_be_renamed(asked("POST https://api.example/x", headers=form))
    assert not may_be_renamed(asked("POST https://drive.googleapis.com/x", headers=form))
    assert not may_be_renamed(asked("POST https://api.example/x", headers={"content-type": "application/json"}))
    assert not may_be_renamed(asked("PUT https://api.example/x", headers=form))
