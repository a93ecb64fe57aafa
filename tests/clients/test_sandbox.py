"""An agent that works with real SDKs in the sandbox: it gets on as it would outside, and nobody outside sees any of it."""

from __future__ import annotations

import subprocess

from clients.under_gate import AGENTS, OUTGATE, PYTHON

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
        "vectors": [600, 1536],
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


ASK = """
import openai
asked = [{"role": "user", "content": "Count."}]
print(openai.OpenAI(api_key="not-a-key").chat.completions.create(model="gpt-4o-mini", messages=asked).model_dump_json())
"""


def test_what_was_recorded_outside_is_answered_in_the_sandbox(gate, work):
    def mock(*words):
        command = [str(OUTGATE), "mock", *words]
        return subprocess.run(command, env=gate.env(), capture_output=True, text=True, check=True, cwd=gate.folder).stdout

    mock("record", "--service", "openai", "--out", "kept")
    outside = gate.run(PYTHON, "-c", ASK, options=("--policy", gate.policy()))
    assert outside.code == 0, outside.stderr
    assert mock("record", "--stop") == "Recording has ended.\n"
    kept = gate.folder / "kept" / "openai.yaml"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "not-a-key" not in kept.read_text()
    assert "ok. openai" in mock("check", str(kept))
    (seen,) = gate.services.seen
    assert seen.line == "POST api.openai.com/v1/chat/completions"
    gate.settings["mocks"] = str(kept)
    policy = gate.policy("{id: play, match: {service: openai}, effect: sandbox}")
    policy.write_text(policy.read_text() + "mocks: {default: {answers: canned}}\n")
    inside = gate.run(PYTHON, "-c", ASK, options=("--policy", policy))
    assert inside.code == 0, inside.stderr
    assert inside.lines == outside.lines
    assert [one.result for one in gate.decisions()] == ["executed", "mocked"]
    assert len(gate.services.seen) == 1
