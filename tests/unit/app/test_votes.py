"""outgate.app.votes"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from approvals_at_hand import Hand, at_hand
from approvals_made import FINANCE, OPS

from outgate.app.sign import public_half, sign
from outgate.app.votes import Place, hand_in, named, place, recent, stands, waiting
from outgate.approvals.approval import Approval, State, Vote
from outgate.approvals.statement import to_sign
from outgate.errors import ConfigError, EvidenceError
from outgate.stores.logs import all_receipts, log_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    return at_hand(tmp_path)


def by(hand: Hand, of: Approval, name: str, *, deny: bool = False, **changed: object) -> Vote:
    public = public_half(hand.key(name))
    assert public is not None
    signature = sign(to_sign(of, deny=deny), hand.key(name))
    made = Vote(person=name, deny=deny, key=public.fingerprint, signature=signature, at=datetime.now(UTC))
    return replace(made, **changed)


def events(hand: Hand, what: str) -> list[dict]:
    return [receipt.fields["about"] for receipt in all_receipts(log_folder(hand.state)) if receipt.type == what]


def test_people_and_state_are_found_where_the_settings_say(hand: Hand, tmp_path: Path):
    at = place(None, None)
    assert set(at.people.by_name) == {"alice", "bob", "carol", "dave", "ann"}
    assert at.state == hand.state
    assert place(None, tmp_path / "other").state == tmp_path / "other"


def test_where_nothing_was_asked_nothing_waits_and_nothing_is_made(hand: Hand):
    at = place(None, None)
    assert (list(waiting(at)), list(recent(at))) == ([], [])
    assert not at.desk.exists()


def test_what_waits_comes_oldest_first_and_what_is_over_only_with_the_rest(hand: Hand):
    hand.ask(name="aaaa-aaaa-aaaa", ago=timedelta(days=2))
    hand.ask(name="bbbb-bbbb-bbbb", ago=timedelta(hours=1))
    hand.ask(name="cccc-cccc-cccc")
    at = place(None, None)
    assert [one.id[:4] for one in waiting(at)] == ["bbbb", "cccc"]
    assert [one.id[:4] for one in recent(at)] == ["aaaa", "bbbb", "cccc"]


@pytest.mark.parametrize("said", ["abcd-efgh-2345", "abcd", "ABCD-EF", "abcdefgh2345", " a "])
def test_the_beginning_of_an_id_names_it(hand: Hand, said: str):
    asked = hand.ask()
    hand.ask(name="bbbb-bbbb-bbbb")
    assert named(place(None, None), said) == asked


def test_what_is_over_is_still_found(hand: Hand):
    asked = hand.ask(ago=timedelta(days=2))
    assert named(place(None, None), "abcd") == asked


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("x", "no approval begins with x"),
        ("a", "2 approvals begin with a: abc"),
        ("", "is no approval's id"),
        ("../x", "is no appr"),
    ],
)
def test_an_id_that_names_none_or_several_is_said(hand: Hand, said: str, why: str):
    hand.ask()
    hand.ask(name="abce-bbbb-bbbb")
    with pytest.raises(ConfigError, match=why):
        named(place(None, None), said)


def test_a_vote_that_counts_is_recorded_and_on_the_desk(hand: Hand):
    asked, at = hand.ask(), place(None, None)
    vote = by(hand, asked, "alice")
    after, standing = hand_in(at, asked, vote)
    assert after.votes == (vote,) == hand.get(asked.id).votes
    assert (standing.state, standing.tallies[0].have) == (State.PENDING, {"alice"})
    (said,) = events(hand, "approval-signed")
    assert (said["approval"], said["person"], said["decision"], said["state"]) == (asked.id, "alice", "approve", "pending")
    assert said["signature"] == vote.signature.splitlines()[1:-1]
    assert said["by"]


def test_the_last_vote_grants(hand: Hand):
    asked, at = hand.ask(), place(None, None)
    hand_in(at, asked, by(hand, asked, "alice"))
    _, standing = hand_in(at, hand.get(asked.id), by(hand, asked, "bob"))
    assert standing.state is State.GRANTED
    assert stands(at, hand.get(asked.id)) == standing
    assert [said["state"] for said in events(hand, "approval-signed")] == ["pending", "granted"]


def test_a_denial_keeps_its_reason(hand: Hand):
    asked = hand.ask()
    _, standing = hand_in(place(None, None), asked, by(hand, asked, "bob", deny=True, why="not this month"))
    assert standing.state is State.DENIED
    (said,) = events(hand, "approval-signed")
    assert (said["decision"], said["said"]) == ("deny", "not this month")


REFUSED = {
    "dave": ("not-on-the-panel", {}),
    "bob": ("unknown-key", {"person": "alice"}),
    "carol": ("wrong-statement", {"deny": True}),
    "alice": ("late", {"at": datetime.now(UTC) + timedelta(days=9)}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_vote_that_does_not_count_is_recorded_and_never_on_the_desk(hand: Hand, name: str):
    wrong, changed = REFUSED[name]
    asked = hand.ask()
    vote = replace(by(hand, asked, name), **changed)
    with pytest.raises(EvidenceError, match="this signature does not count"):
        hand_in(place(None, None), asked, vote)
    assert hand.get(asked.id).votes == ()
    (said,) = events(hand, "approval-refused")
    assert said["wrong"] == wrong
    assert events(hand, "approval-signed") == []


def test_the_owner_and_who_signs_twice_are_refused(hand: Hand):
    asked, at = hand.ask(OPS), place(None, None)
    with pytest.raises(EvidenceError, match="owns the agent"):
        hand_in(at, asked, by(hand, asked, "ann"))
    other = hand.ask(FINANCE, name="bbbb-bbbb-bbbb")
    hand_in(at, other, by(hand, other, "alice"))
    with pytest.raises(EvidenceError, match="alice has signed already"):
        hand_in(at, hand.get(other.id), by(hand, other, "alice"))
    assert [said["wrong"] for said in events(hand, "approval-refused")] == ["the-agents-owner", "twice"]


def test_a_signature_for_another_approval_is_refused(hand: Hand):
    asked, other = hand.ask(), hand.ask(name="bbbb-bbbb-bbbb")
    with pytest.raises(EvidenceError, match="over something else"):
        hand_in(place(None, None), asked, by(hand, other, "alice"))


def test_who_approved_may_still_deny(hand: Hand):
    asked, at = hand.ask(), place(None, None)
    hand_in(at, asked, by(hand, asked, "alice"))
    hand_in(at, hand.get(asked.id), by(hand, asked, "alice", deny=True))
    assert stands(at, hand.get(asked.id)).state is State.DENIED


def test_who_denied_has_said_so_for_good(hand: Hand):
    asked, at = hand.ask(), place(None, None)
    hand_in(at, asked, by(hand, asked, "alice", deny=True))
    with pytest.raises(ConfigError, match="alice has denied this already"):
        hand_in(at, hand.get(asked.id), by(hand, asked, "alice"))
    with pytest.raises(ConfigError, match="alice has denied this already"):
        hand_in(at, asked, by(hand, asked, "alice"))  # it came while the card was read
    assert stands(at, hand.get(asked.id)).state is State.DENIED


def test_what_was_put_in_somebodys_name_is_said_to_stand_in_the_way(hand: Hand):
    asked, at = hand.ask(), place(None, None)
    hand.vote(asked.id, replace(by(hand, asked, "bob"), person="alice"))
    with pytest.raises(ConfigError, match="in alice's name is there already, and does not count"):
        hand_in(at, hand.get(asked.id), by(hand, asked, "alice"))


def test_without_a_record_nothing_is_handed_in(hand: Hand):
    asked = hand.ask()
    (hand.state / "log").write_text("in the way")
    with pytest.raises(Exception, match="log"):
        hand_in(place(None, None), asked, by(hand, asked, "alice"))
    assert hand.get(asked.id).votes == ()


def test_a_place_is_a_value(tmp_path: Path):
    from outgate.keys.people import People

    assert Place(state=tmp_path, people=People()).desk == tmp_path / "desk.sqlite"
