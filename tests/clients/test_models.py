"""The SDKs of OpenAI and Anthropic: an answer arrives token by token, proven by cause and effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
