"""The SDKs of OpenAI and Anthropic, and streams at large: token by token through the gate, proven by cause and effect."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from clients.everything import BLOCK
from clients.under_gate import AGENTS, PYTHON
from clients.vendors import TOKENS

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

ASKS = ("openai-chat", "openai-responses", "anthropic")
TELL = "Models are not asked from here today."
NO_MODELS = f'{{id: no-models, match: {{host: [api.openai.com, api.anthropic.com]}}, effect: block, tell: "{TELL}"}}'


def test_sdks_read_token_by_token(gate: Gate):
    """The model sends a token only after the one before was acknowledged, by another request through the same gate."""
    ran = gate.run(PYTHON, AGENTS / "models.py", "run", *ASKS)
    assert [one.get("tokens") for one in ran.lines] == [list(TOKENS)] * 3, (ran.stdout, ran.stderr)
    streamed = [one for one in gate.decisions() if one.line.startswith("POST")]
    assert [one.fields["actions"][0]["name"] for one in streamed] == [
        "openai.chat.completions.create", "openai.responses.create", "anthropic.messages.create",
    ]  # fmt: skip


def test_a_refused_sdk_raises_with_the_sentence_and_asks_once(gate: Gate, services: LookAlikes):
    ran = gate.run(PYTHON, AGENTS / "models.py", "refused", *ASKS, options=("--policy", gate.policy(NO_MODELS)))
    assert [one.get("kind") for one in ran.lines] == ["PermissionDeniedError"] * 3, (ran.stdout, ran.stderr)
    assert all(TELL in one["error"] for one in ran.lines), ran.stdout
    assert [one.answer for one in gate.decisions()] == ["block"] * 3
    assert services.connections == 0


def test_node_reads_events_as_they_come(gate: Gate):
    ran = gate.run("node", AGENTS / "fetch_stream.mjs", "run-node")
    assert ran.lines == [[f"event {n}" for n in range(1, 6)]], (ran.stdout, ran.stderr)


def test_a_large_download_begins_before_it_ends_and_is_whole(gate: Gate):
    blocks = 512
    ran = gate.run(PYTHON, AGENTS / "download.py", blocks, "run-download")
    assert ran.stdout.split() == [hashlib.sha256(BLOCK * blocks).hexdigest(), str(blocks * len(BLOCK))], ran.stderr
    download = next(one for one in gate.decisions() if "download.test" in one.line)
    assert download.outcome["received"] == blocks * len(BLOCK)


def test_a_client_that_leaves_a_stream_leaves_a_record(gate: Gate, services: LookAlikes):
    ran = gate.run("sh", "-c", "curl -sSN 'https://download.test/events' | head -n 2; curl -sS https://other.test/after")
    assert "id: 1" in ran.stdout
    assert json.loads(ran.stdout.splitlines()[-1]) == {"ok": True}
    assert len(services.seen) == len(gate.decisions()) == 2
