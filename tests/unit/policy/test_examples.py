from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.policy.examples import count, wrong

FILE = """
outgate: service/v1alpha
service: pay
hosts: [pay.test]
operations:
  refund:
    on: POST /refunds/{{id}}
    access: pay
    tier: T2
    params: {{amount: money json.amount in json.currency, ids: list json.ids}}
  form: {{on: POST /form, access: write, tier: T1, params: {{region: string form.region}}}}
examples:
  - {}
"""


def tried(example):
    document = parse(FILE.format(example), "pay.yaml")
    return [str(one) for one in wrong(document, compile_catalog([document]))]


def test_an_example_that_holds_says_nothing():
    assert (
        tried(
            "{request: POST https://pay.test/refunds/7, json: {amount: 5, currency: GBP, ids: [a, b]}, is: pay.refund, access: pay, "
            "tier: T2, resource: refunds/7, params: {amount: 5 GBP, ids: [a, b], id: '7'}}"
        )
        == []
    )
    assert tried("{request: POST https://pay.test/form, form: region=eu, is: pay.form, params: {region: eu}}") == []
    assert (
        tried(
            "{request: POST https://pay.test/form, text: x, headers: {Content-Type: text/plain}, is: [pay.form, pay.unreadable]}"
        )
        == []
    )


def test_one_that_does_not_says_what_came():
    assert tried("{request: POST https://pay.test/refunds/7, is: pay.form}") == [
        "pay.yaml:13:5: 'POST https://pay.test/refunds/7' is pay.refund, not pay.form"
    ]
    assert tried("{request: POST https://pay.test/refunds/7, is: pay.refund, tier: T3, params: {id: '8'}}") == [
        "pay.yaml:13:5: tier of 'POST https://pay.test/refunds/7' is 'T2', not 'T3'",
        "pay.yaml:13:5: params.id of 'POST https://pay.test/refunds/7' is 7, not 8",
    ]


def test_one_that_is_no_request_says_so():
    assert "is no call" in tried("{request: hello, is: pay.form}")[0]
    assert "is no one request, not pay.form" in tried("{request: POST https://pay.test/a%00, is: pay.form}")[0]


def test_a_file_without_examples_has_none():
    document = parse("outgate: service/v1alpha\nservice: x\n", "x")
    assert (count(document), wrong(document, compile_catalog([document]))) == (0, ())
