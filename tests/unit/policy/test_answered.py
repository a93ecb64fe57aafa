import gzip
import json

import pytest

from outgate.intake.request import NoBody, UnreadBody, WholeBody
from outgate.policy.answered import answered_of
from outgate.policy.facts import Answered

JSON = [("content-type", "application/json")]


def of(content, headers=JSON, status=200):
    return answered_of(status, headers, WholeBody(content))


def test_a_list_is_counted_and_looked_into():
    content = json.dumps([{"id": 1}, {"id": 2, "key": "AKIAIOSFODNN7EXAMPLE"}]).encode()
    assert of(content) == Answered(status=200, rows=2, data=frozenset({"secret"}), size=len(content))


def test_a_coded_answer_is_decoded_first():
    content = json.dumps([1, 2, 3]).encode()
    assert of(gzip.compress(content), [*JSON, ("content-encoding", "gzip")]).rows == 3


def test_an_answer_without_a_body_has_nothing_in_it():
    assert answered_of(204, (), NoBody()) == Answered(status=204, rows=0, data=frozenset(), size=0)


def test_of_a_websocket_nothing_that_follows_is_known():
    assert answered_of(101, (), NoBody()) == Answered(status=101)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (UnreadBody(length=5), JSON),
        (WholeBody(b"x"), [*JSON, ("content-encoding", "rot13")]),
        (WholeBody(b"x"), [("content-encoding", "gzip")]),
    ],
)
def test_what_can_not_be_read_is_not_known(body, headers):
    assert answered_of(200, headers, body) == Answered(status=200)
