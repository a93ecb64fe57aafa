import pytest

from outgate.actions.catalog import Catalog
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.errors import ConfigError

GOOD = """\
outgate: service/v1alpha
service: crm
title: Our CRM
docs: https://crm.example/docs
hosts: [crm.example, "{tenant}.crm.example", "*.old.crm.example", "crm.example:8443", 10.0.0.1]
auth: {headers: [x-api-key], query: [key]}
resources: ["{org}/{id}", "{org}"]
otherwise:
  GET: {access: read, tier: T0}
operations:
  contacts.update:
    on: ["PUT|PATCH /orgs/{org}/contacts/{id}", "POST /orgs/{org}/contacts/{id}/update"]
    access: write
    tier: T1
    why: a contact changes
    params: {notify: bool json.notify, tags: list json.tags.*, fee: money json.fee in json.currency, limit: int query.limit, mode: string header.X-Mode}
    worse: [{if: {notify: true}, tier: T2, access: send, why: people are told}]
  contacts.delete: {on: "DELETE /orgs/{org}/contacts/{id}", access: delete, tier: T2, resource: "contact {id}"}
examples:
  - {request: "DELETE https://crm.example/orgs/a/contacts/7", is: crm.contacts.delete}
"""


def compiled(*texts):
    return compile_catalog(parse(text, f"{number}.yaml") for number, text in enumerate(texts))


def problems(*texts):
    with pytest.raises(ConfigError) as raised:
        compiled(*texts)
    return [str(problem) for problem in raised.value.problems]


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_service_file_becomes_operations():
    catalog = compiled(GOOD)
    names = {operation.name: operation for operation in catalog.operations("crm")}
    assert names["crm.contacts.update"].params == {
        "org": "string", "id": "string", "notify": "bool", "tags": "list", "fee": "money", "limit": "int", "mode": "string",
    }  # fmt: skip
    assert {"crm.GET", "crm.POST", "crm.unreadable", "crm.contacts.delete"} <= names.keys()
    assert catalog.services() == ("crm", "http")
    assert catalog.params()["fee"] == "money"


