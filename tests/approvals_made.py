"""Approvals, people and votes for tests: real statements, really signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from signers import SK, Signer

from outgate.actions.action import Access, Action, Confidence, Money, Tier
from outgate.approvals.approval import Approval, Panel, Vote
from outgate.approvals.request import request_digest
from outgate.approvals.statement import draft, to_sign
from outgate.intake.agents import Agent
from outgate.intake.request import Request, WholeBody
from outgate.keys.people import People, Person
from outgate.policy.decision import Decision, Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode

NOW = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)
AGENT = Agent(id="payer", team="finance", owner="ann")
KEYS = {name: Signer(name) for name in ("alice", "bob", "carol", "ann", "dave", "payer")}
TOUCHED = {name: Signer(f"{name} touched", kind=SK) for name in ("alice", "bob")}
PEOPLE = People(
    by_name={
        name: Person(
            name=name,
            groups=frozenset({"ops"} if name in {"carol", "ann"} else ()),
            keys=(signer.public, *((TOUCHED[name].public,) if name in TOUCHED else ())),
        )
        for name, signer in KEYS.items()
    }
)
FINANCE = Panel(name="finance", need=2, of=("alice", "bob", "carol"), within=timedelta(hours=24), rules=("big-payments",))
OPS = Panel(name="ops", need=1, of=("group:ops",), within=timedelta(hours=8), rules=("two-people",))

REQUEST = Request(
    method="POST",
    scheme="https",
    host="api.payments.example",
    port=443,
    path="/v1/payments",
    query=None,
    headers=(("content-type", "application/json"), ("authorization", "Bearer s3cret")),
    body=WholeBody(b'{"amount": 1250000, "currency": "GBP", "to": "acct_42"}'),
)
PAY = Action(
    service="payments",
    operation="create_payment",
    resource="acct_42",
    access=Access.PAY,
    tier=Tier.T2,
    params={"amount": Money(minor=1250000, currency="GBP"), "to": "acct_42"},
    confidence=Confidence.CATALOG,
    why="money moves",
)


def stopped(*actions: Action, rules: tuple[str, ...] = ("big-payments",), to: str = "finance", **changed: Any) -> Decision:
    matches = tuple(Match(rule=rule, effect=Effect.ESCALATE, mode=Mode.ENFORCE, to=to) for rule in rules)
    verdicts = tuple(
        Verdict(action=one, answer=Effect.ESCALATE, would=Effect.ESCALATE, matches=matches) for one in actions or (PAY,)
    )
    given: dict[str, Any] = {
        "answer": Effect.ESCALATE,
        "would": Effect.ESCALATE,
        "reason": Reason.POLICY,
        "tell": "Large payments need two people.",
        "why": "big-payments: escalate",
        "verdicts": verdicts,
    }
    return Decision(**given | changed)


def approval(
    *panels: Panel, request: Request = REQUEST, decision: Decision | None = None, agent: Agent = AGENT, **changed: Any
) -> Approval:
    given: dict[str, Any] = {"id": "abcd-efgh-2345", "nonce": "00" * 16, "now": NOW, "policy": "sha256:" + "0" * 64} | changed
    return draft(
        request_digest=given.pop("request_digest", None) or request_digest(agent.id, request) or "",
        request=request,
        agent=agent,
        decision=decision or stopped(),
        panels=panels or (FINANCE,),
        **given,
    )


def vote(of: Approval, person: str, *, deny: bool = False, by: Signer | None = None, after: float = 60, **changed: Any) -> Vote:
    signer = by or KEYS[person]
    given: dict[str, Any] = {
        "person": person,
        "deny": deny,
        "key": signer.fingerprint,
        "signature": signer.sign(to_sign(of, deny=deny)),
        "at": NOW + timedelta(seconds=after),
    }
    return Vote(**given | changed)


def signed(of: Approval, *votes: Vote) -> Approval:
    return replace(of, votes=(*of.votes, *votes))
