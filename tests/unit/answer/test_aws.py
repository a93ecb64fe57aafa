import json
from xml.etree import ElementTree as ET

import pytest

from outgate.answer.aws import render
from outgate.answer.reply import Refusal
from outgate.intake.request import Request

TELL = "Buckets <are> emptied by people & nobody else."


def answered(host="x.amazonaws.com", answer="block", status=403, **headers):
    refusal = Refusal(status=status, answer=answer, kind="blocked", tell=TELL, receipt="w1-7")
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return render(refusal, Request(method="POST", scheme="https", host=host, port=443, path="/", query=None, headers=named))


def signed(service):
    return f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"authorization": signed("s3")}, "./Message"),
        ({"host": "bucket.s3.eu-west-1.amazonaws.com"}, "./Message"),
        ({"authorization": signed("ec2")}, "./Errors/Error/Message"),
        ({"authorization": signed("iam"), "content_type": "application/x-www-form-urlencoded; charset=utf-8"}, "./Error/Message"),
        ({"authorization": signed("route53")}, "./Error/Message"),
    ],
)
def test_xml_services_answer_in_their_own_xml(headers, message):
    root = ET.fromstring(answered(**headers).body)
    assert root.find(message).text == TELL


@pytest.mark.parametrize("kind", ["application/x-amz-json-1.0", "application/x-amz-json-1.1"])
def test_json_services_name_the_error_in_the_body(kind):
    reply = answered(content_type=kind)
    assert dict(reply.headers)["Content-Type"] == kind
    assert json.loads(reply.body) == {"__type": "AccessDeniedException", "message": TELL, "Message": TELL}


def test_rest_services_name_the_error_in_a_header():
    reply = answered(authorization=signed("lambda"))
    assert dict(reply.headers)["x-amzn-ErrorType"] == "AccessDeniedException"
    assert json.loads(reply.body)["message"] == TELL


def test_a_throttled_call_says_throttling():
    assert b"<Code>Throttling</Code>" in answered(host="s3.amazonaws.com", answer="throttle", status=429).body


def test_an_endpoint_of_ones_own_is_known_by_its_signature():
    assert answered(host="minio.test", authorization=signed("s3")) is not None


@pytest.mark.parametrize("host", ["amazonaws.com.evil.test", "notamazonaws.com", "api.test"])
def test_other_hosts_are_left_to_others(host):
    assert answered(host=host) is None
