from datetime import timedelta

import pytest

from outgate.answer.grpc import percent, render
from outgate.answer.reply import Refusal
from outgate.intake.request import Request


def answered(kind, **changes):
    refusal = Refusal(**{"status": 403, "answer": "block", "kind": "blocked", "tell": "Für 100 %.", "receipt": ""} | changes)
    headers = (("content-type", kind),)
    return render(
        refusal, Request(method="POST", scheme="https", host="g.test", port=443, path="/a.B/C", query=None, headers=headers)
    )


def test_a_refusal_is_a_response_of_headers_alone():
    reply = answered("application/grpc")
    said = dict(reply.headers)
    assert (reply.status, reply.body) == (200, b"")
    assert (said["grpc-status"], said["grpc-message"]) == ("7", "F%C3%BCr 100 %25.")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("application/grpc+proto", "application/grpc"),
        ("application/grpc-web", "application/grpc-web"),
        ("application/grpc-web+proto", "application/grpc-web"),
        ("application/grpc-web-text", "application/grpc-web-text"),
    ],
)
def test_the_answer_is_in_the_flavour_that_asked(asked, said):
    assert dict(answered(asked).headers)["Content-Type"] == said


@pytest.mark.parametrize("kind", ["", "application/json", "application/grpcx", "text/grpc"])
def test_other_types_are_left_to_others(kind):
    assert answered(kind) is None


@pytest.mark.parametrize(("status", "code"), [(403, "7"), (408, "4"), (502, "14"), (503, "13"), (504, "4")])
def test_what_went_wrong_is_not_taken_for_a_permission_that_is_missing(status, code):
    assert dict(answered("application/grpc", status=status).headers)["grpc-status"] == code


def test_a_refused_call_is_not_to_be_retried():
    assert dict(answered("application/grpc").headers)["grpc-retry-pushback-ms"] == "-1"


def test_a_throttled_call_is_out_of_resources_and_may_be_retried():
    said = dict(answered("application/grpc", status=429, answer="throttle", retry_after=timedelta(seconds=1.5)).headers)
    assert (said["grpc-status"], said["grpc-retry-pushback-ms"]) == ("8", "2000")


@pytest.mark.parametrize("after", [None, timedelta(minutes=2)])
def test_a_call_whose_limit_has_no_room_soon_is_not_to_be_retried(after):
    said = dict(answered("application/grpc", status=429, answer="throttle", retry_after=after).headers)
    assert said["grpc-retry-pushback-ms"] == "-1"


def test_a_message_is_percent_encoded_byte_by_byte():
    assert percent("a%\x7f\té ~") == "a%25%7F%09%C3%A9 ~"