def test_an_empty_catalog_knows_http():
    assert {operation.name for operation in Catalog().listed()} >= {"http.GET", "http.POST", "http.WEBSOCKET"}
    assert Catalog().services() == ("http",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "outgate: service/v1alpha",
            "outgate: service/v2",
            "0.yaml:1:10: unknown language 'service/v2', use one of service/v1alpha",
        ),
        ("title:", "titel:", "0.yaml:3:1: unknown key 'titel', use one of adds-to, auth, bodies, docs, examples"),
        ("service: crm", "service: CRM", "0.yaml:2:10: a service's name must be text like"),
        ("service: crm", "service: http", "0.yaml:2:10: service 'http' is here twice"),
        ("service: crm", "service: mcp", "0.yaml:2:10: hosts that speak mcp are added with `adds-to: mcp`"),
        ("service: crm\n", "", "0.yaml:1:1: say which service this is"),
        ("service: crm\n", "adds-to: crm\n", "0.yaml:2:10: no service 'crm' to add to, there are none"),
        ("title: Our CRM", "speaks: gopher", "0.yaml:3:9: unknown protocol 'gopher', use one of rest, git, mcp"),
        ("title: Our CRM", "bodies: xml", "0.yaml:3:9: unknown form of bodies 'xml', use one of json"),
        ("[crm.example,", "[CRM.example,", "0.yaml:5:9: host 'CRM.example' must be a lower-case name"),
        ("[crm.example,", '["*"]', "0.yaml"),
        ("10.0.0.1]", "127.1]", "0.yaml"),
        ("10.0.0.1]", "crm.example]", "host 'crm.example' belongs to two services, keep one"),
        ("{headers: [x-api-key]", "{heders: [x-api-key]", "0.yaml:6:8: unknown key 'heders', use one of headers, keys, query"),
        (
            "{headers: [x-api-key]",
            "{keys: [githb]",
            "0.yaml:6:15: unknown kind of credential 'githb', use one of age, anthropic, aws",
        ),
        ("{headers: [x-api-key]", "{headers: [X-Api-Key]", "0.yaml:6:17: names of headers are written in small letters"),
        ("access: write", "access: wirte", "0.yaml:13:13: unknown access 'wirte', use one of read, list, write"),
        ("tier: T1", "tier: 1", "0.yaml:14:11: unknown tier '1', use one of T0, T1, T2, T3"),
        ("GET: {access: read, tier: T0}", "FETCH: {access: read, tier: T0}", "0.yaml:9:3: unknown key 'FETCH'"),
        ("GET: {access: read, tier: T0}", "GET: {}", "0.yaml:9:8: unknown access 'None'"),
        ("contacts.update:", "'contacts update':", "0.yaml:11:3: 'contacts update' can't be an operation's name here"),
        ("contacts.update:", "GET:", "0.yaml:11:3: 'GET' can't be an operation's name here"),
        ("contacts.update:", "unreadable:", "0.yaml:11:3: 'unreadable' can't be an operation's name here"),
        ("PUT|PATCH /orgs", "FETCH /orgs", "0.yaml:12:10: 'FETCH /orgs/{org}/contacts/{id}' is not `METHOD /path`"),
        ("PUT|PATCH /orgs/{org}", "PUT|PATCH orgs/{org}", "is not `METHOD /path`"),
        ("/contacts/{id}/update", "/contacts/{id+}.x", "a {many+} must be a whole segment"),
        ('"DELETE /orgs/{org}/contacts/{id}"', '"PUT /orgs/{org}/contacts/{key}"', "leads to two operations, keep one"),
        ("notify: bool", "id: bool", "'id' is already read from the path"),
        (
            "bool json.notify",
            "bool body.notify",
            "a parameter is `name: KIND PLACE.FIELD`, KIND of string, int, bool, money, list",
        ),
        ("bool json.notify", "boolean json.notify", "a parameter is `name: KIND PLACE.FIELD`"),
        ("int query.limit", "int query.limit in query.unit", "only money is `in` a currency"),
        ("if: {notify: true}", "if: {notfy: true}", "`if` names parameters of this operation"),
        ("if: {notify: true}", "if: {notify: yes}", "`if` names parameters of this operation"),
        ("if: {notify: true}", "iff: {notify: true}", "unknown key 'iff', use one of access, if, tier, why"),
        ('"contact {id}"', '"contact {nr}"', "resource 'contact {nr}' names something that is neither in the path"),
        ("why: a contact changes", "egress: sometimes", "'egress' is true or left out"),
        (
            "access: delete, tier: T2,",
            "access: delete, tier: T2, tell: x,",
            "unknown key 'tell', use one of access, egress, instance, on",
        ),
        ("{request:", "{reqest:", "unknown key 'reqest'"),
        ("operations:\n", "operations: 7\nmore:\n", "unknown key 'more'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old, new, said):
    found = problems(changed(old, new))
    assert any(said in problem for problem in found), found


def test_every_problem_of_every_file_is_said_at_once():
    found = problems(
        changed("tier: T1", "tier: 9"), GOOD.replace("service: crm", "service: erp").replace("access: write", "access: x")
    )
    assert [problem.partition(":")[0] for problem in found if "unknown" in problem] == ["0.yaml", "1.yaml"]


@pytest.mark.parametrize("text", ["", "7", "[]", "- a", "text", "outgate: service/v1alpha"])
def test_a_file_that_is_no_service_is_an_error(text):
    assert problems(text)


def test_a_service_that_is_here_twice_is_an_error():
    assert any("service 'crm' is here twice, write `adds-to: crm` in one of them" in problem for problem in problems(GOOD, GOOD))


def test_one_name_has_one_kind():
    other = "outgate: service/v1alpha\nservice: erp\nhosts: [erp.example]\noperations:\n  pay: {on: POST /pay, access: pay, tier: T2, params: {fee: string form.fee}}\n"
    assert problems(GOOD, other) == [
        "1.yaml:5:8: parameter 'fee' is string here and money in crm.contacts.update: one name has one kind, rename one"
    ]


def test_a_file_can_add_hosts_and_operations_to_a_service_whatever_comes_first():
    more = "outgate: service/v1alpha\nadds-to: crm\nhosts: [crm.acme.example]\noperations:\n  ping: {on: GET /ping, access: read, tier: T0}\n"
    for order in ((GOOD, more), (more, GOOD)):
        assert "crm.ping" in {operation.name for operation in compiled(*order).listed()}


def test_a_file_that_adds_can_not_change_what_the_service_is():
    assert any(
        "'auth' belongs in the file of the service" in p
        for p in problems(GOOD, "outgate: service/v1alpha\nadds-to: crm\nauth: {headers: [x]}\n")
    )


def test_a_protocol_s_operations_are_not_written_down():
    text = "outgate: service/v1alpha\nservice: git\nspeaks: git\nhosts: [git.example]\noperations:\n  x: {on: GET /x, access: read, tier: T0}\n"
    assert any("what git does is known" in problem for problem in problems(text))
