"""outgate.cli.log_lines"""

from __future__ import annotations

from typing import Any

import pytest
from receipts_made import AGENT, NOW, action, decided, decision, outcome

from outgate.actions.action import Confidence, Tier
from outgate.cli.log_lines import Entry, Fold, Wanted, line_of, owes
from outgate.intake.request import Unreadable
from outgate.policy.decision import Reason
from outgate.policy.effect import Effect
from outgate.ports import Stamp
from outgate.receipts.chain import Chain, Receipt, parse
from outgate.receipts.receipt import Result, event_body

CHAIN = Chain("w1")


def sealed(body: dict[str, Any]) -> Receipt:
    return parse(CHAIN.seal(body)[1])


def shown(body: dict[str, Any], came: dict[str, Any] | None = None, *, width: int = 80) -> str:
    return line_of(Entry(receipt=sealed(body), outcome=sealed(came) if came else None), width, colour=False)[9:]


def done(**given: Any) -> dict[str, Any]:
    return outcome(Stamp(writer="w1", seq=0), **given)


def test_a_line_says_answer_tier_action_result_and_agent() -> None:
    assert shown(decision(), done()) == f"allow     T0 {'github.repos/get acme/site':35} 200       coder"


def test_what_would_be_stopped_is_marked() -> None:
    assert shown(decision(verdicts=decided(would=Effect.BLOCK).verdicts, would=Effect.BLOCK), done()).startswith("~block ")


@pytest.mark.parametrize("answer", [Effect.THROTTLE, Effect.ESCALATE, Effect.SANDBOX])
def test_what_was_not_let_out_is_shown_by_its_answer_whatever_enforcing_more_would_make_of_it(answer: Effect) -> None:
    verdicts = decided(answer, would=Effect.BLOCK).verdicts
    assert shown(decision(answer, verdicts=verdicts, would=Effect.BLOCK)).startswith(f"{answer!s:9} ")


def test_what_is_not_in_a_catalog_has_no_tier() -> None:
    guess = decided(Effect.BLOCK, action("http.POST", "paste.rs", confidence=Confidence.HEURISTIC))
    assert shown(decision(Effect.BLOCK, verdicts=guess.verdicts)) == f"block     ?  {'http.POST paste.rs':35} {'':9} coder"


def test_of_several_actions_the_strictest_is_shown_and_the_rest_counted() -> None:
    several = decided(Effect.ALLOW, action(), action("github.repos/delete", tier=Tier.T3))
    assert "T3 github.repos/delete acme/site +1" in shown(decision(verdicts=several.verdicts), done())


@pytest.mark.parametrize(
    ("result", "status", "said"),
    [
        (Result.EXECUTED, 503, "503"),
        (Result.REFUSED, None, "refused"),
        (Result.UNKNOWN, 200, "unknown"),
        (Result.ABANDONED, None, "abandoned"),
    ],
)
def test_what_came_of_it_is_a_status_or_a_word(result: Result, status: int | None, said: str) -> None:
    assert f" {said} " in shown(decision(), done(result=result, status=status))


def test_what_is_not_over_is_dots() -> None:
    assert " … " in shown(decision())


def test_what_could_not_be_read_says_why() -> None:
    body = decision(
        Effect.BLOCK, request=Unreadable(status=400, why="Two hosts.", host="a.test"), reason=Reason.UNREADABLE, verdicts=()
    )
    assert shown(body).startswith("block     -  a.test Two hosts. ")


def test_a_refusal_that_is_not_the_policys_says_whose_it_is() -> None:
    assert " cannot-d… " in shown(decision(Effect.BLOCK, reason=Reason.CANNOT_DECIDE))


def test_an_event_shows_what_it_is_about() -> None:
    assert (
        shown(event_body("around", NOW, AGENT, {"port": 22, "zeal": 1, "empty": "", "digest": "x", "process": "python"}))
        == f"around    {'process=python port=22 zeal=1':48} coder"
    )


def test_what_people_approved_is_marked_and_what_waits_for_them_shows_which() -> None:
    passed = {**decision(), "approval": {"id": "abcd-efgh-2345", "used": True}}
    assert shown(passed, done()).startswith("approved  T0 ")
    waits = {**decision(Effect.ESCALATE), "approval": {"id": "abcd-efgh-2345", "used": False}}
    assert " abcd-efgh coder" in shown(waits)


def test_what_is_over_a_limit_shows_the_limit() -> None:
    over = [{"rule": "rate", "limit": 60, "unit": "count", "window": "minute", "asked": 1, "left": 0}]
    assert " 60/min    coder" in shown({**decision(Effect.THROTTLE), "over": over})


def test_what_went_to_a_mock_waits_for_its_outcome() -> None:
    mocked = {**decision(Effect.SANDBOX), "mock": {"service": "github", "scheme": "http", "host": "mock.test", "port": 1}}
    assert shown(mocked).startswith("sandbox ")
    assert " … " in shown(mocked)
    assert " mocked " in shown(mocked, done(result=Result.MOCKED, status=201))
    assert owes(mocked)
    assert not owes(decision(Effect.SANDBOX))


