from dataclasses import replace
from datetime import timedelta

import pytest

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.answer.refuse import Circumstances, refusal_of
from outgate.answer.reply import Asked, LimitState
from outgate.intake.request import Request, Unreadable
from outgate.policy.decision import Decision, Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode

READ = Request(method="POST", scheme="https", host="api.test", port=443, path="/x", query=None, headers=())
ACTION = Action(
    service="crm", operation="update", resource="customer 7", access=Access.WRITE, tier=Tier.T1, confidence=Confidence.CATALOG
)


def decided(answer=Effect.BLOCK, reason=Reason.POLICY, error=""):
    match = Match(rule="r", effect=answer, mode=Mode.ENFORCE, error=error)
    verdict = Verdict(action=ACTION, answer=answer, would=answer, matches=(match,))
    return Decision(answer=answer, would=answer, reason=reason, tell="No.", verdicts=(verdict,))


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        (Effect.BLOCK, "blocked", 403),
        (Effect.ESCALATE, "approval-required", 403),
        (Effect.THROTTLE, "over-limit", 429),
        (Effect.SANDBOX, "sandbox-only", 403),
    ],
)
def test_each_answer_has_its_kind_and_status(answer, kind, status):
    said = refusal_of(decided(answer), READ, Circumstances(receipt="w-1"))
    assert (said.kind, said.status, said.answer, said.receipt, said.tell) == (kind, status, str(answer), "w-1", "No.")
    assert said.actions == ("crm.update customer 7",)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.CANNOT_DECIDE, 503),
        (Reason.UPSTREAM, 502),
        (Reason.AGENT, 407),
        (Reason.HALTED, 403),
        (Reason.DESTINATION, 403),
    ],
)
def test_what_is_not_the_policys_word_is_its_own_kind(reason, status):
    said = refusal_of(decided(reason=reason), READ, Circumstances())
    assert (said.kind, said.status) == (reason.value, status)


def test_what_could_not_be_read_has_the_readings_status_but_where_it_was_halted():
    unreadable = Unreadable(status=431, why="long")
    assert refusal_of(decided(reason=Reason.UNREADABLE), unreadable, Circumstances()).status == 431
    assert refusal_of(decided(reason=Reason.HALTED), unreadable, Circumstances()).status == 403


def test_a_body_that_was_too_large_is_413_only_where_a_rule_had_to_read_it():
    large = Circumstances(too_large=True)
    assert refusal_of(decided(error="unread"), READ, large).status == 413
    assert refusal_of(decided(), READ, large).status == 403
    assert refusal_of(decided(error="unread"), READ, Circumstances()).status == 403
    assert refusal_of(decided(Effect.THROTTLE, error="unread"), READ, large).status == 429


def test_nor_is_it_where_people_are_asked_of_it():
    asked_ = Asked(id="a", status_url="http://outgate.internal/approvals/a", expires="2026-01-01T00:00:00Z")
    said = Circumstances(too_large=True, approval=asked_)
    assert refusal_of(decided(Effect.ESCALATE, error="missing:data"), READ, said).status == 403
    assert refusal_of(decided(error="missing:data"), READ, Circumstances(too_large=True, denied=True)).status == 403


def test_a_coding_that_is_not_read_is_415_only_where_somebody_had_to_read_it():
    unsupported = Circumstances(unsupported=True)
    assert refusal_of(decided(error="missing:data"), READ, unsupported).status == 415
    assert refusal_of(decided(), READ, unsupported).status == 403
    assert refusal_of(decided(error="missing:data"), READ, Circumstances()).status == 403


def test_a_persons_no_and_a_withheld_answer_are_kinds_of_their_own():
    assert refusal_of(decided(Effect.ESCALATE), READ, Circumstances(denied=True)).kind == "approval-denied"
    assert refusal_of(decided(), READ, Circumstances(withheld=True)).kind == "withheld"


def test_what_else_there_is_to_say_is_passed_on():
    said = Circumstances(
        retry_after=timedelta(seconds=3),
        limits=(LimitState(name="l", quota=1, window=1, left=0, reset=1),),
        approval=Asked(id="abcd-efgh-ijkl", status_url="http://outgate.internal/approvals/abcd-efgh-ijkl", expires="t"),
    )
    refusal = refusal_of(decided(Effect.ESCALATE), READ, replace(said, receipt="w-2"))
    assert (refusal.retry_after, refusal.limits, refusal.approval) == (said.retry_after, said.limits, said.approval)
