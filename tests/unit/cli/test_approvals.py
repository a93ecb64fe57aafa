"""outgate.cli.approvals"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from approvals_at_hand import Hand, at_hand
from approvals_made import PAY, stopped, vote
from typer.testing import CliRunner

from outgate.approvals.statement import to_sign
from outgate.cli.approvals import app
from outgate.cli.approve import app as approve_app
from outgate.errors import EvidenceError

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
PROXY = Path(__file__).parents[3] / "proxy"


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    return at_hand(tmp_path)


def shown(*words: str) -> list[str]:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def approved(hand: Hand, name: str) -> None:
    done = CliRunner().invoke(approve_app, ["abcd", "--key", str(hand.key(name)), "--yes"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_where_nothing_waits_it_is_said(hand: Hand):
    assert shown() == shown("list") == ["nothing waits for approval"]
    assert shown("--json") == []


def test_each_that_waits_is_a_line(hand: Hand):
    hand.ask()
    approved(hand, "alice")
    heads, line = shown()
    assert heads.split() == ["approval", "state", "signed", "agent", "what", "for"]
    assert line.split() == ["abcd-efgh-2345", "pending", "1/2", "payer", "payments.create_payment", "acct_42", "23", "h"]
    assert len(line) <= 80
    assert shown("list") == [heads, line]


def test_what_is_over_is_listed_with_the_rest(hand: Hand):
    hand.ask(ago=timedelta(days=2))
    assert shown() == ["nothing waits for approval"]
    assert "expired" in shown("--all")[1]


def test_for_programs_everything_is_there(hand: Hand):
    asked = hand.ask()
    approved(hand, "alice")
    (line,) = shown("--json")
    said = json.loads(line)
    assert (said["id"], said["state"], said["agent"]) == (asked.id, "pending", "payer")
    assert said["panels"] == [{"name": "finance", "need": 2, "have": ["alice"], "able": ["bob", "carol"]}]
    assert said["statement"] == json.loads(asked.statement)
    assert json.loads(shown("show", "abcd", "--json")[0]) == said


def test_one_is_shown_as_its_card(hand: Hand):
    hand.ask()
    said = shown("show", "ab")
    assert said[0].startswith("approval abcd-efgh-2345  pending")
    assert any(line.startswith("on what   acct_42") for line in said)


def test_what_does_not_count_is_shown_with_its_reason(hand: Hand):
    asked = hand.ask()
    hand.vote(asked.id, vote(asked, "alice", after=60))
    assert any(line.startswith("does not count: alice: ") for line in shown("show", "ab"))
    assert json.loads(shown("--json")[0])["refused"][0]["person"] == "alice"


@pytest.mark.parametrize("deny", [False, True])
def test_the_bytes_to_sign_are_given_as_they_are(hand: Hand, deny: bool):
    asked = hand.ask()
    result = CliRunner().invoke(app, ["show", "ab", "--statement", *(["--deny"] if deny else [])], catch_exceptions=False)
    assert result.stdout_bytes == to_sign(asked, deny=deny)


def test_what_was_changed_on_the_desk_is_said_and_not_shown(hand: Hand):
    asked = hand.ask(name="bbbb-bbbb-bbbb")
    hand.put(replace(asked, id="cccc-cccc-cccc", request="sha256:cc", agent="harmless"))
    assert "(its statement is not its" in " ".join(shown())
    assert json.loads(shown("show", "cccc", "--json")[0])["statement"] is None
    with pytest.raises(EvidenceError, match="is not its own"):
        shown("show", "cccc")


def test_hostile_text_stays_in_its_column(hand: Hand):
    hand.ask(decision=stopped(replace(PAY, resource="\x1b[2J\u202e\nsigned")))
    _, line = shown()
    assert line.isprintable()
    assert len(line) <= 80


def test_watching_shows_what_waits_what_comes_and_what_becomes_of_it(hand: Hand):
    hand.ask()
    command = [sys.executable, "-c", "import outgate.cli.approvals as it; it.POLL = 0.05; it.app()", "watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(PROXY)}) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["id"] == "abcd-efgh-2345"
        hand.ask(name="bbbb-bbbb-bbbb")
        assert json.loads(watching.stdout.readline())["id"] == "bbbb-bbbb-bbbb"
        approved(hand, "alice")
        assert json.loads(watching.stdout.readline())["panels"][0]["have"] == ["alice"]
        hand.use("abcd-efgh-2345")
        assert json.loads(watching.stdout.readline())["state"] == "used"
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == 130


def test_watching_reads_well(hand: Hand):
    hand.ask()
    command = [sys.executable, "-u", "-c", "import outgate.cli.approvals as it; it.POLL = 0.05; it.app()", "watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(PROXY)}) as watching:
        assert watching.stdout is not None
        lines = [watching.stdout.readline() for _ in range(2)]
        approved(hand, "alice")
        lines.append(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == 130
    assert "abcd-efgh-2345 payer: payments.create_payment acct_42" in lines[0]
    assert "0 of 2; still needed: two of alice, bob, carol" in lines[1]
    assert "abcd-efgh-2345 1 of 2; still needed: one of bob, carol" in lines[2]
    assert max(len(line.rstrip("\n")) for line in lines) <= 80
