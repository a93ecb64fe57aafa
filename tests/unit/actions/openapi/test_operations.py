import pytest
from openapi_documents import crm

from outgate.actions.openapi.operations import described
from outgate.actions.openapi.references import Reading, Spot
from outgate.document import parse


def read(paths, overlay=None, more=""):
    reading = Reading(parse(crm(paths, more), "crm.yaml"))
    return described(reading, overlay or {}), reading


def faults(paths, more=""):
    return [str(one).removeprefix("crm.yaml:") for one in read(paths, more=more)[1].faults]


def test_each_method_of_each_path_is_an_operation():
    found, reading = read("""
/contacts:
  summary: all of them
  x-other: 1
  get: {operationId: listContacts, tags: [people, other], deprecated: true}
  post: {}
""")
    assert [(one.method, one.template, one.name, one.tag, one.deprecated) for one in found] == [
        ("GET", "/contacts", "listContacts", "people", True),
        ("POST", "/contacts", "", "", False),
    ]
    assert reading.faults == []


def test_a_path_may_stand_elsewhere_in_the_document():
    found, _ = read("/a: {$ref: '#/components/pathItems/A'}", more="components: {pathItems: {A: {get: {operationId: a}}}}")
    assert [one.name for one in found] == ["a"]


def test_one_that_stands_in_another_document_is_unknown_whatever_the_method():
    found, reading = read("/a: {$ref: 'other.yaml#/paths/a'}")
    assert {one.method for one in found} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert all(one.remote for one in found)
    assert "never followed" in str(reading.notes[0])


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ("contacts: {get: {}}", "6:3: path 'contacts' must start with '/'"),
        ("/a?x={y}: {get: {}}", "6:3: path '/a?x={y}' has a query or a fragment in it: parameters stand under `parameters`"),
        ("/a/{b: {get: {}}", None),
        ('"/a/{b": {get: {}}', "6:3: path '/a/{b' has a brace without the other one"),
        ('"/a b": {get: {}}', "6:3: path '/a b' has characters that a path can't have: write them as %XX"),
        ('"/{a}/{a}": {get: {}}', "6:3: path '/{a}/{a}' has '{a}' twice, rename one"),
        ("/a: {fetch: {}}", "6:8: 'fetch' is no method, use one of get, put, post, delete, options, head, patch"),
        ("/a: {get: 1}", "6:13: an operation is a table"),
        ("/a: 1", "6:7: a path has a table of methods"),
        ("/a: {get: {operationId: [a]}}", "6:27: an operationId is text"),
        (
            "/a: {get: {operationId: x}}\n/b: {put: {operationId: x}}",
            "7:27: operationId 'x' is that of GET /a too, rename one",
        ),
        (
            '"/a/{b}": {get: {}}\n"/a/{c}": {get: {}}',
            "7:3: path '/a/{c}' is '/a/{b}' under another name: a request would be both, keep one",
        ),
        ("/a: {get: {parameters: [{name: x}]}}", "6:27: a parameter has a `name`, and says where it is with `in`"),
        ("/a: {get: {parameters: [{name: x, in: hat}]}}", "6:41: a parameter is in path, query, header or cookie, not in 'hat'"),
        (
            "/a: {get: {x-outgate-action: {accces: read}}}",
            "6:33: unknown key 'accces', use one of name, skip, access, tier, why, resource, params, worse, egress, reads",
        ),
        ("/a: {get: {x-outgate-action: 1}}", None),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(paths, said):
    if said is None:
        assert faults(paths) if "x-outgate" in paths else True
    else:
        assert said in faults(paths)


def test_scopes_are_those_of_each_way_to_be_let_in():
    found, _ = read(
        "/a: {get: {}, post: {security: [{o: [write:a]}, {k: [], o: [admin]}]}, put: {security: []}, delete: {security: [{k: []}]}}",
        more="security: [{o: [read:a]}]",
    )
    ways = {one.method: [sorted(way) for way in one.ways] for one in found}
    assert ways == {"GET": [["read:a"]], "POST": [["write:a"], ["admin"]], "PUT": [], "DELETE": []}


def test_servers_of_an_operation_stand_for_those_of_its_path():
    found, _ = read("""
/a:
  servers: [{url: "https://files.acme.example"}]
  get: {}
  put: {servers: [{url: "https://upload.acme.example/x"}]}
""")
    assert [(s.host, s.base) for one in found for s in one.servers] == [("files.acme.example", ""), ("upload.acme.example", "/x")]


def test_what_an_overlay_says_stands_for_what_the_document_says():
    said = {"a": Spot({"tier": "T3"}, ()), "GET /b": Spot({"access": "list"}, ())}
    found, _ = read("/a: {get: {operationId: a, x-outgate-action: {tier: T1, why: because}}}\n/b: {get: {}}", said)
    assert [dict(one.said) for one in found] == [{"tier": "T3", "why": "because"}, {"access": "list"}]
