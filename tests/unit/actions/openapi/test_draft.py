import pytest
from openapi_documents import crm, draft, operations

from outgate.actions.openapi.described import read_text
from outgate.actions.openapi.draft import imported
from outgate.actions.openapi.overlay import read_overlay
from outgate.actions.openapi.servers import given
from outgate.document import parse
from outgate.errors import ConfigError


def problems(text, **said):
    with pytest.raises(ConfigError) as error:
        draft(text, **said)
    return [str(one) for one in error.value.problems]


def test_a_document_becomes_a_service_file():
    more = """
externalDocs: {url: https://docs.acme.example}
components:
  securitySchemes:
    a: {type: oauth2}
    b: {type: apiKey, in: header, name: X-Key}
    c: {type: apiKey, in: query, name: key}
"""
    assert draft(crm("/contacts/{contact-id}: {get: {}, delete: {operationId: removeContact}}", more)) == {
        "outgate": "service/v1alpha",
        "service": "acme-crm",
        "title": "Acme CRM API",
        "docs": "https://docs.acme.example",
        "hosts": ["crm.acme.example"],
        "auth": {"headers": ["authorization", "x-key"], "query": ["key"]},
        "operations": {
            "contacts.get": {"on": "GET /v1/contacts/{contact_id}", "access": "read", "tier": "T0"},
            "removeContact": {
                "on": "DELETE /v1/contacts/{contact_id}",
                "access": "delete",
                "tier": "T2",
                "why": operations("/a: {delete: {operationId: removeContact}}")["removeContact"]["why"],
            },
        },
    }


def test_what_is_said_of_an_operation_stands_for_what_is_judged():
    said = operations("""
/pay:
  post:
    operationId: x
    x-outgate-action:
      {name: pay.now, access: pay, tier: T3, why: gone, resource: "{to}", params: {to: string json.to}, worse: {if: {to: me}, tier: T3}}
""")
    assert said == {
        "pay.now": {
            "on": "POST /v1/pay",
            "access": "pay",
            "tier": "T3",
            "why": "gone",
            "resource": "{to}",
            "params": {"to": "string json.to"},
            "worse": {"if": {"to": "me"}, "tier": "T3"},
        }
    }


def test_what_is_skipped_is_left_out():
    found = imported(read_text(crm("/a: {get: {}, put: {x-outgate-action: {skip: true}}}"), "x"))
    assert ([*found.drafts[0].value["operations"]], found.skipped) == (["a.list"], 1)


AMOUNT = "/pay: {{post: {{requestBody: {{content: {{application/json: {{schema: {{properties: {{amount: {}, currency: {{type: string}}}}}}}}}}}}}}}}"


def test_an_amount_is_money_where_the_document_says_its_unit():
    said = operations(AMOUNT.format("{type: integer, description: in cents}"))["pay.create"]
    assert said["params"]["amount"] == "money json.amount in json.currency"


def test_else_it_is_left_to_a_person():
    found = imported(read_text(crm(AMOUNT.format("{type: integer}")), "x"))
    (entry,) = found.drafts[0].entries
    assert "amount" not in entry.value["params"]
    assert entry.remark == "amount: say `amount: money json.amount in json.currency` if it is in the minor unit"


def test_an_overlay_needs_no_change_of_the_document():
    overlay = read_overlay(
        parse("outgate: overlay/v1alpha\nservice: {name: crm, hosts: [x.test]}\noperations: {'GET /a': {tier: T1}}", "o")
    )
    said = draft(crm("/a: {get: {}}"), overlay=overlay)
    assert (said["service"], said["hosts"], said["operations"]["a.list"]["tier"]) == ("crm", ["x.test"], "T1")
    assert said["operations"]["a.list"]["on"] == "GET /v1/a"
    assert problems(crm("/b: {get: {}}"), overlay=overlay)[0].startswith("o:3:14: the document has no operation 'GET /a'")


def test_servers_that_a_person_names_stand_for_all_others():
    said = draft(crm("/a: {get: {servers: [{url: 'https://other.test'}]}}"), servers=(given("https://x.test:8443/v9"),))
    assert (said["hosts"], said["operations"]["a.list"]["on"]) == (["x.test:8443"], "GET /v9/a")


def test_hosts_that_do_different_things_are_different_services():
    found = imported(read_text(crm("/a: {get: {}}\n/b: {get: {}, post: {servers: [{url: 'https://files.test/up'}]}}"), "x"))
    assert [(one.service, one.head["hosts"], [e.value["on"] for e in one.entries]) for one in found.drafts] == [
        ("acme-crm", ["crm.acme.example"], ["GET /v1/a", "GET /v1/b"]),
        ("acme-crm-files", ["files.test"], ["POST /up/b"]),
    ]


