"""outgate.analysis.recall"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from policies import GET, NOON, action, facts, policy, pounds
from recorded import Record

from outgate.actions.action import Money
from outgate.analysis.recall import Fixed, Lost, recall
from outgate.errors import EvidenceError
from outgate.intake.bodies import DECODED_LIMIT
from outgate.intake.request import SpooledBody, UnreadBody, WholeBody
from outgate.policy.effect import Effect

OPEN = policy("- {id: all, match: {}, effect: allow}\n- {id: d, match: {data: secret}, effect: block}")


def recorded(*actions, **said):
    record = Record(OPEN)
    record.decided(*actions, **said)
    return record.receipts[0]


def test_what_was_decided_on_is_read_back():
    pay = action("payments.create_payment", resource="p1", params={"amount": pounds(7), "note": "hi there"}, count=3)
    given = facts(
        request=replace(GET, method="POST", body=WholeBody(b"12345")),
        team="finance",
        owner="ann",
        permissions=frozenset({"pay"}),
        labels={"trust": "low"},
        observe=True,
    )
    found = recall(
        recorded(
            pay,
            request=given.request,
            **{k: getattr(given.agent, k) for k in ("team", "owner", "permissions", "labels", "observe")},
        )
    )
    assert found.facts.agent == given.agent
    assert found.facts.now == NOON
    assert found.facts.request == replace(given.request, body=UnreadBody(5))
    (known,) = found.actions
    assert known.action == replace(pay, params={"amount": pounds(7), "note": ""})
    assert known.unknown == {"params.note", "request.credential", "destination.owned"}
    assert found.looked


def test_the_answer_and_the_rules_that_made_it_are_read_back():
    found = recall(recorded(action("crm.delete_all", data=frozenset({"secret"}))))
    assert (found.answer, found.rules, found.approved, found.let_out) == (Effect.BLOCK, ("d",), False, False)


def test_what_people_approved_is_told_from_what_waits_for_them():
    body = recorded(action())
    assert recall(body | {"approval": {"id": "abcd-efgh-2345", "used": True}}).approved
    assert not recall(body | {"approval": {"id": "abcd-efgh-2345", "used": False}}).approved


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ({"age": None}, "agent.age"),
        ({"team": "a\u202eb"}, "agent.team"),
        ({"owner": "x" * 300}, "agent.owner"),
        ({"labels": {"größe": "x"}}, "agent.labels"),
        ({"permissions": frozenset(f"{n}{'p' * 150}" for n in range(20))}, "agent.permissions"),
        ({"request": replace(GET, path="/" + "x" * 4000)}, "request.path"),
        ({"request": replace(GET, path="/ghp_abcdefghijklmnopqrstuvwxyz0123456789")}, "request.path"),
    ],
)
def test_what_was_cut_masked_or_never_known_is_unknown(said, lost):
    assert recall(recorded(action(), **said)).actions[0].lacks(lost)


@pytest.mark.parametrize("exact", [True, False])
def test_that_its_path_has_one_reading_is_kept(exact):
    assert recall(recorded(action(exact=exact))).actions[0].action.exact is exact


def test_a_resource_that_was_masked_is_unknown():
    assert recall(recorded(action(resource="x" * 400))).actions[0].lacks("action.resource")


def test_data_that_nobody_looked_for_is_unknown():
    record = Record(policy("- {id: all, match: {}, effect: allow}"))
    record.decided(action())
    assert recall(record.receipts[0]).actions[0].lacks("data")


def test_parameters_beyond_a_receipt_are_all_unknown():
    known = recall(recorded(action(params={f"p{n}": n for n in range(40)}))).actions[0]
    assert known.lacks("params")
    assert not known.lacks("params.p0")
    assert known.lacks("params.p9"), "the 33rd by name"


def test_a_sum_with_a_number_too_large_to_write_is_unknown():
    known = recall(recorded(action(params={"amount": Money(minor=2**60, currency="GBP")}))).actions[0]
    assert "params." in known.unknown


def test_a_receipt_from_before_facts_were_written_has_fewer():
    body = recorded(action(), request=replace(GET, body=UnreadBody(9)))
    del body["facts"]
    found = recall(body)
    assert {"data", "params", "agent.labels", "agent.permissions"} <= found.actions[0].unknown
    assert found.actions[0].lacks("params.anything")
    assert found.facts.unread, "nobody can say that it was read"


def test_what_could_not_be_told_then_can_not_be_told_now():
    body = recorded(action())
    body["facts"] = {"data": True, "body": False, "time": False}
    found = recall(body)
    assert (found.facts.unread, found.facts.unsteady) == (True, True)


@pytest.mark.parametrize(
    ("body", "read", "unread"),
    [
        (SpooledBody("/dev/fd/9", DECODED_LIMIT + 1, "sha256:0"), SpooledBody("", DECODED_LIMIT + 1, ""), False),
        (SpooledBody("/dev/fd/9", DECODED_LIMIT, "sha256:0"), UnreadBody(DECODED_LIMIT), False),
        (UnreadBody(7, too_large=True), UnreadBody(7, too_large=True), True),
        (UnreadBody(7), UnreadBody(7), False),
    ],
)
def test_a_body_that_was_too_large_then_is_too_large_now(body, read, unread):
    found = recall(recorded(action(), request=replace(GET, method="POST", body=body), unread=unread))
    assert (found.facts.request.body, found.facts.unread) == (read, unread)


@pytest.mark.parametrize("reason", ["unreadable", "destination", "halted", "cannot-decide", "agent", "upstream"])
def test_what_no_policy_has_a_say_in_is_fixed(reason):
    assert recall(recorded(action()) | {"reason": reason}) == Fixed(reason)


def test_more_actions_than_a_receipt_holds_are_lost():
    assert isinstance(recall(recorded(*[action()] * 40)), Lost)


def test_an_action_whose_name_was_cut_is_lost():
    assert isinstance(recall(recorded(action("tools.call:" + "x" * 200))), Lost)


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "coder"},
        {"agent": {"id": "no id", "team": "", "owner": "", "since": None}},
        {"actions": [{"name": "x"}]},
        {"answer": "maybe"},
        {"at": "yesterday"},
        {"at": 5},
        {"request": {}},
        {"seq": "1"},
        {"rules": {}},
    ],
)
def test_what_is_no_receipt_of_ours_is_said_so(change):
    with pytest.raises(EvidenceError):
        recall(recorded(action()) | change)


def test_when_an_agent_was_first_seen_is_exact():
    assert recall(recorded(action(), age=timedelta(days=3))).facts.agent.since == NOON - timedelta(days=3)
