"""outgate.intake.agents"""

from __future__ import annotations

import pytest

from outgate.intake.agents import Agent


@pytest.mark.parametrize("name", ["a", "claude", "agent.py", "ops-bot@acme", "x" * 64, "7_up"])
def test_a_plain_name_is_one(name):
    assert Agent(id=name).id == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a\n", "\u0430gent", "x" * 65, "a\u200b", "\x1b[2J"])
def test_what_looks_like_another_name_is_none(name):
    with pytest.raises(ValueError, match="use 1 to 64 letters"):
        Agent(id=name)


def test_nothing_is_granted_that_was_not_said():
    agent = Agent(id="a")
    assert (agent.permissions, dict(agent.labels), agent.since) == (frozenset(), {}, None)
