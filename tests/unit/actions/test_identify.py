import gzip

import pytest
from asked import asked

from outgate.actions.action import Access, Money, Tier
from outgate.actions.catalog import Catalog
from outgate.actions.identify import identify, wants_body
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.intake.request import NoBody, Request, UnreadBody, WholeBody

CATALOG = compile_catalog(
    [
        parse(
            """
outgate: service/v1alpha
service: crm
hosts: [crm.example, "crm.example:8443"]
otherwise: {GET: {access: read, tier: T0}}
operations:
  list: {on: "GET /contacts", access: list, tier: T0, params: {limit: int query.limit}}
  get: {on: "GET /contacts/{id}", access: read, tier: T0}
  update:
    on: "PUT /contacts/{id}"
    access: write
    tier: T1
    resource: "{id} of {owner}"
    params: {owner: string json.owner, notify: bool json.notify, tags: list json.tags.*.name, fee: money json.fee.amount in json.fee.currency}
    worse: {if: {notify: true}, tier: T3, access: send, why: people are told}
  search: {on: "POST /search/{path+}", access: read, tier: T0, params: {q: string args.q}}
  live: {on: "WEBSOCKET /live", access: execute, tier: T1}
""",
            "crm.yaml",
        )
    ]
)
PUT = "PUT https://crm.example/contacts/7"


def one(line, catalog=CATALOG, **asking):
    (action,) = identify(asked(line, **asking), catalog)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_read_at_an_unknown_host_is_a_guess(method):
    action = one(f"{method} https://docs.test/a/b?q=1")
    assert said(action) == (f"http.{method}", "read", "T0", False)
    assert action.resource == "docs.test/a/b"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FROBNICATE", "M-SEARCH"])
def test_anything_else_at_an_unknown_host_is_unknown(method):
    assert said(one(f"{method} https://docs.test/a")) == (f"http.{method}", "unknown", "T2", False)


def test_a_websocket_is_no_read():
    headers = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-key": "A" * 22 + "==",
        "sec-websocket-version": "13",
    }
    assert said(one("GET https://docs.test/live", headers=headers)) == ("http.WEBSOCKET", "unknown", "T2", False)
    assert said(one("GET https://crm.example/live", headers=headers)) == ("crm.live", "execute", "T1", True)
    assert said(one("GET https://crm.example/contacts/7", headers=headers)) == ("crm.WEBSOCKET", "unknown", "T2", False)


@pytest.mark.parametrize("body", [WholeBody(b"x"), UnreadBody(3), UnreadBody()])
def test_a_read_that_brings_a_body_is_unknown(body):
    assert said(one("GET https://docs.test/a", body=body)) == ("http.GET", "unknown", "T2", False)


def test_a_body_of_no_bytes_is_none():
    assert one("GET https://docs.test/a", body=WholeBody(b"")).access.value == "read"


@pytest.mark.parametrize(
    "path",
    [
        "delete?id=3",
        "api/deleteUser?id=3",
        "exec?cmd=ls",
        "x/remove_all?",
        "a/REVOKE-token?t=1",
        "x/%64elete?id=3",
        "bot1/sendMessage?chat=1",
    ],
)
def test_a_read_whose_path_names_a_deed_is_unknown(path):
    wanted = "unknown" if not path.endswith("?") else "read"
    assert one(f"GET https://docs.test/{path}").access.value == wanted


@pytest.mark.parametrize(
    "query",
    [
        *("Action=TerminateInstances&x=1", "x=1&op=delete", "cmd=exec", "_method=DELETE", "action=send"),
        *("%41ction=TerminateInstances", "Action=Terminate%49nstances", "Action=DescribeInstances&Action=TerminateInstances"),
        *("Action=AssumeRole", "a=%E9&op=delete"),
    ],
)
def test_a_read_whose_query_names_a_deed_is_unknown(query):
    assert one(f"GET https://docs.test/?{query}").access.value == "unknown"


@pytest.mark.parametrize(
    "query", ["Action=DescribeInstances", "action=raw", "q=delete", "reaction=delete", "op=", "action=delete%20x"]
)
def test_a_query_about_something_is_a_read(query):
    assert one(f"GET https://docs.test/?{query}").access.value == "read"


@pytest.mark.parametrize("path", ["delete", "docs/deleted?x=1", "executive?a=1", "dropbox?a=1", "removal?a"])
def test_a_page_about_a_deed_is_a_read(path):
    assert one(f"GET https://docs.test/{path}").access.value == "read"


def test_a_port_that_nobody_declared_is_another_place():
    assert one("GET https://crm.example/contacts/7").name == "crm.get"
    assert one("GET https://crm.example:8443/contacts/7").name == "crm.get"
    assert one("GET https://crm.example:444/contacts/7").name == "http.GET"
    assert one("GET https://crm.example.evil.test/contacts/7").name == "http.GET"
    assert one("GET http://crm.example/contacts/7").name == "crm.get"