def test_hosts_that_do_the_same_are_one():
    text = crm("/a: {get: {}}").replace(
        '[{url: "https://crm.acme.example/v1"}]', "[{url: 'https://a.test'}, {url: 'https://b.test'}]"
    )
    assert draft(text)["hosts"] == ["a.test", "b.test"]


def test_swagger_two_is_read_too():
    text = "swagger: '2.0'\ninfo: {title: Old}\nhost: old.test\nbasePath: /v1\nsecurityDefinitions: {k: {type: basic}}\npaths: {/a: {get: {}}}"
    said = draft(text)
    assert (said["hosts"], said["auth"], said["operations"]["a.list"]["on"]) == (
        ["old.test"],
        {"headers": ["authorization"]},
        "GET /v1/a",
    )


def test_what_stands_in_another_document_is_one_unknown_operation():
    said = operations("/a/b: {$ref: 'other.yaml#/x'}")
    assert said["unknown"]["on"] == "GET|POST|PUT|PATCH|DELETE /v1/a/b"
    assert (said["unknown"]["access"], said["unknown"]["tier"]) == ("unknown", "T2")


def test_names_that_are_taken_get_more_of_the_path():
    said = operations(
        "/a/{x}: {get: {operationId: same}}\n/b: {get: {operationId: sa me}}\n/c/{d}: {get: {operationId: sa_me}}\n/e: {get: {operationId: GET}}"
    )
    assert [*said] == ["same", "sa_me", "sa_me_by_d", "GET_2"]


def test_names_of_parameters_keep_the_kind_that_they_have_elsewhere():
    said = operations(
        "/a/{mode}: {get: {parameters: [{name: status, in: query, schema: {type: boolean}}]}}",
        kinds={"status": "string", "mode": "int"},
    )
    assert said["a.get"] == {
        "on": "GET /v1/a/{mode_id}",
        "access": "read",
        "tier": "T0",
        "params": {"status_flag": "bool query.status"},
    }


def test_a_path_that_fits_two_operations_gets_the_higher_tier():
    found = imported(
        read_text(crm("/{a}/purge: {post: {operationId: purgeAll}}\n/a/{b}: {post: {operationId: findThings}}"), "x")
    )
    (_, find) = found.drafts[0].entries
    assert (find.value["tier"], find.value["why"]) == ("T3", "a server may take it for purgeAll")
    assert "it has the higher tier of the two" in find.remark


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", 'x.yaml:1:1: is no OpenAPI document: it has no `openapi: 3.…` and no `swagger: "2.0"`'),
        ("[1]", "x.yaml:1:1: is no OpenAPI document"),
        ("openapi: 4.0.0\npaths: {}", "x.yaml:1:10: OpenAPI 4.0.0 is not read"),
        (
            "openapi: 3.0.0\ninfo: {title: A}\nservers: [{url: 'https://a.test'}]",
            "x.yaml:1:1: the document has no table of `paths`",
        ),
        (
            "openapi: 3.0.0\ninfo: {title: Ab}\nservers: [{url: 'https://a.test'}]\npaths: {}",
            "x.yaml:4:1: the document has no operation",
        ),
        (
            "openapi: 3.0.0\ninfo: {title: A}\npaths: {/a: {get: {}}}",
            "x.yaml:1:1: the document says no server: name one with --server",
        ),
        (
            "openapi: 3.0.0\ninfo: {title: API}\nservers: [{url: 'https://a.test'}]\npaths: {/a: {get: {}}}",
            "x.yaml:2:15: 'API' gives no name for the service, say one with --service NAME",
        ),
        (
            "openapi: 3.0.0\ninfo: {title: A b}\nx-outgate-service: {host: 1}\nservers: [{url: 'https://a.test'}]\npaths: {/a: {get: {}}}",
            "x.yaml:3:21: unknown key 'host', use one of name, title",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(text, said):
    with pytest.raises(ConfigError) as error:
        imported(read_text(text, "x.yaml"))
    assert any(str(one).startswith(said) for one in error.value.problems), error.value.problems


def test_every_problem_is_told_at_once():
    assert len(problems(crm("a: {get: {}}\n/b: {fetch: {}}\n/c: {get: {parameters: [{$ref: '#/x'}]}}"))) == 3
