"""outgate.cli.card"""

from __future__ import annotations

import unicodedata
from collections import Counter, deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from approvals_made import AGENT, FINANCE, NOW, OPS, PAY, PEOPLE, REQUEST, approval, signed, stopped, vote

from outgate.actions.action import Money
from outgate.approvals.quorum import judge
from outgate.approvals.statement import shown
from outgate.cli.before import Before
from outgate.cli.card import card, foreign, harmless, span, standing_line

if TYPE_CHECKING:
    from outgate.approvals.approval import Approval

LATER = NOW + timedelta(minutes=30)
SEEN = Before(
    answers=Counter(allow=30, escalate=9, block=2),
    last=deque([("2026-01-31T07:59:00.000Z", "allow", "payments.list_payments")]),
    first="2026-01-19T08:00:00.000Z",
    since="2026-01-19T08:00:00.000Z",
)


def lines(of: Approval, before: Before = SEEN, now=LATER) -> list[str]:
    return list(card(shown(of), judge(of, PEOPLE, now), before, now))


def text(*args, **how) -> str:
    return "\n".join(lines(*args, **how))


def wide(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def labels(found: list[str]) -> list[str]:
    return [line[:10].strip() for line in found if line and not line.startswith(" ")]


def test_it_says_who_what_on_what_how_much_why_and_what_was_before():
    asked = approval()
    said = text(signed(asked, vote(asked, "alice")))
    for part in (
        f"approval {asked.id}  pending",
        "expires in 23 h",
        "payer (team finance, owner ann, known for 12 d)",
        "payments.create_payment · pay · T2 · money moves",
        "on what   acct_42",
        "how much  12500.00 GBP",
        "request   POST https://api.payments.example/v1/payments",
        "stopped   big-payments: escalate",
        "told      Large payments need two people.",
        "needs     2 of alice, bob, carol (finance); signed by alice",
        "before    41 decisions since 19 January 2026: 30 allow, 9 escalate, 2 block",
        " allow payments.list_payments",
    ):
        assert part in said


def test_an_agent_that_nobody_saw_is_said_to_be_new():
    said = text(approval(), Before())
    assert "never seen before" in said
    assert "nothing is known of this agent" in said
    assert "in the log since 19 January" in text(approval(), replace(SEEN, since=""))


def test_what_nobody_mapped_is_marked():
    from outgate.actions.action import Confidence

    assert "T2?" in text(approval(decision=stopped(replace(PAY, confidence=Confidence.HEURISTIC))))


def test_every_action_is_shown_and_those_that_did_not_fit_are_counted():
    few = text(approval(decision=stopped(PAY, replace(PAY, operation="refund", count=7))))
    assert "what 1" in few
    assert "payments.refund, 7 times" in few
    many = text(approval(decision=stopped(*[PAY] * 40)))
    assert "and 24 more that are not shown: deny what you can't see" in many


def test_parameters_are_shown_once():
    said = text(approval(decision=stopped(replace(PAY, params={"amount": Money(minor=5, currency="GBP"), "memo": "rent"}))))
    assert "with      memo = rent" in said
    assert said.count("0.05 GBP") == 1


def test_that_only_hardware_counts_is_said():
    assert "only hardware keys" in text(approval(hardware_only=True))
    assert "only hardware keys" not in text(approval())


def test_it_shows_what_is_signed_and_nothing_else():
    asked = approval()
    with pytest.raises(Exception, match="differs in agent"):
        lines(replace(asked, agent="harmless"))


HOSTILE = [
    "\x1b[2J\x1b[1;1Happroved by everybody",
    "acct\u202e24_tcca",
    "a\r\nsigned    alice, bob, carol",
    "x" * 10_000,
    "x " * 5_000,
    "a" + " " * 300 + "b",
    "p\u0430yments",  # the second letter is Cyrillic
    "e\u0301\u0302\u0303" * 50,
    "\u200b\u2066\ufeff\u00ad",
    "\u6f22" * 200,
    "needs     0 of nobody " * 20,
    "\ud800",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_in_its_place(hostile: str):
    action = replace(PAY, resource=hostile, operation=hostile, params={"memo": hostile, "n": hostile}, why=hostile)
    request = replace(REQUEST, path="/" + hostile, query=f"{hostile}=1")
    asked = approval(request=request, decision=stopped(action, tell=hostile, why=hostile), request_digest="sha256:00")
    found = lines(asked, replace(SEEN, last=deque([("x", hostile, hostile)])))
    assert max(map(wide, found)) <= 80
    assert all(c.isprintable() and not unicodedata.category(c).startswith(("C", "M")) for line in found for c in line)
    known = {"approval a", "who", "what", "on what", "how much", "with", "request", "stopped", "told", "needs", "before"}
    assert set(labels(found)) <= known
    assert labels(found).count("needs") == 1
    assert labels(found)[0] == "approval a"


def test_letters_that_are_not_ascii_are_named():
    said = text(approval(decision=stopped(replace(PAY, resource="p\u0430yments"))))
    assert "! not ASCII: \u0430 CYRILLIC SMALL LETTER A" in said
    assert foreign("abc … ·") == ""
    assert foreign("\u0430\u0431\u0432\u0433\u0430").endswith(" and 1 more")


def test_runs_of_spaces_and_long_texts_are_counted():
    assert harmless("a" + " " * 30 + "b") == "a (30 spaces) b"
    assert "(9500 characters)" in harmless("x" * 10_000)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86399, "23 h"),
        (86400, "24 h"),
        (172800, "2 d"),
    ],
)
def test_a_span_is_one_number(seconds: int, said: str):
    assert span(timedelta(seconds=seconds)) == said


def test_how_far_it_is_is_one_sentence():
    asked = approval(FINANCE, OPS)
    alice, bob, carol = (vote(asked, name) for name in ("alice", "bob", "carol"))

    def said(*votes, now=LATER, **changed) -> str:
        of = signed(replace(asked, **changed), *votes)
        return standing_line(judge(of, PEOPLE, now), of.expires, now)

    assert said(alice) == "1 of 2; still needed: one of bob, carol; 0 of 1; still needed: one of carol; expires in 7 h"
    assert said(alice, bob, carol) == "granted: passes once, now if held, else within 7 h"
    assert said(vote(asked, "bob", deny=True)) == "denied by bob"
    assert said(now=NOW + timedelta(days=2)) == "expired: nobody decided in time"
    assert said(used=NOW) == "used: the approved request was sent"


def test_a_panel_that_can_not_be_satisfied_any_more_is_said_to_be():
    asked = approval(replace(OPS, of=("ann",)), agent=AGENT)
    assert "nobody is left who could sign for ops" in standing_line(judge(asked, PEOPLE, NOW), asked.expires, NOW)
