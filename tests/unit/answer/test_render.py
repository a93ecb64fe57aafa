import json
from datetime import timedelta

import pytest

from outgate.answer.render import render
from outgate.answer.reply import Asked, LimitState, Refusal
from outgate.intake.request import NoBody, Request, Unreadable, WholeBody

TELL = "Payments are made by the finance team's agents. Ask finance@acme.example."


def refused(**changes):
    base = {"status": 403, "answer": "block", "kind": "blocked", "tell": TELL, "receipt": "w1-7"}
    return Refusal(**base | changes)


def asked(host="api.test", path="/x", query=None, method="POST", body=b"", **headers):
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    content = WholeBody(body) if body else NoBody()
    return Request(method=method, scheme="https", host=host, port=443, path=path, query=query, headers=named, body=content)


def header(reply, name):
    found = [value for key, value in reply.headers if key.lower() == name]
    assert len(found) <= 1, f"{name} stands {len(found)} times"
    return found[0] if found else None


def test_by_default_a_refusal_is_problem_details():
    reply = render(refused(actions=("pay.create 1",)), asked())
    said = json.loads(reply.body)
    assert (reply.status, header(reply, "content-type")) == (403, "application/problem+json")
    assert {name: said[name] for name in ("type", "title", "status", "detail", "decision", "receipt", "actions")} == {
        "type": "http://outgate.internal/problems/blocked",
        "title": "Blocked by policy",
        "status": 403,
        "detail": TELL,
        "decision": "block",
        "receipt": "w1-7",
        "actions": ["pay.create 1"],
    }


def test_problem_details_have_what_other_clients_look_for():
    said = json.loads(render(refused(), asked()).body)
    assert (said["message"], said["error"]["message"]) == (TELL, TELL)


def test_the_sentence_is_the_reason_phrase():
    assert render(refused(), asked()).reason == TELL


def test_every_refusal_names_its_decision_and_receipt_and_is_not_stored():
    reply = render(refused(), asked())
    assert [header(reply, name) for name in ("outgate-decision", "outgate-receipt", "cache-control")] == [
        "block",
        "w1-7",
        "no-store",
    ]


def test_without_a_receipt_no_header_pretends_one():
    assert header(render(refused(receipt=""), asked()), "outgate-receipt") is None


@pytest.mark.parametrize("answer", ["block", "escalate", "sandbox"])
@pytest.mark.parametrize("status", [400, 403, 407, 502, 503])
def test_a_refusal_says_that_retrying_is_no_use(answer, status):
    assert header(render(refused(answer=answer, status=status), asked()), "x-should-retry") == "false"


def test_a_throttled_request_may_be_retried_later():
    reply = render(refused(answer="throttle", status=429, retry_after=timedelta(seconds=1.2)), asked())
    assert (header(reply, "x-should-retry"), header(reply, "retry-after")) == (None, "2")


LIMITS = (
    LimitState(name="crm-rate", quota=60, window=60, left=0, reset=12),
    LimitState(name="crm-month", quota=1000, window=2_592_000, left=3, reset=86_400),
)


def test_the_limits_that_it_is_over_are_structured_fields():
    reply = render(refused(answer="throttle", status=429, retry_after=timedelta(seconds=12), limits=LIMITS), asked())
    assert header(reply, "ratelimit-policy") == '"crm-rate";q=60;w=60, "crm-month";q=1000;w=2592000'
    assert header(reply, "ratelimit") == '"crm-rate";r=0;t=12, "crm-month";r=3;t=86400'
    assert header(reply, "retry-after") == "12"
    said = json.loads(reply.body)
    assert said["limits"][0] == {"name": "crm-rate", "quota": 60, "window": 60, "remaining": 0, "reset": 12}
    assert said["retry_after"] == 12


def test_without_limits_no_header_pretends_one():
    reply = render(refused(answer="throttle", status=429), asked())
    assert [header(reply, name) for name in ("ratelimit", "ratelimit-policy", "retry-after")] == [None, None, None]


def test_a_limit_without_room_soon_is_not_to_be_retried_by_a_client_itself():
    reply = render(refused(answer="throttle", status=429, retry_after=timedelta(hours=3)), asked())
    assert (header(reply, "x-should-retry"), header(reply, "retry-after")) == ("false", "10800")


ASKED = Asked(
    id="abcd-efgh-ijkl", status_url="http://outgate.internal/approvals/abcd-efgh-ijkl", expires="2026-01-02T00:00:00.000Z"
)
WAITS = {"answer": "escalate", "kind": "approval-required", "retry_after": timedelta(seconds=60), "approval": ASKED}


