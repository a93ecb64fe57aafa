"""Every refusal reads in some form, and nothing that an agent wrote gets out of its place."""

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from outgate.answer.render import render
from outgate.answer.reply import Asked, LimitState, Refusal
from outgate.intake.request import NoBody, Request, Unreadable, UnreadBody, WholeBody

kinds = st.sampled_from(
    [
        *("application/json", "application/grpc", "application/grpc-web-text", "application/x-git-receive-pack-request"),
        *("application/x-git-upload-pack-request", "application/graphql", "application/x-amz-json-1.1", "text/html;q=x", ";;,"),
    ]
)
latin = st.text(st.characters(max_codepoint=255), max_size=60)
values = kinds | latin | st.sampled_from(["git/2", "npm/1", "gzip", "AWS4-HMAC-SHA256 Credential=a/b/s3/aws4_request"])
names = st.sampled_from(["content-type", "accept", "user-agent", "authorization", "content-encoding", "anthropic-version", "x"])
hosts = st.sampled_from(
    [
        "a.test",
        "api.anthropic.com",
        "slack.com",
        "storage.googleapis.com",
        "s3.amazonaws.com",
        "::1",
        "api.stripe.com",
        "github.com",
    ]
)
packets = st.lists(st.binary(max_size=80), max_size=5).map(lambda lines: b"".join(b"%04x%s" % (len(x) + 4, x) for x in lines))
calls = st.binary(max_size=60).map(lambda x: b'{"jsonrpc":"2.0","method":"m","id":' + x + b"}")
bodies = (
    st.just(NoBody())
    | st.builds(UnreadBody, too_large=st.booleans())
    | st.builds(WholeBody, st.binary(max_size=300) | packets | calls)
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    scheme=st.sampled_from(["http", "https"]),
    host=hosts,
    port=st.just(443),
    path=latin.map(lambda text: "/" + text) | st.sampled_from(["/graphql", "/r/info/refs"]),
    query=st.none() | latin,
    headers=st.lists(st.tuples(names, values), max_size=6).map(tuple),
    body=bodies,
)
readings = requests | st.builds(Unreadable, status=st.just(400), why=st.just("no"))
refusals = st.builds(
    Refusal,
    status=st.sampled_from([400, 403, 407, 413, 421, 429, 502, 503]),
    answer=st.sampled_from(["throttle", "escalate", "sandbox", "block"]),
    kind=st.text(max_size=30),
    tell=st.text(max_size=3000),
    receipt=st.text(max_size=200),
    actions=st.lists(st.text(max_size=400), max_size=30).map(tuple),
    retry_after=st.none() | st.timedeltas(),
    limits=st.lists(
        st.builds(LimitState, **dict.fromkeys(("quota", "window", "left", "reset"), st.integers()), name=st.text()), max_size=12
    ).map(tuple),
    approval=st.none()
    | st.builds(
        Asked,
        id=st.just("abcd-efgh-ijkl"),
        status_url=st.just("http://outgate.internal/approvals/abcd-efgh-ijkl"),
        expires=st.text(max_size=50),
    ),
)


@given(refusals, readings)
def test_every_refusal_of_every_request_can_be_rendered(refusal, reading):
    reply = render(refusal, reading)
    assert 200 <= reply.status <= 599


@given(refusals, readings)
def test_a_header_holds_printable_ascii_and_nothing_else(refusal, reading):
    reply = render(refusal, reading)
    for name, value in (*reply.headers, ("reason", reply.reason)):
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert re.fullmatch(r"[ -~]*", value)


@given(refusals, readings)
def test_no_header_is_said_twice(refusal, reading):
    names = [name.lower() for name, _ in render(refusal, reading).headers]
    assert len(names) == len(set(names))


@given(refusals, readings)
def test_what_an_agent_sent_does_not_make_the_answer_large(refusal, reading):
    assert len(render(refusal, reading).body) < 200_000


@given(refusals, readings)
def test_only_a_throttled_request_lacks_the_word_against_retrying(refusal, reading):
    told = dict(render(refusal, reading).headers).get("x-should-retry")
    soon = refusal.answer == "throttle" and refusal.retry_after is not None and refusal.retry_after <= timedelta(minutes=1)
    assert told == (None if soon else "false")


@given(refusals, requests)
def test_an_approvals_address_is_in_whatever_a_client_reads(refusal, request):
    reply = render(refusal, request)
    url = "" if refusal.approval is None or refusal.answer != "escalate" else "http://outgate.internal/approvals/abcd-efgh-ijkl"
    read = reply.body or dict(reply.headers).get("grpc-message", "").encode()
    assert request.method == "HEAD" or url.encode() in read
    assert (dict(reply.headers).get("Outgate-Approval") == "abcd-efgh-ijkl") == bool(url)


@given(refusals, requests)
def test_a_head_request_never_gets_a_body(refusal, request):
    assert request.method != "HEAD" or not render(refusal, request).body
