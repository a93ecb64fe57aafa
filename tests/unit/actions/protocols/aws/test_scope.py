"""Who signed a request for what, as it says itself."""

import pytest
from aws_requests import KEY, OWNER, scope, signed

from outgate.actions.protocols.aws.hosts import Endpoint
from outgate.actions.protocols.aws.scope import Signature, account_of, disagreement, signature
from outgate.intake.bodies import Undecodable

GRANTED = (("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", scope("s3")))


def of(authorization=None, query=()):
    return signature((("authorization", authorization),) if authorization else (), tuple(query))


def test_a_header_says_key_region_and_service():
    assert of(signed("ec2")) == Signature(how="signed", service="ec2", region="eu-west-1", account=OWNER)


def test_the_order_and_the_spaces_of_a_header_are_the_senders():
    said = f"AWS4-HMAC-SHA256 Signature=00,SignedHeaders=host,Credential={scope('ec2')}"
    assert of(said).service == "ec2"


def test_a_signed_url_says_the_same():
    assert of(query=GRANTED) == Signature(how="presigned", service="s3", region="eu-west-1", account=OWNER)


def test_version_4a_names_no_region():
    said = f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/20260102/s3/aws4_request, SignedHeaders=host, Signature=00"
    assert of(said) == Signature(how="signed by 4A", service="s3", account=OWNER)


def test_nobody_needs_to_sign():
    assert (of().how, of("Bearer abc").how, of("AWS AKID:abc=").how) == ("unsigned", "bearer token", "signed by 2")


@pytest.mark.parametrize(
    ("authorization", "query"),
    [
        (signed("s3"), GRANTED),
        (signed("s3"), GRANTED[:1]),
        (None, GRANTED * 2),
        (None, (*GRANTED, ("x-amz-credential", scope("ec2")))),
        (None, GRANTED[1:]),
        (None, GRANTED[:1]),
        ("AWS4-HMAC-SHA256", ()),
        (signed("s3") + f", Credential={scope('ec2')}", ()),
        (f"AWS4-HMAC-SHA256 Credential={KEY}/20260102/eu-west-1/s3/aws4, SignedHeaders=host, Signature=00", ()),
        (f"AWS4-HMAC-SHA1 Credential={scope('s3')}, SignedHeaders=host, Signature=00", ()),
        ("Basic YTpi", ()),
    ],
)
def test_what_is_said_twice_or_in_another_way_is_not_read(authorization, query):
    assert isinstance(of(authorization, query), Undecodable)


def test_new_keys_say_whose_they_are_and_old_ones_do_not():
    assert account_of(KEY) == OWNER
    assert {account_of(key) for key in ("AKIAIOSFODNN7EXAMPLE", "AKIA123", "not-a-key", KEY.lower())} == {""}


@pytest.mark.parametrize(
    ("service", "region", "agrees"),
    [("ec2", "eu-west-1", True), ("", "", True), ("ec2", "", True), ("ec2", "us-east-1", False), ("s3", "eu-west-1", False)],
)
def test_scope_and_host_must_agree(service, region, agrees):
    at = Endpoint(kind="api", parts=("ec2",), signing=frozenset({"ec2"}), region="eu-west-1")
    assert (disagreement(Signature(how="signed", service=service, region=region), at) == "") is agrees
