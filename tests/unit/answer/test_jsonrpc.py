import json

import pytest

from outgate.answer.jsonrpc import render
from outgate.answer.reply import Refusal
from outgate.intake.request import Request, WholeBody

TELL = "Files are deleted by people."
REFUSAL = Refusal(status=403, answer="block", kind="blocked", tell=TELL, receipt="w1-7")


def answered(body):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(
        method="POST", scheme="https", host="mcp.test", port=443, path="/mcp", query=None, headers=(), body=WholeBody(sent)
    )
    return render(REFUSAL, request)


def call(asked=1, **more):
    return {"jsonrpc": "2.0", "id": asked, "method": "tools/call", **more}


def test_a_call_gets_an_error_with_its_id():
    reply = answered(call("abc"))
    said = json.loads(reply.body)
    assert reply.status == 200
    assert (said["jsonrpc"], said["id"], said["error"]["code"], said["error"]["message"]) == ("2.0", "abc", 403, TELL)
    assert said["error"]["data"]["receipt"] == "w1-7"


def test_each_call_of_a_batch_gets_its_own_error():
    said = json.loads(answered([call(1), {"jsonrpc": "2.0", "method": "note"}, call(2)]).body)
    assert [error["id"] for error in said] == [1, 2]


def test_a_huge_batch_is_not_answered_hugely():
    assert len(json.loads(answered([call(n) for n in range(500)]).body)) == 100


@pytest.mark.parametrize(
    ("asked", "echoed"),
    [
        (0, 0),
        (-1, -1),
        (1.5, 1.5),
        ("", ""),
        (None, None),
        (True, None),
        ("x" * 999, None),
        (10**30, None),
        ([1], None),
        ({}, None),
    ],
)
def test_only_an_id_that_could_be_one_is_echoed(asked, echoed):
    assert json.loads(answered(call(asked)).body)["id"] == echoed


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity"])
def test_a_number_that_json_can_not_hold_is_not_echoed(number):
    said = answered(b'{"jsonrpc":"2.0","method":"x","id":%s}' % number)
    assert json.loads(said.body, parse_constant=pytest.fail)["id"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"jsonrpc"',
        b"[" * 100_000 + b'"jsonrpc"',
        b'{"jsonrpc":"2.0","method":"x","id":' + b"9" * 5000 + b"}",
        b'\xff"jsonrpc"',
        {"jsonrpc": "2.0", "method": "note"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "1.0", "id": 1, "method": "x"},
        {"jsonrpc": "2.0", "id": 1, "method": 7},
        [],
        [1, None, "jsonrpc"],
        call("x", pad="p" * (1 << 20)),
    ],
)
def test_what_awaits_no_answer_is_left_to_others(body):
    assert answered(body) is None
