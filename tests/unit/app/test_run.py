"""outgate.app.run: what can be told without starting anything. The rest is tried whole, in tests/faults and tests/clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from outgate.app.run import _guarded, agent_name
from outgate.intake.agents import AGENT_ID


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("claude", "claude"),
        ("/usr/local/bin/claude --continue", "claude"),
        ("python agent.py", "agent.py"),
        ("python3.13 -u tools/agent.py --fast", "agent.py"),
        ("env TOKEN=hunter2 node bot.mjs", "bot.mjs"),
        ("uv run agent.py", "agent.py"),
        ("python", "python"),
        ("bash -c secret-words", "bash"),
        ("node -e fetch('https://x.test')", "node"),
        ("./Agent_1@home.sh", "Agent_1@home.sh"),
    ],
)
def test_an_agent_is_named_by_what_it_is(command, name):
    assert agent_name(tuple(command.split(" "))) == name


@pytest.mark.parametrize("word", ["агент", "a b", "x" * 500, "-", "...", "@@@", "\x1b[2J", ""])
def test_whatever_a_command_is_called_its_agents_name_is_one(word):
    assert AGENT_ID.fullmatch(agent_name((f"/opt/{word}",)))


def test_a_policys_folder_is_guarded_so_that_nothing_is_put_beside_it(tmp_path):
    (tmp_path / "policies").mkdir()
    file = tmp_path / "policies" / "mine.yaml"
    assert list(_guarded([file], [tmp_path / "work"])) == [tmp_path / "policies"]


def test_where_the_agent_works_the_policy_alone_is_guarded(tmp_path):
    assert list(_guarded([tmp_path / "mine.yaml"], [tmp_path])) == [tmp_path / "mine.yaml"]
    assert list(_guarded([Path("/a/mine.yaml")], [Path("/a/b/work")])) == [Path("/a/mine.yaml")]
