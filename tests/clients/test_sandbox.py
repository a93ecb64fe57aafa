"""An agent that works with real SDKs in the sandbox: it gets on as it would outside, and nobody outside sees any of it."""

from __future__ import annotations

from clients.under_gate import AGENTS, PYTHON

SAID = "This is an answer from a sandbox: no model was asked."


def test_an_agent_gets_on_in_the_sandbox_and_nobody_outside_sees_it(gate):
    policy = gate.policy("{id: play, match: {method: [GET, POST, PUT, PATCH, DELETE, HEAD]}, effect: sandbox}")
    policy.write_text(policy.read_text() + "mocks: {default: {answers: canned}}\n")
    ran = gate.run(PYTHON, AGENTS / "sandboxed.py", options=("--policy", policy))
    assert ran.code == 0, ran.stderr
    came = {name: said for line in ran.lines for name, said in line.items()}
    assert came["with_openai"] == {
        "whole": SAID,
        "tokens": 12,
        "pieces": SAID,
        "usage": 12,
        "answered": SAID,
        "streamed": SAID,
        "vectors": [1536, 1536],
        "models": True,
        "refused": "messages",
    }
    assert came["with_anthropic"] == {"whole": SAID, "pieces": SAID, "stop": "end_turn", "counted": True}
    assert came["with_stripe"] == {
        "read": ["ann", "finance"],
        "changed": "ann@example.test",
        "listed": [13, 13, True],
        "intent": ["succeeded", 500],
        "refund": ["re_", 200],
        "deleted": True,
        "gone": "resource_missing",
    }
    assert came["with_boto3"] == {
        "read": ["hello", "text/plain", {"who": "ann"}],
        "listed": ["a/b.txt"],
        "gone": "NoSuchKey",
    }
    assert came["with_urllib"] == {"issue": [1, "closed", "Fix it"], "slack": True, "mail": 202, "thing": "bob", "other": 404}
    assert {one.result for one in gate.decisions()} == {"mocked"}
    assert not gate.services.seen
