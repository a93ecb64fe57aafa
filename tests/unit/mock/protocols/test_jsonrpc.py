import pytest
from sandboxed import said, to_mock

from outgate.mock.protocols.jsonrpc import answer


def call(method, declared=False, **params):
    return answer(to_mock("POST /mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), declared=declared)


def result(method, **params):
    made = said(call(method, **params))
    assert (made["jsonrpc"], made["id"]) == ("2.0", 1)
    return made["result"]


def test_a_session_can_be_had():
    made = result("initialize", protocolVersion="2025-03-26")
    assert made["protocolVersion"] == "2025-03-26"
    assert made["serverInfo"]["name"] == "outgate-sandbox"
    assert result("tools/list") == {"tools": []}
    assert result("ping") == {}


def test_a_tool_says_that_nothing_was_done():
    made = result("tools/call", name="delete_issue", arguments={"id": "ENG-7"})
    assert made["isError"] is False
    assert "delete_issue was accepted and not done" in made["content"][0]["text"]
    assert "ENG-7" in made["content"][0]["text"]


def test_any_other_method_gets_back_what_it_said():
    assert result("eth_sendTransaction", to="x") == {"sandbox": True, "method": "eth_sendTransaction", "params": {"to": "x"}}


def test_a_batch_gets_an_answer_for_each_that_awaits_one():
    calls = [{"jsonrpc": "2.0", "id": "a", "method": "ping"}, {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    assert [one["id"] for one in said(answer(to_mock("POST /", json=calls), declared=False))] == ["a"]


def test_a_notification_and_an_answer_are_taken():
    for body in ({"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 1, "result": {}}):
        taken = answer(to_mock("POST /", json=body), declared=False)
        assert (taken.status, taken.body) == (202, b"")


@pytest.mark.parametrize("body", [{"id": 1, "method": "x"}, [], [1], {"jsonrpc": "1.0", "id": 1, "method": "x"}, "x"])
def test_what_is_no_call_is_somebody_elses(body):
    assert answer(to_mock("POST /", json=body), declared=True) is None


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("DELETE", 204)])
def test_a_session_ends_and_has_no_stream_where_mcp_is_spoken(method, status):
    assert answer(to_mock(f"{method} /mcp"), declared=True).status == status
    assert answer(to_mock(f"{method} /mcp"), declared=False) is None
