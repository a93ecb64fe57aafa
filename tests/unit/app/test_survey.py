"""outgate.app.survey: what is broken is said, and holds up nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from switched import Watching

from outgate.app.gates import Answered
from outgate.app.survey import survey, troubles
from outgate.approvals.approval import Approval, Panel, Vote
from outgate.halt import Halt, Scope
from outgate.stores.desk_sqlite import SqliteDesk
from outgate.stores.switch import FILE, SwitchFile


@pytest.fixture
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "state"


def approval(name, **said):
    now = datetime.now(UTC)
    panel = Panel(name="ops", need=2, of=("*",), within=timedelta(hours=1), rules=("r",))
    return Approval(
        id=name,
        request=f"sha256:{name}",
        agent="mailer",
        panels=(panel,),
        statement=b"{}",
        asked=now,
        expires=now + timedelta(hours=1),
        **said,
    )


def test_where_nothing_is_all_is_well(state):
    found = survey(state)
    assert (found.gates, found.halts.halts, found.pending, found.sound) == ((), (), [], True)
    assert not state.exists(), "looking makes nothing"


def test_gates_halts_and_what_waits_are_found(state):
    SwitchFile.open(state).halt(Halt(scope=Scope.AGENT, name="mailer"))
    with Watching(state, "w1"):
        found = survey(state)
    assert [gate.writer for gate in found.gates] == ["w1"]
    assert [str(halt) for halt in found.halts.halts] == ["agent mailer"]
    assert found.sound


async def test_what_people_denied_waits_for_nobody(state):
    desk = SqliteDesk.open(state / "desk.sqlite")
    await desk.ask(approval("abcd-efgh-2345"))
    await desk.ask(approval("bcde-fghi-2345"))
    vote = Vote(person="alice", deny=True, key="SHA256:x", signature="s", at=datetime.now(UTC))
    await desk.vote("bcde-fghi-2345", vote)
    await desk.close()
    found = await asyncio.to_thread(survey, state)
    assert [one.id for one in found.pending] == ["abcd-efgh-2345"]


def test_what_is_broken_is_said_and_the_rest_is_told_all_the_same(state):
    SwitchFile.open(state).halt(Halt(scope=Scope.AGENT, name="mailer"))
    (state / "desk.sqlite").write_text("no database, but long enough to be taken for one" * 100)
    (state / FILE).write_text("?")
    with Watching(state, "w1"):
        found = survey(state)
    assert "damaged" in found.desk
    assert "can't be relied on" in found.switch
    assert [gate.writer for gate in found.gates] == ["w1"]
    assert not found.sound


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({}, []),
        ({"unready": [], "reload": None}, []),
        ({"unready": ["the log is closed"], "reload": {"problems": ["x.yaml:5: no"]}}, ["the log is closed", "x.yaml:5: no"]),
    ],
)
def test_a_gate_that_is_not_ready_or_could_not_reload_needs_somebody(said, wrong):
    assert troubles(Answered(writer="w1", said=said)) == wrong
