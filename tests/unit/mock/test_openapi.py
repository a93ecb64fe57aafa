import json

import pytest
from sandboxed import said, to_mock

from outgate.document import parse
from outgate.errors import ConfigError
from outgate.mock.openapi import read_openapi

PAYMENTS = """
openapi: 3.1.0
info: {title: Payments, version: "1"}
servers: [{url: "https://api.payments.test/v2"}]
paths:
  /payments:
    get:
      responses:
        "200": {content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Payment"}}}}}
    post:
      responses:
        "400": {description: no}
        "201":
          content:
            application/json:
              examples: {one: {value: {id: pay_1, amount: 5}}}
  /payments/{payment-id}:
    get: {responses: {"200": {$ref: "#/components/responses/Payment"}}}
    delete: {responses: {"204": {description: gone}}}
  /payments/{payment-id}/receipt:
    get: {responses: {default: {content: {text/plain: {example: "Thank you"}}}}}
  /old: {get: {responses: {2XX: {content: {"*/*": {schema: {type: string}}}}}}}
components:
  responses:
    Payment: {content: {application/json: {schema: {$ref: "#/components/schemas/Payment"}}}}
  schemas:
    Payment:
      type: object
      required: [id]
      properties: {id: {type: string, example: pay_9}, amount: {type: integer, minimum: 1}, refund: {$ref: "#/components/schemas/Payment"}}
"""


def document(text=PAYMENTS):
    return read_openapi(parse(text, "payments.yaml"))


def ask(line, text=PAYMENTS):
    return document(text).answer(to_mock(line))


def test_the_example_of_the_response_is_given():
    made = ask("POST /v2/payments")
    assert (made.status, said(made)) == (201, {"id": "pay_1", "amount": 5})


def test_else_a_value_of_its_schema():
    made = said(ask("GET /v2/payments/pay_9"))
    assert (made["id"], made["amount"], made["refund"]["id"]) == ("pay_9", 1, "pay_9")
    assert isinstance(said(ask("GET /v2/payments")), list)


def test_paths_stand_below_the_server_or_below_nothing():
    assert ask("GET /payments/pay_9").body == ask("GET /v2/payments/pay_9").body


def test_an_answer_without_a_body_has_none():
    assert (ask("DELETE /payments/x").status, ask("DELETE /payments/x").pieces) == (204, ())


def test_text_is_given_as_text():
    made = ask("GET /payments/x/receipt")
    assert (made.status, made.body, made.kind) == (200, b"Thank you", "text/plain")


def test_a_range_of_statuses_and_any_kind_of_body_stand_for_the_usual():
    made = ask("GET /old")
    assert (made.status, made.kind, said(made)) == (200, "application/json", "text")


def test_what_is_not_described_is_not_found():
    made = ask("PATCH /v2/payments")
    assert (made.status, said(made)) == (404, {"message": "Payments describes no PATCH /v2/payments"})


def test_head_is_answered_as_get():
    assert ask("HEAD /payments").status == 200


def test_swagger_has_it_in_other_places():
    text = """
        swagger: "2.0"
        info: {title: Old}
        basePath: /api
        produces: [application/json]
        paths:
          /a: {get: {responses: {"200": {schema: {$ref: "#/definitions/A"}}}}}
          /b: {get: {responses: {"200": {schema: {}, examples: {application/json: {b: 2}}}}}}
        definitions: {A: {properties: {a: {type: integer}}}}
    """
    assert said(ask("GET /api/a", text)) == {"a": 1}
    assert said(ask("GET /api/b", text)) == {"b": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just: text", "is no OpenAPI document"),
        ("[1]", "is no OpenAPI document"),
        ("openapi: 3.1.0\npaths: []", "is no OpenAPI document"),
        ("openapi: 3.1.0\npaths: {/a: {$ref: 'other.yaml#/a'}}", "'other.yaml#/a' leads out of this document"),
        ("openapi: 3.1.0\npaths: {/a: {get: {responses: {'200': {$ref: 'https://evil.test/x'}}}}}", "which is never followed"),
        ("openapi: 3.1.0\npaths: {a: {get: {}}}", "path 'a' must start with '/'"),
        ("openapi: 3.1.0\npaths: {'/a/{x}': {get: {}}, '/a/{y}': {get: {}}}", "leads to two operations"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, message):
    with pytest.raises(ConfigError, match=r"payments\.yaml") as error:
        document(text)
    assert message in str(error.value)


def test_a_word_ref_in_an_example_leads_nowhere():
    assert said(
        ask(
            "GET /a",
            "openapi: 3.1.0\npaths: {/a: {get: {responses: {'200': {content: {application/json: {example: {$ref: 'x.yaml'}}}}}}}}",
        )
    )


def test_pointers_have_escapes():
    text = json.dumps(
        {
            "openapi": "3.1.0",
            "paths": {
                "/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/x/a~1b%20c"}}}}}}}
            },
            "x": {"a/b c": {"const": 7}},
        }
    )
    assert said(ask("GET /a", text)) == 7
