"""outgate.approvals.volatile"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from approvals_made import REQUEST

from outgate.approvals.volatile import PREFIXES, REDUCED, VOLATILE, lasting

README = Path(__file__).parents[3] / "proxy/outgate/approvals/README.md"


def kept(*headers: tuple[str, str]) -> list[tuple[str, str]]:
    return list(lasting(replace(REQUEST, headers=headers)))


def test_the_published_list_is_the_programs():
    text = README.read_text()
    without, part = (text.partition("| header | " + head)[2].split("\n\n")[0] for head in ("why it does not", "what counts"))
    assert set(re.findall(r"`([a-z0-9*-]+)`", without)) == {
        *frozenset[str]().union(*VOLATILE.values()),
        *(f"{prefix}*" for prefix in PREFIXES),
    }
    assert set(re.findall(r"^\| `([a-z-]+)` ", part, re.MULTILINE)) == set(REDUCED)


@pytest.mark.parametrize("name", sorted(frozenset[str]().union(*VOLATILE.values())))
def test_what_is_published_does_not_count(name: str):
    assert kept((name, "a"), ("x", "1")) == [("x", "1")]


def test_any_other_header_counts_by_name_and_in_its_order():
    assert kept(("x", "2"), ("a", "1"), ("x", "1")) == [("a", "1"), ("x", "2"), ("x", "1")]


@pytest.mark.parametrize("value", ["Bearer a", "Basic YTpi", "token ghp_x", "AWS4-HMAC-SHA256 nothing of the kind", "OAuth", "x"])
def test_a_credential_counts_whole(value: str):
    assert kept(("authorization", value)) == [("authorization", value)]


AWS = "AWS4-HMAC-SHA256 Credential=AKIA{}/{}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={}"


def test_of_an_aws_signature_the_key_and_its_scope_count():
    one = kept(("authorization", AWS.format("A", "20260131", "0a")), ("x-amz-date", "1"), ("x-amz-security-token", "t"))
    assert one == [("authorization", "AWS4-HMAC-SHA256 AKIAA/us-east-1/s3/aws4_request")]
    assert one == kept(("authorization", AWS.format("A", "20260201", "0b")), ("x-amz-date", "2"))
    assert one != kept(("authorization", AWS.format("B", "20260131", "0a")))


def test_a_date_counts_where_no_signature_carries_it():
    assert kept(("authorization", "Bearer a"), ("x-amz-date", "1"))[1] == ("x-amz-date", "1")


def test_of_an_azure_signature_the_account_counts():
    assert kept(("authorization", "SharedKey acme:c2ln"), ("x-ms-date", "1")) == [("authorization", "SharedKey acme")]


def test_of_oauth_and_digest_all_but_nonce_time_and_signature_counts():
    said = 'OAuth oauth_consumer_key="k", oauth_nonce="{}", oauth_signature="{}", oauth_token="t", oauth_timestamp="{}"'
    assert kept(("authorization", said.format("a", "b", "c"))) == kept(("authorization", said.format("1", "2", "3")))
    assert kept(("authorization", said)) == [("authorization", 'OAuth oauth_consumer_key="k", oauth_token="t"')]
    digest = 'Digest username="u", realm="r", nonce="{}", uri="/", response="{}", nc=00000001, cnonce="{}"'
    assert kept(("authorization", digest)) == [("authorization", 'Digest username="u", realm="r", uri="/"')]


def test_what_stands_in_quotes_is_no_parameter():
    one, other = (f'Digest username="u", realm="a, nonce={n}, b"' for n in "12")
    assert kept(("authorization", one)) != kept(("authorization", other))
    assert kept(("signature-input", 'a=("@method");keyid="k;created=1"')) != kept(
        ("signature-input", 'a=("@method");keyid="k;created=2"')
    )


def test_of_a_message_signature_the_key_counts_and_not_the_time():
    said = 'a=("@method");created={};keyid="k";nonce="{}";expires={}'
    assert kept(("signature-input", said.format(1, "a", 2))) == [("signature-input", 'a=("@method");keyid="k"')]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("wait=30", []),
        ("respond-async, wait=30", []),
        ("Wait=30", []),
        ("wait = 30", []),
        ("resolution=merge-duplicates, wait=5", [("prefer", "resolution=merge-duplicates")]),
        ("return=minimal", [("prefer", "return=minimal")]),
        ('a="wait, b"', [("prefer", 'a="wait, b"')]),
        ("wait=5; resolution=merge-duplicates", [("prefer", "wait=5; resolution=merge-duplicates")]),
        ("respond-async;return=minimal", [("prefer", "respond-async;return=minimal")]),
    ],
)
def test_how_long_a_client_waits_does_not_count_and_other_preferences_do(value: str, left: list[tuple[str, str]]):
    assert kept(("prefer", value)) == left


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("sentry-trace_id=1,sentry-sampled=true", []),
        ("routing-key=canary, sentry-trace_id=1", [("baggage", "routing-key=canary")]),
        ("a=1,sentry=2", [("baggage", "a=1,sentry=2")]),
    ],
)
def test_of_baggage_only_the_ids_of_a_trace_do_not_count_because_the_rest_may_route(value: str, left: list[tuple[str, str]]):
    assert kept(("baggage", value)) == left
