"""Approvals: too few never grant, nothing revives what is over, order does not matter, and no bit may change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache

from approvals_made import AGENT, FINANCE, KEYS, NOW, OPS, PAY, PEOPLE, REQUEST, TOUCHED, approval, signed, stopped, vote
from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.action import Money
from outgate.approvals.approval import Panel, State
from outgate.approvals.quorum import judge
from outgate.approvals.request import request_digest
from outgate.approvals.statement import MOST_BYTES, shown, to_sign
from outgate.intake.request import NoBody, WholeBody

NAMES = sorted(KEYS)
ASKED = approval(FINANCE, replace(OPS, of=("carol", "dave", "ann")))
FINAL = {State.DENIED, State.EXPIRED}


@cache
def _vote(of, person: str, by: str, kind: str, deny: bool, after: float):
    signer = (TOUCHED if kind == "touched" and by in TOUCHED else KEYS)[by]
    return vote(of, person, by=signer, deny=deny, after=after)


def votes_for(of):
    """Right ones and wrong ones: somebody else's key, too early, too late."""
    right = st.builds(
        lambda who, kind, deny, after: _vote(of, who, who, kind, deny, after),
        st.sampled_from(NAMES),
        st.sampled_from(["usual", "touched"]),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([0.0, 60.0, 120.0]),
    )
    wrong = st.builds(
        lambda who, by, deny, after: _vote(of, who, by, "usual", deny, after),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.booleans(),
        st.sampled_from([-60.0, 60.0, 10.0**6]),
    )
    return st.lists(right | wrong, max_size=8).map(tuple)


times = st.sampled_from([NOW, NOW + timedelta(hours=8), NOW + timedelta(days=2)])
panels = st.builds(
    Panel,
    name=st.just("some"),
    need=st.integers(0, 7),
    of=st.lists(st.sampled_from([*NAMES, "group:ops", "*", "nobody"]), min_size=1, max_size=4).map(tuple),
    within=st.just(timedelta(hours=24)),
    owner=st.booleans(),
)


@given(panel=panels, people=st.sets(st.sampled_from(NAMES)))
def test_one_person_too_few_never_grants_and_enough_of_the_right_ones_do(panel, people):
    asked = approval(panel)
    barred = {AGENT.id} | (set() if panel.owner else {AGENT.owner})
    right = people & (PEOPLE.among(panel.of) - barred)
    doubled = [_vote(asked, who, who, kind, False, 60.0) for who in sorted(people) for kind in ("usual", "touched")]
    found = judge(signed(asked, *doubled), PEOPLE, NOW)
    assert (found.state is State.GRANTED) == (len(right) >= max(1, panel.need))
    assert found.tallies[0].have == right


@given(votes=votes_for(ASKED), more=votes_for(ASKED), now=times)
def test_more_votes_never_revive_what_is_denied_or_over(votes, more, now):
    before, after = (judge(signed(ASKED, *said), PEOPLE, now).state for said in (votes, votes + more))
    assert not (before in FINAL and after not in FINAL)
    assert not (before is State.GRANTED and after is State.PENDING)


@given(votes=votes_for(ASKED), now=times, hardware=st.booleans(), data=st.data())
def test_the_order_of_votes_does_not_matter(votes, now, hardware, data):
    shuffled = data.draw(st.permutations(votes))
    assert judge(signed(ASKED, *votes), PEOPLE, now, hardware_only=hardware) == judge(
        signed(ASKED, *shuffled), PEOPLE, now, hardware_only=hardware
    )


@given(votes=votes_for(ASKED), now=times)
def test_asking_for_hardware_never_grants_more(votes, now):
    strict, usual = (judge(signed(ASKED, *votes), PEOPLE, now, hardware_only=only).state for only in (True, False))
    assert not (strict is State.GRANTED and usual is not State.GRANTED)
    assert not (usual in FINAL and strict is not usual)


@given(at=st.integers(0, 10**9), bit=st.integers(0, 7), who=st.sampled_from(["alice", "touched"]))
def test_a_signature_with_one_bit_changed_never_counts(at, bit, who):
    good = _vote(ASKED, "alice", "alice", "touched" if who == "touched" else "usual", False, 60.0)
    raw = bytearray(good.signature.encode())
    raw[at % len(raw)] ^= 1 << bit
    assert not judge(signed(ASKED, replace(good, signature=raw.decode("latin-1"))), PEOPLE, NOW).tallies[0].have


@given(at=st.integers(0, 10**9), bit=st.integers(0, 7), deny=st.booleans())
def test_with_one_bit_of_the_statement_changed_nothing_counts(at, bit, deny):
    raw = bytearray(ASKED.statement)
    raw[at % len(raw)] ^= 1 << bit
    good = _vote(ASKED, "alice", "alice", "usual", deny, 60.0)
    found = judge(signed(replace(ASKED, statement=bytes(raw)), good), PEOPLE, NOW)
    assert (found.tallies[0].have, found.denied) == (frozenset(), ())


texts = st.text(max_size=400)
actions = st.builds(
    lambda resource, operation, params, count, why: replace(
        PAY, resource=resource, operation=operation, params=params, count=count, why=why
    ),
    texts,
    texts,
    st.dictionaries(
        texts,
        texts
        | st.integers()
        | st.booleans()
        | st.lists(texts, max_size=12).map(tuple)
        | st.builds(Money, minor=st.integers(), currency=st.text(max_size=6)),
        max_size=12,
    ),
    st.integers(min_value=0),
    texts,
)


@given(
    done=st.lists(actions, min_size=1, max_size=30),
    path=texts,
    query=st.none() | texts,
    why=st.text(max_size=3000),
    tell=st.text(max_size=3000),
)
def test_whatever_an_agent_writes_the_statement_is_bounded_printable_and_read_back(done, path, query, why, tell):
    request = replace(REQUEST, path=f"/{path}", query=query)
    asked = approval(request=request, decision=stopped(*done, why=why, tell=tell), request_digest="sha256:00")
    assert len(to_sign(asked, deny=True)) <= MOST_BYTES
    assert asked.statement.decode().isprintable()
    card = shown(asked)
    assert len(card.actions) + card.actions_left_out == len(done)
    assert card.actions


heads = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
names = st.sampled_from(["a", "b", "authorization", "cookie", "content-type", "prefer", "x-amz-date"])
headers = st.lists(st.tuples(names, st.text(st.characters(max_codepoint=255), max_size=8)), max_size=4).map(tuple)
requests = st.builds(
    lambda path, query, head, body: replace(REQUEST, path=f"/{path}", query=query, headers=head, body=body),
    heads,
    st.none() | heads,
    headers,
    st.just(NoBody()) | st.builds(WholeBody, st.binary(min_size=1, max_size=12)),
)


@given(one=requests, other=requests, agents=st.tuples(st.sampled_from("ab"), st.sampled_from("ab")))
def test_two_requests_with_one_digest_differ_in_nothing_that_counts(one, other, agents):
    def counts(agent, request):
        kept = sorted((n, v) for n, v in request.headers if n != "prefer")
        return agent, request.path, request.query, request.body, kept

    if request_digest(agents[0], one) == request_digest(agents[1], other):
        assert counts(agents[0], one) == counts(agents[1], other)


@given(request=requests, ids=st.lists(st.text(max_size=20), min_size=2, max_size=2))
def test_what_names_an_attempt_never_changes_the_digest(request, ids):
    tried = [replace(request, headers=(("x-request-id", i), *request.headers, ("idempotency-key", i))) for i in ids]
    assert request_digest("a", tried[0]) == request_digest("a", tried[1])
