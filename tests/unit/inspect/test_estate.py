"""By whose credential a request asks is told from the slots that its service has, and nothing that an agent adds makes it ours."""

import base64
from hashlib import sha256

import pytest
from asked import asked

from outgate.actions.service import Auth
from outgate.inspect.estate import FOREIGN, NONE, OURS, credential_of

AUTH = Auth(headers=frozenset({"authorization", "x-api-key"}), query=frozenset({"key", "X-Amz-Credential"}))
KNOWN = frozenset(sha256(text.encode()).hexdigest() for text in ("ours-1", "ours-2", "AKIAOURS", "bob:ours-pair"))


def by(headers=None, query=""):
    return credential_of(asked(f"GET https://api.x.test/y{query}", headers=headers), AUTH, KNOWN)


def basic(text):
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "Bearer ours-1"}, ""),
        ({"authorization": "token ours-1"}, ""),
        ({"authorization": "ours-1"}, ""),
        ({"x-api-key": "ours-2"}, ""),
        (basic("x-access-token:ours-1"), ""),
        (basic("ours-1:"), ""),
        (basic("bob:ours-pair"), ""),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=AKIAOURS/20260101/eu-west-1/s3/aws4_request, Signature=0"}, ""),
        ({"authorization": "AWS4-HMAC-SHA256 SignedHeaders=host, Credential=AKIAOURS/20260101/eu/s3/aws4_request"}, ""),
        ({}, "?key=ours-1"),
        ({}, "?X-Amz-Credential=AKIAOURS%2F20260101%2Feu%2Fs3%2Faws4_request"),
    ],
)
def test_a_known_one_is_ours_however_it_is_written(headers, query):
    assert by(headers, query) == OURS


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "Bearer theirs"}, ""),
        ({"authorization": "Bearer ours-1 theirs"}, ""),
        ({"authorization": "Bearer ours-1", "x-api-key": "theirs"}, ""),
        ({"authorization": "Bearer ours-1"}, "?key=theirs"),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=AKIATHEIRS/2026/eu/s3/aws4_request, X=AKIAOURS"}, ""),
        ({"authorization": "Basic no-base64"}, ""),
        (basic("theirs:theirs"), ""),
        ({}, "?key=theirs&key=ours-1"),
        ({}, "?KEY=theirs"),
    ],
)
def test_anything_else_is_not_and_one_of_ours_beside_it_helps_nothing(headers, query):
    assert by(headers, query) == FOREIGN


def test_where_none_is_there_is_none():
    assert by() == NONE
    assert by({"x-other": "ours-1"}, "?other=ours-1") == NONE
