"""outgate.cli.status: over a whole gate, and over what can be wrong with one."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from outgate.app.gates import Answered
from outgate.app.grounds import grounds
from outgate.app.live import Live
from outgate.app.parts import Parts
from outgate.app.survey import Survey
from outgate.approvals.approval import Approval, Panel
from outgate.ca.authority import make_authority
from outgate.cli.status import app, lines
from outgate.halt import Halt, Halts, Scope
from outgate.keys.ed25519 import SigningKey
from outgate.policy.decision import Decision, Match, Reason
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import Charge, Hold, Limit, Window
from outgate.ports import Over, Reserved
from outgate.stores.switch import FILE, SwitchFile
from outgate.telemetry.metrics import Metrics

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setenv("OUTGATE_STATE", str(folder / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(folder / "config"))
    return folder


@pytest.fixture
async def parts(folder):
    """A gate that runs, and has seen something."""
    parts = Parts(found=grounds(), key=SigningKey.from_seed(bytes(32)), metrics=Metrics())
    async with AsyncExitStack() as stack:
        await parts.build(stack, make_authority(datetime.now(UTC)))
        await stack.enter_async_context(Live(parts, kind="run", read=grounds))
        for answer in (Effect.ALLOW, Effect.ALLOW, Effect.BLOCK):
            decision = Decision(answer=answer, would=answer, verdicts=(), reason=Reason.POLICY, tell="", why="")
            parts.seen.decided("mailer", decision, 0.1)
        match = Match(rule="crm-rate", effect=Effect.THROTTLE, mode=Mode.ENFORCE)
        charge = Charge(
            key='crm-rate count/minute {"agent.id":"mailer"}',
            limit=Limit(amount=60, unit="count", window=Window.MINUTE),
            amount=1,
            hold=Hold.BINDING,
            match=match,
        )
        parts.seen.reserved(Reserved(over=(Over(charge=charge, wait=timedelta(hours=3)),)))
        yield parts


def shown(*words):
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if not line.startswith("{"))
    return result


async def typed(*words):
    return await asyncio.to_thread(shown, *words)


async def test_what_runs_and_what_it_saw_is_one_page(parts):
    result = await typed()
    assert result.exit_code == 0
    blocks = [block.splitlines() for block in result.stdout.split("\n\n")]
    assert blocks[0][0].startswith(f"gate {parts.journal.writer}  run  pid ")
    assert blocks[0][1].startswith("  policy    coding-agent, observe, sha256:")
    assert blocks[0][2] == "  open      0 clients, 0 upstreams, 0 held"
    assert [line.split() for line in blocks[1]] == [
        ["agent", "open", "last", "answers"],
        ["mailer", "0", "0", "s", "allow", "2", "block", "1"],
    ]
    assert [line.split() for line in blocks[2]] == [
        ["over", "a", "limit", "whose", "left", "room", "in"],
        ["crm-rate", "mailer", "0", "2", "h"],
    ]


async def test_who_is_halted_is_shown_with_who_did_it_and_why(parts):
    halt = Halt(scope=Scope.AGENT, name="mailer", why="strange mails", by="alice", at=NOW)
    await asyncio.to_thread(SwitchFile.open(parts.found.state).halt, halt)
    result = await typed()
    assert "agent mailer  0    2026-01-31 12:00  alice  strange mails" in result.stdout


async def test_programs_get_everything(parts):
    said = json.loads((await typed("--json")).stdout)
    assert [gate["gate"] for gate in said["gates"]] == [parts.journal.writer]
    assert said["gates"][0]["agents"][0]["answers"] == {"allow": 2, "block": 1}
    assert (said["halted"], said["pending"], said["silent"]) == ([], [], [])


def test_where_nothing_runs_that_is_said(folder):
    result = shown()
    assert (result.stdout, result.exit_code) == ("no gate runs here\n", 0)


def test_a_switch_that_can_not_be_read_is_said_and_needs_somebody(folder):
    (folder / "state").mkdir()
    (folder / "state" / FILE).write_text("?")
    result = shown()
    assert result.exit_code == 1
    assert "the switch: " in result.stdout
    assert "all" in result.stdout


def survey(**said):
    whole = {"gates": (), "halts": Halts(), "switch": "", "pending": (), "desk": ""}
    return Survey(**(whole | said))


def page(found):
    rows = list(lines(found, NOW))
    assert all(len(row) <= 80 for row in rows)
    return "\n".join(rows)


def gate(**said):
    whole = {
        "kind": "serve",
        "pid": 7,
        "since": "2026-01-31T11:00:00.000Z",
        "policy": {"name": "finance", "mode": "enforce", "digest": "sha256:0123456789abcdef"},
        "clients": 1,
        "upstreams": 1,
        "held": 0,
        "receipts": 1,
        "reload": None,
        "unready": [],
        "agents": [],
        "limits": [],
    }
    return Answered(writer="0123456789ab", said=whole | said)


def test_a_reload_that_failed_names_every_problem():
    reload = {"at": "2026-01-31T11:58:00.000Z", "ok": False, "problems": ["a.yaml:1: no", "b.yaml:2: nor"], "restart": ["listen"]}
    text = page(survey(gates=[gate(reload=reload, unready=["the log is closed"])]))
    assert "reload    2 min ago: FAILED, and what held before still does:\n    a.yaml:1: no\n    b.yaml:2: nor" in text
    assert "restart   needed for what was changed of listen" in text
    assert "NOT READY\n    the log is closed" in text


def test_a_gate_that_does_not_answer_is_named():
    assert page(survey(gates=[Answered(writer="w1", said={}, wrong="it runs, and can't be asked")])).startswith(
        "gate w1: it runs, and can't be asked"
    )


def test_an_agent_that_comes_in_by_several_gates_is_one_row():
    one = {"agent": "mailer", "connections": 1, "answers": {"allow": 2}, "last": "2026-01-31T11:00:00.000Z"}
    other = {"agent": "mailer", "connections": 2, "answers": {"allow": 1, "block": 1}, "last": "2026-01-31T11:59:00.000Z"}
    text = page(survey(gates=[gate(agents=[one]), gate(agents=[other])]))
    assert text.splitlines()[-1].split() == ["mailer", "3", "1", "min", "allow", "3", "block", "1"]


def test_what_waits_for_people_is_shown_with_how_many_signed():
    panel = Panel(name="ops", need=2, of=("*",), within=timedelta(hours=1))
    asked = Approval(
        id="abcd-efgh-2345",
        request="sha256:0",
        agent="mailer",
        panels=(panel,),
        statement=b"{}",
        asked=NOW - timedelta(minutes=5),
        expires=NOW + timedelta(minutes=55),
    )
    row = page(survey(pending=[asked])).splitlines()[-2]
    assert row.split() == ["abcd-efgh-2345", "mailer", "0", "of", "2", "5", "min", "ago", "55", "min"]


def test_names_can_not_drive_the_terminal():
    text = page(survey(halts=Halts((Halt(scope=Scope.TEAM, name="a\x1b[2J", why="b\u202e"),))))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_many_rows_are_cut_and_counted():
    agents = [{"agent": f"a{n}", "connections": 0, "answers": {}, "last": None} for n in range(100)]
    text = page(survey(gates=[gate(agents=agents)]))
    assert "  and 70 more" in text
