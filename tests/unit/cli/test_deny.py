"""outgate.cli.deny"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from approvals_at_hand import Hand, at_hand
from approvals_made import OPS
from typer.testing import CliRunner

from outgate.app.votes import place, stands
from outgate.approvals.approval import State
from outgate.cli.approve import app as approve_app
from outgate.cli.deny import app
from outgate.errors import ConfigError, EvidenceError

if TYPE_CHECKING:
    from pathlib import Path

    import typer

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    return at_hand(tmp_path)


def does(of: typer.Typer, hand: Hand, name: str, *words: str) -> str:
    result = CliRunner().invoke(of, ["abcd", "--key", str(hand.key(name)), "--yes", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def deny(hand: Hand, name: str, why: str = "wrong account") -> str:
    return does(app, hand, name, "--why", why)


def test_one_denial_ends_it_and_keeps_its_reason(hand: Hand):
    asked = hand.ask()
    assert "denied by bob" in deny(hand, "bob")
    standing = stands(place(None, None), hand.get(asked.id))
    assert (standing.state, [vote.why for vote in standing.denied]) == (State.DENIED, ["wrong account"])


def test_what_was_granted_can_still_be_denied(hand: Hand):
    asked = hand.ask()
    does(approve_app, hand, "alice")
    does(approve_app, hand, "bob")
    deny(hand, "carol")
    assert stands(place(None, None), hand.get(asked.id)).state is State.DENIED


def test_what_was_denied_can_not_be_approved_or_denied_again(hand: Hand):
    hand.ask()
    deny(hand, "bob")
    with pytest.raises(ConfigError, match="can't be approved: it was denied, and stays so"):
        does(approve_app, hand, "alice")
    with pytest.raises(ConfigError, match="can't be denied: it was denied"):
        deny(hand, "alice")


def test_the_owner_may_deny_and_a_stranger_may_not(hand: Hand):
    hand.ask(OPS)
    with pytest.raises(EvidenceError, match="on no panel"):
        deny(hand, "dave")
    assert "denied by ann" in deny(hand, "ann")


def test_an_approval_signature_does_not_deny(hand: Hand):
    asked = hand.ask()
    path = hand.signature(asked, "carol")
    with pytest.raises(EvidenceError, match="signed to approve, and handed in as the other"):
        does(app, hand, "alice", "--why", "x", "--signature", str(path))


def test_a_reason_is_asked_for(hand: Hand):
    hand.ask()
    result = CliRunner().invoke(app, ["abcd", "--yes"])
    assert result.exit_code == 2
    assert "--why" in result.output