def test_what_a_path_says_are_parameters():
    action = one("GET https://crm.example/contacts/a%20b")
    assert (action.params, action.resource) == ({"id": "a b"}, "contacts/a b")


def test_escapes_that_do_not_print_stay_escaped():
    assert one("GET https://crm.example/contacts/a%0ab").params == {"id": "a%0ab"}
    assert one("GET https://crm.example/contacts/%e2%80%ae").params == {"id": "%e2%80%ae"}
    assert one("GET https://crm.example/contacts/%ff").params == {"id": "%ff"}


def test_an_unlisted_path_is_what_the_file_says_of_its_method_else_unknown():
    assert said(one("GET https://crm.example/x")) == ("crm.GET", "read", "T0", True)
    assert said(one("DELETE https://crm.example/contacts/7")) == ("crm.DELETE", "unknown", "T2", False)


def test_a_head_is_what_a_get_is():
    assert one("HEAD https://crm.example/contacts/7").name == "crm.get"


def test_the_body_gives_typed_parameters():
    body = {"owner": "ann", "notify": False, "tags": [{"name": "a"}, {"name": "b"}], "fee": {"amount": 1999, "currency": "gbp"}}
    action = one(PUT, json=body)
    assert action.params == {
        "id": "7",
        "owner": "ann",
        "notify": False,
        "tags": ("a", "b"),
        "fee": Money(minor=1999, currency="GBP"),
    }
    assert (action.resource, action.tier.name, action.access.value) == ("7 of ann", "T1", "write")


def test_what_the_parameters_make_worse_is_worse():
    action = one(PUT, json={"owner": "ann", "notify": True})
    assert (action.tier.name, action.access.value, action.why) == ("T3", "send", "people are told")


def test_a_resource_of_which_a_part_is_missing_is_empty():
    assert one(PUT, json={}).resource == ""


def test_null_is_not_said():
    assert one(PUT, json={"owner": None}).params == {"id": "7"}


@pytest.mark.parametrize("body", [NoBody(), WholeBody(b"")])
def test_no_body_says_nothing(body):
    action = one(PUT, body=body)
    assert (action.params, action.tier.name) == ({"id": "7"}, "T1")


def test_of_a_body_that_nobody_read_the_worst_is_assumed():
    action = one(PUT, body=UnreadBody(10**7, too_large=True), headers={"content-type": "application/json"})
    assert (action.params, action.tier.name, action.access.value) == ({"id": "7"}, "T3", "send")


@pytest.mark.parametrize(
    "asking",
    [
        {"json": {"owner": 7.5}},
        {"json": {"owner": ["ann"]}},
        {"json": {"owner": "x" * 3000}},
        {"json": {"notify": "maybe"}},
        {"json": {"Owner": "ann"}},
        {"line": f"{PUT}?owner=bob", "json": {"owner": "ann"}},
        {"line": f"{PUT}?notify=true", "json": {"notify": False}},
        {"json": {"owner": "ann", "OWNER": "bob"}},
        {"json": {"tags": [{"name": 7}]}},
        {"json": {"fee": {"amount": -1, "currency": "GBP"}}},
        {"json": {"fee": {"amount": 1.5, "currency": "GBP"}}},
        {"json": {"fee": {"amount": 1, "currency": "pounds"}}},
        {"form": "owner=ann"},
        {"text": "owner: ann"},
        {"text": '{"owner": "ann", "owner": "bob"}', "headers": {"content-type": "application/json"}},
        {"text": "{", "headers": {"content-type": "application/json"}},
        {"text": '{"owner": "ann"}', "headers": {"content-type": "application/json; charset=utf-7"}},
        {"text": "{}", "headers": {"content-type": "application/json", "content-encoding": "hex"}},
        {"text": "[]", "headers": {"content-type": "application/json", "content-encoding": "br"}},
    ],
)
def test_what_can_be_read_in_two_ways_is_unreadable_too_and_the_worst_is_assumed(asking):
    action, unreadable = identify(asked(**{"line": PUT, **asking}), CATALOG)
    assert action.name == "crm.update"
    assert said(unreadable) == ("crm.unreadable", "unknown", "T2", False)


def test_a_compressed_form_may_be_read_as_it_stands_and_says_something_else():
    """A comment in gzip's header is a field for a server that doesn't undo codings."""
    told = b"&q=all&"
    packed = gzip.compress(b"q=mine", mtime=0)
    content = packed[:3] + b"\x10" + packed[4:10] + told + b"\0" + packed[10:]
    assert gzip.decompress(content) == b"q=mine"
    headers = {"content-type": "application/x-www-form-urlencoded", "content-encoding": "gzip"}
    _, unreadable = identify(asked("POST https://crm.example/search/x", body=WholeBody(content), headers=headers), CATALOG)
    assert said(unreadable) == ("crm.unreadable", "unknown", "T2", False)


