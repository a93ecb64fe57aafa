"""outgate.cli.resume"""

from __future__ import annotations

import pytest
from switched import Watching
from typer.testing import CliRunner

from outgate.cli import halt
from outgate.cli.resume import app
from outgate.errors import ConfigError
from outgate.halt import Halts
from outgate.stores.switch import FILE, SwitchFile


@pytest.fixture
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "state"


def typed(state, *words, command=app):
    return CliRunner().invoke(command, [*words, "--state", str(state)], catch_exceptions=False)


def halted(state, *words):
    typed(state, *words, command=halt.app)


def test_it_lifts_exactly_that_halt_and_says_what_stays(state):
    halted(state, "mailer")
    halted(state, "--all")
    result = typed(state, "--all")
    assert result.stdout.splitlines() == ["all: resumed", "  no gate runs here", "  still halted: agent mailer"]
    assert [str(one) for one in SwitchFile.open(state).halts.halts] == ["agent mailer"]


def test_running_gates_confirm(state):
    halted(state, "mailer")
    with Watching(state):
        result = typed(state, "mailer")
    assert result.stdout.splitlines() == ["agent mailer: resumed", "  1 of 1 running gate confirmed"]
    assert result.exit_code == 0


def test_resuming_what_is_not_halted_says_so(state):
    assert typed(state, "mailer").stdout.startswith("agent mailer: not halted\n")


def test_a_gate_that_still_halts_is_named(state):
    halted(state, "mailer")
    with Watching(state, deaf=True):
        result = typed(state, "mailer")
    assert result.exit_code == 1
    assert "did not confirm: it does not know of the resume" in result.stderr


def test_where_the_switch_can_not_be_read_only_everything_can_be_resumed(state):
    state.mkdir()
    (state / FILE).write_text("?")
    with pytest.raises(ConfigError, match="outgate resume --all"):
        typed(state, "mailer")
    assert typed(state, "--all").exit_code == 0
    assert SwitchFile.open(state).halts == Halts()
