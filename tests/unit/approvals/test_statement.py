"""outgate.approvals.statement"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from approvals_made import AGENT, FINANCE, NOW, OPS, PAY, REQUEST, approval, stopped

from outgate.actions.action import Money
from outgate.approvals.statement import MOST_BYTES, draft, shown, to_sign
from outgate.digest import canonical
from outgate.errors import EvidenceError

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"  # not one that anybody has


def fields(of) -> dict:
    return json.loads(of.statement)


def test_it_says_what_there_is_to_know():
    said = fields(approval(FINANCE, OPS))
    assert said["type"] == "outgate/approval/v1alpha"
    assert (said["agent"], said["team"], said["owner"]) == ("payer", "finance", "ann")
    assert said["url"] == "https://api.payments.example/v1/payments"
    assert said["actions"][0]["money"] == ["12500.00 GBP"]
    assert [(panel["name"], panel["need"], panel["of"], panel["owner"]) for panel in said["panels"]] == [
        ("finance", 2, ["alice", "bob", "carol"], False),
        ("ops", 1, ["group:ops"], False),
    ]
    assert (said["why"], said["tell"]) == ("big-payments: escalate", "Large payments need two people.")


def test_it_is_canonical_json():
    assert canonical(fields(approval())) == approval().statement


def test_it_expires_with_the_shortest_time_that_a_panel_gives():
    asked = approval(FINANCE, OPS)
    assert asked.expires - asked.asked == timedelta(hours=8)
    assert (fields(asked)["asked"], fields(asked)["expires"]) == ("2026-01-31T08:00:00Z", "2026-01-31T16:00:00Z")


def test_times_are_whole_seconds_so_that_no_store_rounds_them():
    assert approval().asked.microsecond == approval().expires.microsecond == 0
    assert approval().asked <= NOW


def test_without_anybody_to_ask_there_is_none():
    whole = {"request_digest": "c", "request": REQUEST, "agent": AGENT, "decision": stopped(), "policy": "", "now": NOW}
    with pytest.raises(ValueError, match="empty"):
        draft(id="a", nonce="b", panels=(), **whole)


def test_what_is_signed_has_the_decision_in_it():
    asked = approval()
    assert json.loads(to_sign(asked, deny=False)) == {**fields(asked), "decision": "approve"}
    assert json.loads(to_sign(asked, deny=True)) == {**fields(asked), "decision": "deny"}
    assert len(to_sign(asked, deny=True)) <= MOST_BYTES


def test_no_two_approvals_are_signed_alike():
    made = [approval(), approval(nonce="11" * 16), approval(id="abcd-efgh-2346"), approval(now=NOW + timedelta(seconds=1))]
    assert len({to_sign(one, deny=False) for one in made}) == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "abcd-efgh-2346"},
        {"request": "sha256:00"},
        {"agent": "other"},
        {"owner": "bob"},
        {"expires": approval().expires + timedelta(seconds=1)},
        {"asked": approval().asked - timedelta(seconds=1)},
        {"panels": (replace(FINANCE, need=1),)},
        {"panels": (replace(FINANCE, of=("*",)),)},
        {"panels": (replace(FINANCE, owner=True),)},
        {"panels": (replace(FINANCE, rules=("big-payments", "another")),)},
        {"panels": (replace(FINANCE, within=timedelta(hours=25)),)},
        {"panels": ()},
        {"panels": (FINANCE, OPS)},
    ],
    ids=str,
)
def test_what_a_store_says_otherwise_than_the_statement_is_refused(changed: dict):
    with pytest.raises(EvidenceError, match="is not its own: it differs in"):
        to_sign(replace(approval(), **changed), deny=False)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b"[" * 20_000,
        b"[" * 10_000,
        b'{"a":NaN}',
        approval().statement + b" ",
        approval().statement.replace(b'":', b'": ', 1),
        approval().statement.replace(b"}", b',"id":"abcd-efgh-2345"}'),
        approval().statement.replace(b"payer", b"\\u0070ayer"),
        approval().statement + b" " * MOST_BYTES,
    ],
    ids=lambda one: one[:20],
)
def test_what_is_no_statement_in_its_one_form_is_refused(spoilt: bytes):
    for read in (shown, lambda one: to_sign(one, deny=False)):
        with pytest.raises(EvidenceError):
            read(replace(approval(), statement=spoilt))


def test_what_is_shown_is_read_from_what_is_signed():
    asked = approval()
    card = shown(asked)
    assert (card.id, card.agent, card.method, card.url) == (asked.id, "payer", "POST", "https://api.payments.example/v1/payments")
    assert (card.actions[0].name, card.actions[0].money) == ("payments.create_payment", ("12500.00 GBP",))
    forged = json.loads(asked.statement) | {"url": "https://harmless.example/"}
    assert shown(replace(asked, statement=canonical(forged))).url == "https://harmless.example/"
    assert to_sign(replace(asked, statement=canonical(forged)), deny=False) != to_sign(asked, deny=False)


@pytest.mark.parametrize("name", ["url", "actions", "why", "actionsLeftOut", "method"])
@pytest.mark.parametrize("value", [None, 1.5, True, {"a": 1}, [1], [[1]]], ids=str)
def test_a_field_of_another_type_is_not_shown(name: str, value: object):
    spoilt = json.loads(approval().statement) | {name: value}
    with pytest.raises(EvidenceError, match=None if value == {"a": 1} else name):
        shown(replace(approval(), statement=canonical(spoilt)))


def test_no_credential_is_in_it():
    request = replace(
        REQUEST,
        path=f"/v1/{TOKEN}/x",
        query=f"key={TOKEN}&{TOKEN}",
        headers=(*REQUEST.headers, ("x-api-key", TOKEN)),
        host=f"{TOKEN.lower()}.example",
    )
    action = replace(PAY, resource=f"a/{TOKEN}", params={"token": TOKEN, "list": (TOKEN,), TOKEN: 1}, why=TOKEN)
    said = approval(request=request, decision=stopped(action, why=TOKEN, tell=TOKEN)).statement
    assert TOKEN[8:].encode() not in said
    assert TOKEN[8:].lower().encode() not in said
    assert b"s3cret" not in said
    assert b"key=" in said


def test_hostile_text_is_made_printable():
    action = replace(PAY, resource="a\x1b[2Jb\u202egnp.exe\ud800\n\u200b", params={"to\x00": "x\r\ny"})
    said = approval(decision=stopped(action)).statement.decode()
    assert all(character.isprintable() for character in said)


def test_what_does_not_fit_is_counted():
    action = replace(PAY, params={f"p{n}": "v" * 200 for n in range(40)})
    said = fields(approval(decision=stopped(*[action] * 300)))
    assert len(said["actions"]) + said["actionsLeftOut"] == 300
    assert all(len(one["params"]) + one["paramsLeftOut"] == 40 for one in said["actions"])
    assert all("(200 characters)" in value for _, value in said["actions"][0]["params"])


def test_the_strictest_actions_are_shown_where_not_all_fit():
    from outgate.actions.action import Tier

    worst = replace(PAY, operation="delete_everything", tier=Tier.T3)
    said = fields(approval(decision=stopped(*[PAY] * 50, worst)))
    assert said["actions"][0]["name"] == "payments.delete_everything"


def test_it_never_grows_over_its_bound():
    many = replace(
        FINANCE,
        of=tuple(f'"person-{n}-{"x" * 50}"' for n in range(500)),
        rules=tuple(f"rule-{n}-{'x' * 100}" for n in range(500)),
    )
    hostile = replace(
        PAY, resource='"\\' * 500, params={f'{n}"\\' * 40: '"' * 900 for n in range(20)}, why='"' * 200, operation='"' * 200
    )
    request = replace(REQUEST, path="/" + '"\\' * 4000, query="&".join(f'{n}"="' for n in range(2000)))
    decision = stopped(*[hostile] * 20, why='"' * 5000, tell='"' * 5000)
    asked = approval(*[many] * 20, request=request, decision=decision)
    assert len(to_sign(asked, deny=True)) <= MOST_BYTES
    said = fields(asked)
    assert len(said["panels"]) + said["panelsLeftOut"] == 20
    assert len(said["panels"][0]["of"]) + said["panels"][0]["ofLeftOut"] == 500


@pytest.mark.parametrize("minor", [10**40, -(10**40), 0, 5])
def test_sums_of_any_size_are_told(minor: int):
    action = replace(PAY, params={"amount": Money(minor=minor, currency="GBP"), "n": 10**40}, count=10**30)
    said = fields(approval(decision=stopped(action)))["actions"][0]
    assert said["money"][0].startswith({5: "0.05 GBP", 0: "0.00 GBP"}.get(minor, str(minor)[:10]))
    assert said["count"] == 2**53 - 1
