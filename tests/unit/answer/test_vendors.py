import json
from datetime import timedelta

import pytest

from outgate.answer.reply import Refusal
from outgate.answer.vendors import render
from outgate.intake.request import Request

TELL = "Ask ops@acme.example."


def answered(host="api.test", status=403, answer="block", retry_after=None, **headers):
    refusal = Refusal(status=status, answer=answer, kind="approval-required", tell=TELL, receipt="w1-7", retry_after=retry_after)
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return render(refusal, Request(method="POST", scheme="https", host=host, port=443, path="/", query=None, headers=named))


def said(**asked):
    return json.loads(answered(**asked).body)


def test_anthropic_reads_a_typed_error():
    error = said(host="api.anthropic.com")
    assert (error["type"], error["error"]) == ("error", {"type": "permission_error", "message": TELL})


def test_a_gateway_to_anthropic_is_known_by_its_header():
    assert said(host="llm.acme.test", anthropic_version="2023-06-01")["type"] == "error"


def test_google_reads_a_status():
    assert said(host="storage.googleapis.com")["error"] == {"code": 403, "message": TELL, "status": "PERMISSION_DENIED"}


def test_slack_reads_ok_false():
    assert (said(host="slack.com")["ok"], said(host="slack.com")["error"]) == (False, "approval_required")


@pytest.mark.parametrize(
    "asked",
    [
        {"host": "registry.npmjs.org"},
        {"host": "npm.acme.test", "user_agent": "npm/11.0.0 node/v24"},
        {"host": "npm.acme.test", "accept": "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"},
    ],
)
def test_npm_reads_an_error_that_is_text(asked):
    assert said(**asked)["error"] == TELL


@pytest.mark.parametrize(
    "asked",
    [
        {"host": "logs.es.eu-west-1.aws.elastic.cloud"},
        {"host": "search.acme.test", "x_elastic_client_meta": "es=9.1.0,py=3.13.1,t=9.1.0"},
        {"host": "search.acme.test", "user_agent": "opensearch-py/3.0.0 (Python 3.13.1)"},
    ],
)
def test_elasticsearch_and_opensearch_read_a_root_cause(asked):
    cause = {"type": "approval_required", "reason": TELL}
    assert (said(**asked)["error"], said(**asked)["status"]) == ({**cause, "root_cause": [cause]}, 403)


def test_stripe_is_told_not_to_retry():
    reply = answered(host="api.stripe.com", status=503)
    assert dict(reply.headers)["Stripe-Should-Retry"] == "false"
    assert json.loads(reply.body)["error"]["message"] == TELL


def test_a_throttled_stripe_call_may_be_retried():
    soon = answered(host="api.stripe.com", status=429, answer="throttle", retry_after=timedelta(seconds=5))
    assert "Stripe-Should-Retry" not in dict(soon.headers)
    assert dict(answered(host="api.stripe.com", status=429, answer="throttle").headers)["Stripe-Should-Retry"] == "false"


@pytest.mark.parametrize("host", ["api.openai.com", "api.github.com", "notslack.com", "api.anthropic.com.evil.test"])
def test_the_rest_is_left_to_problem_details(host):
    assert answered(host=host) is None


def test_the_problem_goes_along():
    assert said(host="slack.com")["outgate"]["receipt"] == "w1-7"
