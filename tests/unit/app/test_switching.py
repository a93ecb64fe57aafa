"""outgate.app.switching: with real gates' sockets, real files and a real log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from switched import Watching

from outgate.app.record import operator
from outgate.app.switching import halt, resume
from outgate.disk import try_lock
from outgate.errors import ConfigError, UnavailableError
from outgate.halt import Scope
from outgate.intake.agents import Agent
from outgate.stores.logs import all_receipts, log_folder
from outgate.stores.switch import FILE, SwitchFile

MAILER, CODER = Agent(id="mailer", team="growth"), Agent(id="coder")


@pytest.fixture
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "state"


def receipts(state):
    return [(receipt.type, receipt.fields["about"]) for receipt in all_receipts(log_folder(state))]


def test_a_halt_is_kept_recorded_and_confirmed_by_every_gate(state):
    with (
        Watching(state, "w1", under_way=[(MAILER, frozenset({"ses"})), (CODER, frozenset())]) as one,
        Watching(state, "w2", under_way=[(MAILER, frozenset())]) as other,
    ):
        thrown = halt(state, Scope.AGENT, "mailer", "strange mails")
    assert thrown.whole
    assert [(gate.writer, gate.cut) for gate in thrown.gates] == [("w1", 1), ("w2", 1)]
    assert (one.under_way, other.under_way) == ([(CODER, frozenset())], [])
    assert SwitchFile.open(state).halted(MAILER).why == "strange mails"
    ((what, about),) = receipts(state)
    assert what == "halt"
    assert about == {
        "scope": "agent",
        "name": "mailer",
        "changed": True,
        "cut": 2,
        "why": "strange mails",
        "by": operator(),
    }


def test_a_resume_is_kept_recorded_and_confirmed_too(state):
    halt(state, Scope.TEAM, "growth", "")
    with Watching(state) as gate:
        thrown = resume(state, Scope.TEAM, "growth", "all is well")
        assert gate.watch.said()["halts"] == []
    assert thrown.whole
    assert thrown.turned.changed
    assert [what for what, _ in receipts(state)] == ["halt", "resume"]


def test_it_works_without_any_gate(state):
    thrown = halt(state, Scope.ALL, "", "")
    assert (thrown.whole, thrown.gates) == (True, ())


def test_a_gate_that_never_saw_the_agent_says_so(state):
    with Watching(state, under_way=[(CODER, frozenset())]):
        assert [gate.known for gate in halt(state, Scope.AGENT, "mailr", "").gates] == [False]
        assert [gate.known for gate in halt(state, Scope.AGENT, "coder", "").gates] == [False]  # cut, and gone


def test_a_gate_that_answers_and_does_not_know_is_not_a_confirmation(state):
    with Watching(state, deaf=True):
        thrown = halt(state, Scope.ALL, "", "")
    assert not thrown.whole
    assert thrown.gates[0].wrong == "it does not know of the halt"


def test_a_gate_that_runs_and_can_not_be_asked_is_not_a_confirmation(state, monkeypatch):
    monkeypatch.setattr("outgate.app.gates.PATIENCE", 0.0)
    (log_folder(state) / "w1").mkdir(parents=True)
    lock = try_lock(log_folder(state) / "w1" / "lock", create=True)
    thrown = halt(state, Scope.ALL, "", "")
    os.close(lock)
    assert SwitchFile.open(state).halted(CODER)
    assert not thrown.whole
    assert thrown.gates[0].wrong == "it runs, and can't be asked"


def test_a_record_that_can_not_be_kept_stops_no_halt_and_is_said(state):
    state.mkdir()
    (state / "log").write_text("in the way")
    with Watching(state, under_way=[(MAILER, frozenset())]) as gate:
        thrown = halt(state, Scope.AGENT, "mailer", "")
    assert gate.under_way == []
    assert SwitchFile.open(state).halted(MAILER)
    assert not thrown.whole
    assert "no log can be kept" in thrown.unrecorded


def test_ledger_desk_and_settings_are_not_asked(state):
    state.mkdir()
    for name in ("ledger.sqlite", "desk.sqlite"):
        (state / name).write_text("no database")
    assert halt(state, Scope.ALL, "", "").whole


def test_a_switch_that_can_not_be_written_is_one_sentence_and_no_receipt_says_otherwise(state):
    state.parent.mkdir(exist_ok=True)
    state.write_text("no folder")
    with pytest.raises(UnavailableError, match="can't be written"):
        halt(state, Scope.ALL, "", "")


def test_a_switch_that_can_not_be_read_lifts_nothing_by_name(state):
    state.mkdir()
    (state / FILE).write_text("?")
    with pytest.raises(ConfigError, match="begin anew"):
        resume(state, Scope.AGENT, "mailer", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root goes on as somebody else")
def test_what_root_halts_belongs_to_whose_gate_it_is():
    base = Path("/tmp") / f"outgate-owned-{os.getpid()}"
    state = base / "state"
    state.mkdir(parents=True)
    base.chmod(0o755)
    os.chown(state, 65534, 65534)
    script = (
        "import sys; from pathlib import Path; from outgate.app.switching import halt; from outgate.halt import Scope\n"
        "assert halt(Path(sys.argv[1]), Scope.ALL, '', '').whole"
    )
    try:
        done = subprocess.run([sys.executable, "-c", script, str(state)], check=False, capture_output=True, text=True)
        owners = {path.stat().st_uid for path in state.rglob("*")}
    finally:
        shutil.rmtree(base)
    assert done.returncode == 0, done.stderr
    assert owners == {65534}
