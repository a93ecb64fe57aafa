import json

import pytest

from outgate.answer.graphql import render
from outgate.answer.reply import Refusal
from outgate.intake.request import Request

REFUSAL = Refusal(status=403, answer="escalate", kind="approval-required", tell="Ask ops.", receipt="w1-7")


def answered(path="/x", **headers):
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return render(REFUSAL, Request(method="POST", scheme="https", host="g.test", port=443, path=path, query=None, headers=named))


def test_the_sentence_is_the_message_of_a_request_error():
    reply = answered("/graphql")
    said = json.loads(reply.body)
    assert reply.status == 403
    assert list(said) == ["errors"]
    assert (said["errors"][0]["message"], said["errors"][0]["extensions"]["code"]) == ("Ask ops.", "APPROVAL_REQUIRED")


@pytest.mark.parametrize("path", ["/graphql", "/api/graphql", "/v4/graphql/"])
def test_graphql_is_known_by_its_path(path):
    assert dict(answered(path).headers)["Content-Type"] == "application/json"


def test_graphql_is_known_by_what_it_sends_and_accepts():
    assert answered(content_type="application/graphql") is not None
    own = answered(accept="application/graphql-response+json, application/json")
    assert dict(own.headers)["Content-Type"] == "application/graphql-response+json"


def test_other_requests_are_left_to_others():
    assert answered("/graphqlish") is None
