"""outgate.approvals.quorum"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from approvals_made import AGENT, FINANCE, KEYS, NOW, OPS, PEOPLE, TOUCHED, approval, signed, vote
from signers import SK, Signer

from outgate.approvals.approval import TRANSITIONS, Approval, State
from outgate.approvals.quorum import Standing, Wrong, judge
from outgate.approvals.statement import to_sign
from outgate.intake.agents import Agent
from outgate.keys.people import People, Person

ASKED = approval()
LATER = NOW + timedelta(minutes=5)


def stands(of: Approval, *votes, people: People = PEOPLE, now=LATER, **how) -> Standing:
    return judge(signed(of, *votes), people, now, **how)


def wrongs(standing: Standing) -> list[Wrong]:
    return [one.wrong for one in standing.refused]


def with_person(name: str, *keys: str) -> People:
    return People(by_name={**PEOPLE.by_name, name: Person(name=name, keys=keys)})


def test_enough_different_people_grant():
    standing = stands(ASKED, vote(ASKED, "alice"), vote(ASKED, "bob"))
    assert standing.state is State.GRANTED
    assert standing.refused == ()
    assert standing.tallies[0].have == {"alice", "bob"}


def test_one_less_does_not_and_it_is_said_who_could():
    standing = stands(ASKED, vote(ASKED, "alice"))
    assert standing.state is State.PENDING
    assert (standing.tallies[0].missing, standing.tallies[0].able) == (1, {"bob", "carol"})


def test_nobody_grants_nothing():
    assert stands(ASKED).state is State.PENDING
    assert stands(approval(replace(FINANCE, need=0))).state is State.PENDING
    assert stands(approval(replace(FINANCE, of=()))).state is State.PENDING


def test_three_keys_of_one_person_are_one_person():
    again = vote(ASKED, "alice", by=TOUCHED["alice"], after=61)
    standing = stands(ASKED, vote(ASKED, "alice"), again)
    assert standing.state is State.PENDING
    assert wrongs(standing) == [Wrong.TWICE]
    assert standing.refused[0].vote == again


def test_every_panel_must_be_satisfied():
    asked = approval(FINANCE, OPS)
    both = vote(asked, "alice"), vote(asked, "bob")
    assert stands(asked, *both).state is State.PENDING
    assert stands(asked, *both, vote(asked, "carol")).state is State.GRANTED


def test_who_stands_on_two_panels_signs_for_both():
    asked = approval(FINANCE, OPS)
    assert stands(asked, vote(asked, "alice"), vote(asked, "carol")).state is State.GRANTED


@pytest.mark.parametrize("person", ["dave", "nobody"])
def test_who_is_on_no_panel_does_not_count(person: str):
    said = vote(ASKED, person, by=KEYS["dave"])
    assert wrongs(stands(ASKED, said)) == [Wrong.PERSON]


def test_the_agent_never_approves_itself():
    asked = approval(replace(FINANCE, of=("payer", "alice"), need=1))
    standing = stands(asked, vote(asked, "payer"))
    assert standing.state is State.PENDING
    assert wrongs(standing) == [Wrong.AGENT]
    assert standing.tallies[0].able == {"alice"}


def test_an_agent_whose_name_differs_in_case_is_the_same():
    asked = approval(replace(FINANCE, of=("payer",), need=1), agent=Agent(id="Payer"))
    assert wrongs(stands(asked, vote(asked, "payer"))) == [Wrong.AGENT]


@pytest.mark.parametrize("owner", ["ann", "Ann"])
def test_the_owner_counts_only_where_the_panel_says_so(owner: str):
    agent = replace(AGENT, owner=owner)
    barred = approval(OPS, agent=agent)
    standing = stands(barred, vote(barred, "ann"))
    assert (standing.state, wrongs(standing)) == (State.PENDING, [Wrong.OWNER])
    assert standing.tallies[0].able == {"carol"}
    asked = approval(replace(OPS, owner=True), agent=agent)
    assert stands(asked, vote(asked, "ann")).state is State.GRANTED


def test_an_owner_who_counts_on_one_panel_does_not_count_on_the_other():
    asked = approval(replace(OPS, owner=True), replace(FINANCE, of=("ann", "alice"), need=1))
    standing = stands(asked, vote(asked, "ann"))
    assert (standing.state, standing.refused) == (State.PENDING, ())
    assert stands(asked, vote(asked, "ann"), vote(asked, "alice")).state is State.GRANTED


def test_one_denial_ends_it():
    standing = stands(ASKED, vote(ASKED, "alice"), vote(ASKED, "bob"), vote(ASKED, "carol", deny=True, why="wrong account"))
    assert standing.state is State.DENIED
    assert [(one.person, one.why) for one in standing.denied] == [("carol", "wrong account")]


def test_the_owner_may_deny():
    asked = approval(OPS)
    assert stands(asked, vote(asked, "ann", deny=True)).state is State.DENIED


def test_a_denial_of_somebody_else_or_by_another_key_ends_nothing():
    assert stands(ASKED, vote(ASKED, "dave", deny=True)).state is State.PENDING
    assert stands(ASKED, vote(ASKED, "alice", deny=True, by=KEYS["dave"])).state is State.PENDING


@pytest.mark.parametrize("deny", [False, True])
def test_a_signature_of_one_decision_is_none_of_the_other(deny: bool):
    turned = replace(vote(ASKED, "alice", deny=not deny), deny=deny)
    standing = stands(ASKED, turned, vote(ASKED, "bob"))
    assert (standing.state, wrongs(standing)) == (State.PENDING, [Wrong.STATEMENT])


@pytest.mark.parametrize(
    "other", [approval(nonce="11" * 16), approval(id="zzzz-zzzz-zzzz"), approval(FINANCE, OPS), approval(agent=Agent(id="b"))]
)
def test_a_signature_of_one_approval_is_none_of_another(other: Approval):
    standing = stands(ASKED, vote(other, "alice"), vote(other, "bob"))
    assert (standing.state, wrongs(standing)) == (State.PENDING, [Wrong.SIGNATURE, Wrong.SIGNATURE])


def test_a_statement_that_is_not_the_approvals_own_grants_nothing():
    forged = replace(ASKED, panels=(replace(FINANCE, need=1),))
    standing = stands(forged, vote(ASKED, "alice"))
    assert (standing.state, wrongs(standing)) == (State.PENDING, [Wrong.STATEMENT])
    assert "panelsDigest" in standing.refused[0].why


def test_another_namespace_is_refused():
    said = vote(ASKED, "alice", signature=KEYS["alice"].sign(to_sign(ASKED, deny=False), namespace="git"))
    assert wrongs(stands(ASKED, said)) == [Wrong.NAMESPACE]


@pytest.mark.parametrize("signature", ["", "yes", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"])
def test_what_is_no_signature_is_refused(signature: str):
    assert wrongs(stands(ASKED, vote(ASKED, "alice", signature=signature))) == [Wrong.FORM]


def test_another_persons_key_is_refused():
    assert wrongs(stands(ASKED, vote(ASKED, "alice", by=KEYS["bob"]))) == [Wrong.KEY]


def test_a_key_that_was_taken_away_does_not_count_any_more():
    people = with_person("alice", KEYS["dave"].public)
    assert wrongs(stands(ASKED, vote(ASKED, "alice"), people=people)) == [Wrong.KEY]
    gone = People(by_name={name: one for name, one in PEOPLE.by_name.items() if name != "alice"})
    assert wrongs(stands(ASKED, vote(ASKED, "alice"), people=gone)) == [Wrong.PERSON]


def test_a_fingerprint_that_is_not_the_keys_is_refused():
    assert wrongs(stands(ASKED, vote(ASKED, "alice", key="SHA256:another"))) == [Wrong.KEY]


def test_a_key_that_two_people_claim_says_nothing():
    people = with_person("carol", KEYS["alice"].public + " carol's laptop")
    standing = stands(ASKED, vote(ASKED, "alice"), vote(ASKED, "carol", by=KEYS["alice"]), people=people)
    assert (standing.state, wrongs(standing)) == (State.PENDING, [Wrong.KEY, Wrong.KEY])


def test_a_key_with_a_comment_is_the_key():
    people = with_person("alice", KEYS["alice"].public + " alice@laptop")
    assert stands(ASKED, vote(ASKED, "alice"), people=people).tallies[0].have == {"alice"}


def test_what_is_no_key_in_the_list_counts_for_nobody():
    people = with_person("alice", "", "ssh-ed25519", "nonsense", KEYS["alice"].public)
    assert stands(ASKED, vote(ASKED, "alice"), people=people).refused == ()


def test_where_only_hardware_counts_other_keys_do_not():
    software, hardware = vote(ASKED, "alice"), vote(ASKED, "alice", by=TOUCHED["alice"])
    assert wrongs(stands(ASKED, software, hardware_only=True)) == [Wrong.HARDWARE]
    both = stands(ASKED, hardware, vote(ASKED, "bob", by=TOUCHED["bob"]), hardware_only=True)
    assert both.state is State.GRANTED


def test_where_the_statement_asks_for_hardware_nobody_has_to_say_it_again():
    asked = approval(hardware_only=True)
    assert wrongs(stands(asked, vote(asked, "alice"))) == [Wrong.HARDWARE]
    touched = vote(asked, "alice", by=TOUCHED["alice"]), vote(asked, "bob", by=TOUCHED["bob"])
    assert stands(asked, *touched).state is State.GRANTED


def test_where_only_hardware_counts_any_key_may_deny():
    assert stands(ASKED, vote(ASKED, "alice", deny=True), hardware_only=True).state is State.DENIED


def test_a_hardware_key_that_nobody_touched_does_not_count():
    untouched = Signer("alice touched", kind=SK, flags=0)
    standing = stands(ASKED, vote(ASKED, "alice", by=untouched))
    assert wrongs(standing) == [Wrong.SIGNATURE]
    assert "without being touched" in standing.refused[0].why


def test_a_vote_counts_between_asking_and_expiry():
    whole = (ASKED.expires - NOW).total_seconds()
    for after, counts in ((-1, False), (0, True), (whole, True), (whole + 0.001, False)):
        standing = stands(ASKED, vote(ASKED, "alice", after=after))
        assert (standing.refused == ()) is counts, after
        assert counts or wrongs(standing) == [Wrong.TIME]


def test_a_grant_can_be_used_until_it_expires_and_not_after():
    votes = vote(ASKED, "alice"), vote(ASKED, "bob")
    assert stands(ASKED, *votes, now=ASKED.expires).state is State.GRANTED
    assert stands(ASKED, *votes, now=ASKED.expires + timedelta(microseconds=1)).state is State.EXPIRED


def test_time_that_is_over_is_no_denial_and_a_denial_stays_one():
    over = ASKED.expires + timedelta(days=1)
    assert stands(ASKED, now=over).state is State.EXPIRED
    assert stands(ASKED, vote(ASKED, "alice", deny=True), now=over).state is State.DENIED


def test_a_grant_that_was_used_is_used():
    used = replace(ASKED, used=NOW)
    assert stands(used, vote(ASKED, "alice"), vote(ASKED, "bob")).state is State.USED
    assert stands(used).state is State.USED


def test_each_state_that_is_found_may_become_what_it_becomes():
    alice, bob, no = vote(ASKED, "alice"), vote(ASKED, "bob"), vote(ASKED, "carol", deny=True)
    over = ASKED.expires + timedelta(days=1)
    steps = [
        (stands(ASKED, alice), stands(ASKED, alice, bob)),
        (stands(ASKED, alice), stands(ASKED, alice, no)),
        (stands(ASKED, alice), stands(ASKED, alice, now=over)),
        (stands(ASKED, alice, bob), stands(ASKED, alice, bob, no)),
        (stands(ASKED, alice, bob), stands(ASKED, alice, bob, now=over)),
        (stands(ASKED, alice, bob), stands(replace(ASKED, used=NOW), alice, bob)),
        (stands(replace(ASKED, used=NOW), alice, bob), stands(ASKED, alice, bob)),
    ]
    for before, after in steps:
        assert after.state in TRANSITIONS[before.state]
