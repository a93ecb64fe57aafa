"""Receipts have one form; a log betrays whatever is done to it."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from receipts_made import KEY, NOW, checked, decision, request, some_log, split

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.digest import canonical, canonical_ascii_keys
from outgate.inspect.mask import printable
from outgate.intake.agents import Agent
from outgate.intake.request import Unreadable, WholeBody
from outgate.policy.decision import Decision, Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode
from outgate.ports import Pin, Stamp
from outgate.receipts.chain import Chain, parse
from outgate.receipts.merkle import Tree
from outgate.receipts.receipt import MOST_BYTES, Outcome, Result, decision_body, event_body, outcome_body

hostile = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
    ["\x1b[2J" * 900, "\u202e" * 3000, '"\\' * 5000, "é😀" * 4000, "\ud800" * 9000]
)
ascii_hostile = hostile.map(lambda said: said.encode("utf-8", "surrogatepass").decode("latin-1"))
access, tiers, confidences = st.sampled_from(list(Access)), st.sampled_from(list(Tier)), st.sampled_from(list(Confidence))
actions = st.builds(
    Action,
    service=hostile,
    operation=hostile,
    resource=hostile,
    access=access,
    tier=tiers,
    confidence=confidences,
    why=hostile,
    count=st.integers(0, 2**80),
)
matches = st.builds(Match, rule=hostile, effect=st.sampled_from(list(Effect)), mode=st.sampled_from(list(Mode)), error=hostile)
verdicts = st.builds(
    Verdict,
    action=actions,
    answer=st.sampled_from(list(Effect)),
    would=st.sampled_from(list(Effect)),
    matches=st.lists(matches, max_size=3).map(tuple),
)
decisions = st.builds(
    Decision,
    answer=st.sampled_from(list(Effect)),
    would=st.sampled_from(list(Effect)),
    reason=st.sampled_from(list(Reason)),
    tell=hostile,
    why=hostile,
    verdicts=st.lists(verdicts, max_size=4).map(tuple),
)
requests = st.builds(
    request, path=ascii_hostile.map(lambda p: "/" + p), query=st.none() | ascii_hostile, body=st.builds(WholeBody, st.binary())
)
unreadable = st.builds(Unreadable, status=st.sampled_from([400, 421]), why=hostile, host=hostile)
pins = st.builds(
    Pin,
    name=hostile,
    port=st.integers(0, 65535),
    address=hostile,
    address_port=st.integers(0, 65535),
    via=st.none() | st.just("http://u:p@h:1"),
)
agents = st.builds(Agent, id=st.just("a"), team=hostile, owner=hostile)
keys = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,9}", fullmatch=True)
flat = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | hostile
json = st.recursive(flat, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8)
bodies = st.one_of(
    st.builds(
        decision_body,
        at=st.just(NOW),
        agent=agents,
        request=requests | unreadable,
        decision=decisions,
        policy=st.just("sha256:0"),
        pin=st.none() | pins,
    ),
    st.builds(
        lambda result, error, n: outcome_body(Stamp(writer="w", seq=n), NOW, Outcome(result=result, error=error, sent=n)),
        st.sampled_from(list(Result)),
        hostile,
        st.integers(0, 2**53 - 1),
    ),
    st.builds(
        lambda agent, about: event_body("start", NOW, agent, about), agents | st.none(), st.dictionaries(keys, json, max_size=3)
    ),
)


@given(bodies)
def test_every_receipt_has_one_canonical_form_which_is_rfc_8785(body: dict[str, Any]) -> None:
    seq, line = Chain("w1").seal(body)
    assert line == canonical({**body, "v": 1, "writer": "w1", "seq": seq, "prev": ""})
    assert canonical_ascii_keys(dict(parse(line).fields)) == line


@given(bodies)
def test_every_receipt_is_one_line_of_at_most_64_kib(body: dict[str, Any]) -> None:
    line = Chain("w1").seal(body)[1]
    assert len(line) <= MOST_BYTES
    assert b"\n" not in line
    assert line.decode().isprintable()


def test_the_largest_receipt_fits() -> None:
    for worst in ('"' * 9000, "\\" * 9000, "é" * 9000, "\x00" * 9000, "😀" * 9000):
        long = Action(service=worst, operation=worst, resource=worst, why=worst)
        rules = tuple(Match(rule=f"{i}{worst}", effect=Effect.BLOCK, mode=Mode.ENFORCE, error=worst) for i in range(40))
        many = tuple(Verdict(action=long, answer=Effect.BLOCK, would=Effect.BLOCK, matches=rules) for _ in range(99))
        whole = Decision(answer=Effect.BLOCK, would=Effect.BLOCK, reason=Reason.POLICY, tell=worst, why=worst, verdicts=many)
        wire = worst.encode().decode("latin-1")
        asked = request("/" + wire, "&".join(f"{wire[:200]}=" for _ in range(99)), version=wire)
        pin = Pin(name=worst, port=1, address=worst, address_port=1, via=f"http://{'v' * 9000}")
        body = decision_body(
            at=NOW,
            agent=Agent(id="a", team=worst, owner=worst),
            request=asked,
            decision=whole,
            policy="sha256:" + "0" * 64,
            pin=pin,
        )
        assert len(Chain("w1").seal(body)[1]) <= MOST_BYTES


@given(hostile, st.integers(64, 4096))
def test_printable_text_is_bounded_and_one_line(value: str, limit: int) -> None:
    shown = printable(value, limit)
    assert len(shown.encode()) <= limit
    assert shown.isprintable()


LOG = b"".join(asyncio.run(some_log(3)))
LINES = split(LOG)


@settings(max_examples=400)
@given(st.integers(0, len(LOG) * 8 - 1))
def test_every_single_changed_bit_is_caught(bit: int) -> None:
    changed = bytearray(LOG)
    changed[bit // 8] ^= 1 << bit % 8
    assert checked(split(bytes(changed))).bad is not None


@given(st.integers(0, len(LOG) * 8 - 1))
def test_the_last_signature_alone_catches_every_changed_bit_of_a_receipt(bit: int) -> None:
    changed = bytearray(LOG)
    changed[bit // 8] ^= 1 << bit % 8
    lines = split(bytes(changed))
    receipts = lines[::2] + lines[-1:]
    assert (checked(lines, each_signature=False).bad is not None) or receipts == LINES[::2] + LINES[-1:]


@given(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1))
def test_no_two_lines_may_change_places(one: int, other: int) -> None:
    lines = [*LINES]
    lines[one], lines[other] = lines[other], lines[one]
    assert (checked(lines).bad is None) == (lines == LINES)


@given(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1))
def test_no_line_may_be_repeated(one: int, at: int) -> None:
    assert checked([*LINES[:at], LINES[one], *LINES[at:]]).bad is not None


@given(st.sets(st.integers(0, len(LINES) - 2), min_size=1))
def test_no_receipt_may_be_taken_out(gone: set[int]) -> None:
    receipts = {index for index in gone if index % 2 == 0}
    report = checked([line for index, line in enumerate(LINES) if index not in gone])
    assert (report.bad is not None) == bool(receipts)


@given(st.integers(0, len(LOG)))
def test_a_log_cut_anywhere_never_covers_more_than_was_signed(size: int) -> None:
    report = checked(split(LOG[:size]))
    signed = sum(LINES[1::2][i] in LOG[:size] for i in range(len(LINES) // 2))
    assert report.bad is None
    assert report.size == signed


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_a_tree_grown_leaf_by_leaf_is_the_one_of_rfc_6962(leaves: list[bytes]) -> None:
    from hashlib import sha256

    def root(of: list[bytes]) -> bytes:
        if len(of) < 2:
            return sha256(b"\x00" + of[0]).digest() if of else sha256(b"").digest()
        split_at = 1 << (len(of) - 1).bit_length() - 1
        return sha256(b"\x01" + root(of[:split_at]) + root(of[split_at:])).digest()

    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == root(leaves)


def test_the_made_log_is_good() -> None:
    assert checked(LINES).bad is None
    assert decision()["type"] == "decision"
    assert KEY.public.vkey