def test_what_waits_for_people_says_where_it_stands():
    reply = render(refused(**WAITS), asked())
    said = json.loads(reply.body)
    assert {name: said[name] for name in ("approval_id", "status_url", "expires_at", "retry_after")} == {
        "approval_id": "abcd-efgh-ijkl",
        "status_url": "http://outgate.internal/approvals/abcd-efgh-ijkl",
        "expires_at": "2026-01-02T00:00:00.000Z",
        "retry_after": 60,
    }
    heads = [header(reply, name) for name in ("outgate-approval", "retry-after", "x-should-retry")]
    assert heads == ["abcd-efgh-ijkl", "60", "false"]


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked(accept="text/html"),
        asked(accept="text/plain"),
        asked(content_type="application/grpc"),
        asked(path="/o/r.git/info/refs", query="service=git-upload-pack", method="GET"),
        asked(path="/o/r.git/git-receive-pack", content_type="application/x-git-receive-pack-request", body=b"0000"),
        asked(body=b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}'),
        asked(path="/graphql"),
        asked(host="sqs.eu-west-1.amazonaws.com", content_type="application/x-amz-json-1.0"),
        asked(host="b.s3.amazonaws.com"),
        asked(host="ec2.eu-west-1.amazonaws.com", content_type="application/x-www-form-urlencoded"),
        asked(host="registry.npmjs.org"),
        asked(host="api.anthropic.com"),
        asked(host="slack.com"),
        asked(host="api.stripe.com"),
        asked(host="storage.googleapis.com"),
    ],
)
def test_the_sentence_has_the_address_in_every_protocol(request_):
    reply = render(refused(**WAITS), request_)
    read = reply.body or dict(reply.headers)["grpc-message"].encode()
    assert b"http://outgate.internal/approvals/abcd-efgh-ijkl says where it stands." in read


@pytest.mark.parametrize(
    ("kind", "title"),
    [("withheld", "Carried out, and its answer withheld"), ("approval-denied", "A person said no"), ("halted", "Halted")],
)
def test_the_title_says_what_kind_of_refusal_it_is(kind, title):
    said = json.loads(render(refused(kind=kind), asked()).body)
    assert (said["type"], said["title"]) == (f"http://outgate.internal/problems/{kind}", title)


def test_a_blocked_request_has_no_time_to_retry():
    assert header(render(refused(retry_after=timedelta(seconds=9)), asked()), "retry-after") is None


def test_who_is_not_known_is_asked_to_say_who_they_are():
    assert header(render(refused(status=407, kind="agent"), asked()), "proxy-authenticate") == 'Basic realm="outgate"'


def test_a_head_request_gets_no_body():
    assert render(refused(), asked(method="HEAD")).body == b""


def test_what_could_not_be_read_is_refused_with_problem_details():
    reply = render(refused(status=400, kind="unreadable"), Unreadable(status=400, why="no"))
    assert (reply.status, json.loads(reply.body)["detail"]) == (400, TELL)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("image/png", "application/problem+json"),
        ("application/problem+json, application/json", "application/problem+json"),
        ("application/json", "application/json"),
        ("application/vnd.github+json", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/markdown, text/html, */*", "text/plain; charset=utf-8"),
        ("text/event-stream, application/json", "application/json"),
    ],
)
def test_the_form_follows_what_the_client_accepts(accept, kind):
    assert header(render(refused(), asked(accept=accept)), "content-type") == kind


def test_a_page_shows_markup_of_the_agent_as_text():
    body = render(refused(tell="<script>alert(1)</script>"), asked(accept="text/html")).body
    assert b"<script>" not in body
    assert b"&lt;script&gt;" in body


def test_json_holds_no_markup_either():
    assert b"<script>" not in render(refused(tell="<script>alert(1)</script>"), asked()).body


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (asked(content_type="application/grpc+proto"), "application/grpc"),
        (asked(path="/o/r.git/info/refs", query="service=git-upload-pack", method="GET"), "text/plain; charset=utf-8"),
        (asked(body=b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}'), "application/json"),
        (asked(path="/graphql"), "application/json"),
        (asked(host="sqs.eu-west-1.amazonaws.com", content_type="application/x-amz-json-1.0"), "application/x-amz-json-1.0"),
        (asked(host="registry.npmjs.org"), "application/json"),
    ],
)
def test_a_protocol_with_a_form_of_its_own_gets_it(request_, kind):
    assert header(render(refused(), request_), "content-type") == kind


def test_a_form_keeps_the_headers_that_every_refusal_has():
    reply = render(refused(), asked(content_type="application/grpc"))
    assert [header(reply, name) for name in ("outgate-decision", "x-should-retry")] == ["block", "false"]
