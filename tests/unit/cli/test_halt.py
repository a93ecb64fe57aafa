"""outgate.cli.halt: what a person reads, and what a script does."""

from __future__ import annotations

import json

import pytest
from switched import Watching
from typer.testing import CliRunner

from outgate.cli.halt import app
from outgate.errors import ConfigError
from outgate.halt import Scope
from outgate.intake.agents import Agent
from outgate.stores.switch import FILE, SwitchFile

MAILER = Agent(id="mailer", team="growth")


@pytest.fixture
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "state"


def typed(state, *words):
    result = CliRunner().invoke(app, [*words, "--state", str(state)], catch_exceptions=False)
    assert all(len(line) <= 80 for line in result.output.splitlines() if "/" not in line)
    return result


def test_it_says_what_is_halted_and_how_much_was_cut(state):
    with Watching(state, under_way=[(MAILER, frozenset()), (MAILER, frozenset({"ses"}))]):
        result = typed(state, "mailer", "--why", "strange mails")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["agent mailer: halted", "  1 of 1 running gate confirmed; 2 cut in the middle"]


def test_without_a_gate_it_says_that_it_will_hold(state):
    assert typed(state, "--all").stdout.splitlines() == ["all: halted", "  no gate runs here; it holds for those that start"]


@pytest.mark.parametrize(
    ("words", "halted"),
    [
        (["mailer"], (Scope.AGENT, "mailer")),
        (["--team", "Growth & Mail"], (Scope.TEAM, "Growth & Mail")),
        (["--service", "stripe"], (Scope.SERVICE, "stripe")),
        (["--all"], (Scope.ALL, "")),
    ],
)
def test_an_agent_a_team_a_service_or_everything_is_halted(state, words, halted):
    typed(state, *words)
    assert [halt.of for halt in SwitchFile.open(state).halts.halts] == [halted]


def test_halting_again_says_so(state):
    typed(state, "mailer")
    assert typed(state, "mailer").stdout.startswith("agent mailer: halted already\n")


def test_a_name_that_no_gate_knows_is_said(state):
    with Watching(state, under_way=[(MAILER, frozenset())]):
        result = typed(state, "mailr")
    assert "no running gate has seen an agent 'mailr'" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("strpe", "the catalog has no service 'strpe', did you mean 'stripe'?"),
        ("our-own-billing", "the catalog has no service 'our-own-billing'"),
        ("stripe", ""),
        ("http", ""),
    ],
)
def test_a_service_that_the_catalog_does_not_have_is_halted_and_doubted(state, monkeypatch, tmp_path, service, said):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    result = typed(state, "--service", service)
    assert result.stdout.startswith(f"service {service}: halted\n")
    assert result.stderr == (f"outgate: {said}\n" if said else "")
    assert result.exit_code == 0


def test_a_catalog_that_can_not_be_read_is_no_reason_not_to_halt(state, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "outgate").mkdir()
    (tmp_path / "outgate/config.yaml").write_text("outgate: settings/v1alpha\nservices: nowhere\n")
    result = typed(state, "--service", "stripe")
    assert "nobody could look whether there is a service 'stripe'" in " ".join(result.stderr.split())
    assert result.exit_code == 0
    assert SwitchFile.open(state).halts.halts


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ([], "name one"),
        (["mailer", "--all"], "name one"),
        (["--team", "a", "--service", "b"], "name one"),
        (["a b"], "no agent's id"),
        (["../x"], "no agent's id"),
        ([""], "no agent's id"),
        (["--team", ""], "a team is 1 to 200"),
        (["--service", "a\nb"], "a service is 1 to 200"),
        (["--team", "x" * 201], "a team is 1 to 200"),
        (["--all", "--why", "x" * 1001], "--why is at most"),
    ],
)
def test_what_names_nothing_is_refused_before_anything_is_written(state, words, wrong):
    with pytest.raises(ConfigError, match=wrong):
        typed(state, *words)
    assert not state.exists()


def test_a_missing_receipt_is_said_loudly_and_the_halt_holds(state):
    state.mkdir()
    (state / "log").write_text("in the way")
    result = typed(state, "mailer")
    assert result.exit_code == 1
    assert result.stdout.startswith("agent mailer: halted\n")
    assert "the halt is in effect, but THERE IS NO RECEIPT OF IT" in " ".join(result.stderr.split())
    assert SwitchFile.open(state).halted(MAILER)


def test_a_gate_that_does_not_confirm_is_named(state):
    with Watching(state, "w7", deaf=True):
        result = typed(state, "--all")
    assert result.exit_code == 1
    assert "0 of 1 running gate confirmed" in result.stdout
    assert "gate w7 did not confirm: it does not know of the halt" in result.stderr


def test_a_switch_that_could_not_be_read_is_said(state):
    state.mkdir()
    (state / FILE).write_text("?")
    result = typed(state, "mailer")
    assert "the switch could not be read, and is begun anew" in " ".join(result.stdout.split())
    assert SwitchFile.open(state).halted(Agent(id="anybody"))


def test_a_script_gets_json(state):
    with Watching(state, under_way=[(MAILER, frozenset())]):
        result = CliRunner().invoke(app, ["mailer", "--json", "--state", str(state)])
    said = json.loads(result.stdout)
    assert (said["did"], said["scope"], said["name"], said["changed"]) == ("halt", "agent", "mailer", True)
    assert said["gates"] == [{"gate": "w1", "cut": 1, "wrong": ""}]
    assert said["halted"] == [{"scope": "agent", "name": "mailer"}]
