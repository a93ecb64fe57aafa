"""outgate.cli.approve"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from approvals_at_hand import Hand, at_hand
from approvals_made import OPS
from clients.terminal import Terminal
from typer.testing import CliRunner

from outgate.app.votes import place, stands
from outgate.approvals.approval import State
from outgate.cli.approve import app
from outgate.errors import ConfigError, EvidenceError
from outgate.stores.logs import all_receipts, log_folder

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
PROXY = Path(__file__).parents[3] / "proxy"


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return at_hand(tmp_path)


def approve(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def as_(hand: Hand, name: str, *words: str) -> str:
    return approve("abcd", "--key", str(hand.key(name)), "--yes", *words)


def test_two_people_approve_and_each_is_told_what_is_missing(hand: Hand):
    asked = hand.ask()
    said = as_(hand, "alice")
    assert "payments.create_payment" in said
    assert "signed as alice with SHA256:" in said
    assert "1 of 2; still needed: one of bob, carol; expires in 23 h" in said
    assert "granted: passes once, now if held" in as_(hand, "bob")
    assert stands(place(None, None), hand.get(asked.id)).state is State.GRANTED


def test_every_line_fits_a_terminal(hand: Hand):
    hand.ask()
    assert max(map(len, as_(hand, "alice").splitlines())) <= 80


def test_the_card_comes_before_the_signature(hand: Hand):
    hand.ask()
    said = as_(hand, "alice")
    assert said.index("approval abcd-efgh-2345") < said.index("signed as alice")


def test_ones_own_key_is_found(hand: Hand):
    hand.ask()
    home = Path(os.environ["HOME"]) / ".ssh"
    home.mkdir(parents=True)
    for suffix in ("", ".pub"):
        shutil.copy(f"{hand.key('bob')}{suffix}", home / f"id_ed25519{suffix}")
    assert "signed as bob" in approve("abcd", "--yes")


def test_without_a_key_that_may_sign_it_is_said_how_to_name_one(hand: Hand):
    hand.ask()
    with pytest.raises(ConfigError, match=r"none of your keys in ~/.ssh .* name one with --key"):
        approve("abcd", "--yes")


def test_where_only_hardware_counts_a_file_is_not_chosen_and_not_taken(hand: Hand):
    hand.ask(hardware_only=True)
    home = Path(os.environ["HOME"]) / ".ssh"
    home.mkdir(parents=True)
    for suffix in ("", ".pub"):
        shutil.copy(f"{hand.key('bob')}{suffix}", home / f"id_ed25519{suffix}")
    with pytest.raises(ConfigError, match="none of your hardware keys"):
        approve("abcd", "--yes")
    with pytest.raises(EvidenceError, match="only hardware keys"):
        as_(hand, "bob")


def test_a_signature_that_was_made_elsewhere_is_taken(hand: Hand):
    asked = hand.ask()
    assert "signed as carol" in approve("abcd", "--yes", "--signature", str(hand.signature(asked, "carol")))


def test_line_ends_of_another_system_do_not_spoil_a_signature(hand: Hand):
    path = hand.signature(hand.ask(), "carol")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "signed as carol" in approve("abcd", "--yes", "--signature", str(path))


def test_a_signature_of_another_namespace_is_refused_and_recorded(hand: Hand):
    path = hand.signature(hand.ask(), "carol", namespace="git")
    with pytest.raises(EvidenceError, match="sign with -n outgate"):
        approve("abcd", "--yes", "--signature", str(path))
    (said,) = [one.fields["about"] for one in all_receipts(log_folder(hand.state)) if one.type == "approval-refused"]
    assert said["wrong"] == "wrong-namespace"


def test_what_is_no_signature_is_said(hand: Hand, tmp_path: Path):
    hand.ask()
    (tmp_path / "text").write_text("yes please")
    with pytest.raises(EvidenceError, match="not an armored SSH signature"):
        approve("abcd", "--yes", "--signature", str(tmp_path / "text"))
    with pytest.raises(ConfigError, match="can't be read"):
        approve("abcd", "--yes", "--signature", str(tmp_path / "nowhere"))


def test_in_somebody_elses_name_it_is_refused(hand: Hand):
    hand.ask()
    with pytest.raises(EvidenceError, match="is no key of alice now"):
        as_(hand, "bob", "--as", "alice")


def test_a_key_that_is_nobodys_is_said(hand: Hand, tmp_path: Path):
    hand.ask()
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "new")], check=True, stdin=subprocess.DEVNULL
    )
    with pytest.raises(ConfigError, match="is nobody's key yet: outgate people add"):
        approve("abcd", "--key", str(tmp_path / "new"), "--yes")


@pytest.mark.parametrize(("name", "why"), [("dave", "on no panel"), ("ann", "owns the agent")])
def test_who_may_not_is_told_why(hand: Hand, name: str, why: str):
    hand.ask(OPS)
    with pytest.raises(EvidenceError, match=why):
        as_(hand, name)


def test_what_is_over_is_said_before_anything_is_signed(hand: Hand):
    hand.ask(ago=timedelta(days=2))
    with pytest.raises(ConfigError, match="it has expired: when the agent asks again"):
        as_(hand, "alice")
    hand.ask(name="bbbb-bbbb-bbbb")
    hand.use("bbbb-bbbb-bbbb")
    with pytest.raises(ConfigError, match="its grant was used"):
        approve("bbbb", "--key", str(hand.key("alice")), "--yes")
    assert not list(all_receipts(log_folder(hand.state)))


def test_what_is_granted_needs_nothing_more(hand: Hand):
    hand.ask()
    as_(hand, "alice")
    as_(hand, "bob")
    with pytest.raises(ConfigError, match="granted already"):
        as_(hand, "carol")


def test_where_nobody_can_be_asked_it_must_be_said_to_be_meant(hand: Hand):
    hand.ask()
    with pytest.raises(ConfigError, match="say --yes"):
        approve("abcd", "--key", str(hand.key("alice")))


@pytest.mark.parametrize(("word", "signed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_at_a_terminal_one_is_asked_and_silence_is_no(hand: Hand, word: str, signed: bool):
    asked = hand.ask()
    command = [sys.executable, "-c", "from outgate.cli.approve import app; app()", "abcd", "--key", str(hand.key("alice"))]
    with Terminal(command, {**os.environ, "PYTHONPATH": str(PROXY)}, hand.root) as terminal:
        assert "payments.create_payment" in terminal.reads("[y/N]")
        terminal.type(word)
        code, _ = terminal.ends()
    assert bool(hand.get(asked.id).votes) is signed
    assert (code == 0) is signed


def test_ssh_keygen_asks_for_a_passphrase_at_the_terminal(hand: Hand):
    asked = hand.ask()
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "correct horse", "-f", str(hand.key("alice"))], check=True, stdout=subprocess.DEVNULL
    )
    command = [sys.executable, "-c", "from outgate.cli.approve import app; app()", "abcd", "--key", str(hand.key("alice"))]
    with Terminal(command, {**os.environ, "PYTHONPATH": str(PROXY)}, hand.root) as terminal:
        terminal.reads("[y/N]")
        terminal.type("y\n")
        terminal.reads("passphrase")
        terminal.type("correct horse\n")
        terminal.reads("signed as alice")
        assert terminal.ends()[0] == 0
    assert [vote.person for vote in hand.get(asked.id).votes] == ["alice"]
