"""What a run is called."""

from __future__ import annotations

import pytest

from outgate.app.run import agent_name


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python -u tools/agent.py --fast", "agent.py"),
        ("python3.13 -m pip install x", "pip"),
        ("uv run agent.py", "agent.py"),
        ("env KEY=value node server.mjs -e prod", "server.mjs"),
        ("/usr/bin/curl https://example.com/x", "curl"),
        ("claude -p summarise", "claude"),
        ("ünï", "n"),
        ("---", "agent"),
    ],
)
def test_an_agent_is_named_by_what_it_is(command, name):
    assert agent_name(tuple(command.split())) == name


@pytest.mark.parametrize("command", [("sh", "-c"), ("bash", "-lc"), ("node", "-e"), ("python", "-c")])
def test_the_text_of_a_program_is_never_a_name(command):
    assert agent_name((*command, "token-hunter2")) == command[0]