def test_an_answer_that_was_withheld_says_so() -> None:
    assert " withheld " in shown(decision(), done(result=Result.WITHHELD))


def test_an_event_without_an_agent_has_the_whole_line() -> None:
    assert shown(event_body("halt", NOW, None, {"scope": "agent", "name": "mailer", "why": "it sent spam", "by": "ops"})) == (
        'HALT      agent mailer, by ops: "it sent spam"'
    )


def test_an_event_is_also_of_the_agent_that_it_was_done_to() -> None:
    halted = sealed(event_body("halt", NOW, None, {"scope": "agent", "name": "mailer"}))
    signed = sealed(event_body("approval-signed", NOW, None, {"agent": "mailer", "approval": "x"}))
    service = sealed(event_body("halt", NOW, None, {"scope": "service", "name": "mailer"}))
    assert [Wanted(agent="mailer").has(one) for one in (halted, signed, service)] == [True, True, False]
    assert not Wanted(agent="coder").has(halted)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = decided(Effect.ALLOW, action("service-with-a-long-name." + "x" * 90, "y" * 150))
    for body in (decision(verdicts=long.verdicts), event_body("start", NOW, AGENT, {"argv": ["z" * 300]})):
        assert len(line_of(Entry(receipt=sealed(body)), width, colour=False)) <= width


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "a\rallow", "\u202egnp", "a\nblock", "\u2066x", "\x9b2J"])
def test_hostile_text_can_not_drive_the_terminal(hostile: str) -> None:
    fields = {**decision(), "actions": [{"name": hostile, "resource": hostile}], "agent": {"id": hostile}, "reason": hostile}
    for body in (fields, {**event_body("x", NOW, None, {}), "type": hostile, "about": {"k": hostile}}):
        line = line_of(
            Entry(receipt=Receipt(line=b"", writer="w", seq=0, prev="", type=body["type"], fields=body)), 200, colour=False
        )
        assert line.isprintable()


def test_colours_are_for_the_answer_alone() -> None:
    line = line_of(Entry(receipt=sealed(decision(Effect.BLOCK))), 80, colour=True)
    assert line[9:].startswith("\x1b[31mblock    \x1b[0m ")


def folded(*receipts: Receipt) -> list[tuple[int, bool]]:
    fold = Fold()
    entries = [entry for receipt in receipts for entry in fold.add(receipt)]
    return [(entry.receipt.seq, entry.outcome is not None) for entry in [*entries, *fold.flush()]]


def test_outcomes_are_joined_to_their_decisions_which_keep_their_order() -> None:
    chain = Chain("w1")
    first, second, third = (parse(chain.seal(decision(answer))[1]) for answer in (Effect.ALLOW, Effect.ALLOW, Effect.BLOCK))
    of_second, of_first = (parse(chain.seal(outcome(Stamp(writer="w1", seq=n)))[1]) for n in (1, 0))
    assert folded(first, second, third, of_second, of_first) == [(0, True), (1, True), (2, False)]


def test_a_decision_without_outcome_is_shown_in_the_end() -> None:
    chain = Chain("w1")
    receipts = [parse(chain.seal(decision(answer))[1]) for answer in (Effect.ALLOW, Effect.BLOCK)]
    assert folded(*receipts) == [(0, False), (1, False)]


def test_a_late_outcome_is_a_line_of_its_own() -> None:
    chain, fold = Chain("w1"), Fold()
    list(fold.add(parse(chain.seal(decision())[1])))
    assert [entry.late for entry in fold.flush()] == [False]
    late = list(fold.add(parse(chain.seal(outcome(Stamp(writer="w1", seq=0)))[1])))
    assert [entry.late for entry in late] == [True]
    assert line_of(late[0], 80, colour=False)[9:].startswith("  ↳ later T0 github.repos/get acme/site ")


def test_an_outcome_of_nothing_that_was_shown_is_left_out() -> None:
    assert folded(sealed(outcome(Stamp(writer="w9", seq=3)))) == []


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        (Wanted(), True),
        (Wanted(agent="coder"), True),
        (Wanted(agent="other"), False),
        (Wanted(answer="allow"), True),
        (Wanted(answer="block"), False),
        (Wanted(action="github.*"), True),
        (Wanted(action="stripe.*"), False),
        (Wanted(would=True), False),
        (Wanted(since="2026-01-31T08:00:00.000Z"), True),
        (Wanted(since="2026-01-31T08:00:01.000Z"), False),
    ],
)
def test_what_is_wanted_is_shown(wanted: Wanted, has: bool) -> None:
    assert wanted.has(sealed(decision())) is has


def test_events_are_shown_unless_decisions_are_asked_for() -> None:
    event = sealed(event_body("start", NOW, AGENT, {}))
    assert Wanted(agent="coder").has(event)
    assert not Wanted(answer="allow").has(event)