def test_compressed_json_is_read():
    content = WholeBody(gzip.compress(b'{"q": "mine"}'))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert one("POST https://crm.example/search/x", body=content, headers=headers).params["q"] == "mine"


def test_what_is_for_the_body_counts_in_the_query_too():
    assert one(f"{PUT}?notify=true", json={"owner": "ann"}).tier.name == "T3"


def test_a_body_that_can_not_be_read_may_be_the_worst():
    action, _ = identify(asked(PUT, text="{", headers={"content-type": "application/json"}), CATALOG)
    assert action.tier.name == "T3"


def test_arguments_that_agree_may_be_said_twice():
    line = "POST https://crm.example/search/x?q=ann"
    assert one(line, form="q=ann").params["q"] == "ann"
    assert one(line, json={"q": "ann"}).params["q"] == "ann"
    assert [action.name for action in identify(asked(line, form="q=bob"), CATALOG)] == ["crm.search", "crm.unreadable"]


@pytest.mark.parametrize(("query", "limit"), [("limit=10", 10), ("limit=-3", -3), ("", None), ("other=1", None)])
def test_a_number_in_the_query_is_a_number(query, limit):
    assert one(f"GET https://crm.example/contacts?{query}").params.get("limit") == limit


@pytest.mark.parametrize("query", ["limit=10&limit=1000", "limit=ten", "limit=1e3", "limit=010", "limit=%ff"])
def test_a_number_that_is_none_is_unreadable(query):
    assert [action.name for action in identify(asked(f"GET https://crm.example/contacts?{query}"), CATALOG)] == [
        "crm.list",
        "crm.unreadable",
    ]


@pytest.mark.parametrize("path", ["/contacts/7/", "//contacts/7", "/contacts//7", "/%63ontacts/7", "/contacts;v=1/7"])
def test_a_path_that_a_lenient_server_takes_for_an_operation_is_both(path):
    plain, lenient = identify(asked(f"PUT https://crm.example{path}", json={}), CATALOG)
    assert (said(plain), lenient.name, lenient.mapped) == (("crm.PUT", "unknown", "T2", False), "crm.update", False)


def test_a_parameter_that_a_lenient_server_would_cut_is_both():
    first, second = identify(asked("GET https://crm.example/contacts/7;x"), CATALOG)
    assert (first.params, second.params) == ({"id": "7;x"}, {"id": "7"})


def test_a_body_is_wanted_where_parameters_stand_in_it():
    assert wants_body(asked(PUT), CATALOG)
    assert wants_body(asked("PUT https://crm.example/contacts//7"), CATALOG)
    assert not wants_body(asked("GET https://crm.example/contacts/7"), CATALOG)
    assert not wants_body(asked("GET https://crm.example/contacts?limit=1"), CATALOG)
    assert not wants_body(asked("POST https://docs.test/", headers={"content-type": "image/png"}), CATALOG)


def test_an_empty_catalog_still_gives_an_action():
    assert said(one("POST https://crm.example/contacts", catalog=Catalog())) == ("http.POST", "unknown", "T2", False)


@pytest.mark.parametrize(("host", "port", "name"), [("crm.example", 8443, "crm.tunnel"), ("other.example", 443, "http.tunnel")])
def test_a_tunnel_that_nobody_reads_is_one_action_of_its_hosts_service(host, port, name):
    request = Request(method="CONNECT", scheme="https", host=host, port=port, path="/", query=None, headers=(), opaque=True)
    (action,) = identify(request, CATALOG)
    assert (action.name, action.resource, action.access, action.tier) == (name, f"{host}:{port}", Access.UNKNOWN, Tier.T2)
    assert action.mapped
    assert not wants_body(request, CATALOG)


LISTED = (
    "outgate: service/v1alpha\nservice: shop\nhosts: [shop.example]\notherwise: {GET: {access: read, tier: T0, why: it reads}}\n"
)


@pytest.mark.parametrize("path", ["/v1/api_keys", "/v1/things/storefront_access_tokens.json", "/v1/secrets/", "/v1/Credentials"])
def test_a_read_that_no_table_lists_is_a_sensitive_one_by_its_name(path):
    shop = compile_catalog([parse(LISTED, "shop.yaml")])
    actions = identify(asked(f"GET https://shop.example{path}"), shop)
    assert {(action.name, action.access, action.tier) for action in actions} == {("shop.GET", Access.READ, Tier.T1)}
    assert one("GET https://shop.example/v1/no/such/things", shop).tier is Tier.T0
