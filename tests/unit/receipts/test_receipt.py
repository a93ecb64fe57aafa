"""outgate.receipts.receipt"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from receipts_made import AGENT, NOW, action, decided, decision, outcome, request

from outgate.actions.action import Tier
from outgate.digest import canonical, sent_digest
from outgate.errors import EvidenceError
from outgate.intake.agents import Agent
from outgate.intake.request import NoBody, Unreadable, UnreadBody, WholeBody
from outgate.policy.decision import Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode
from outgate.ports import Pin, Stamp
from outgate.receipts.receipt import Outcome, Result, decision_body, event_body, outcome_body, timestamp


def test_time_is_utc_with_milliseconds() -> None:
    assert timestamp(datetime(2026, 1, 31, 9, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-31T08:00:00.999Z"


def test_a_decision_says_who_asked_what_and_what_was_answered() -> None:
    body = decision()
    assert body["type"] == "decision"
    assert body["agent"] == {"id": "coder", "team": "build", "owner": "ops@acme.example", "since": None}
    assert body["answer"] == body["would"] == "allow"
    assert body["actions"][0]["name"] == "github.repos/get"
    assert body["rules"] == [{"id": "a-rule", "effect": "allow", "mode": "enforce", "error": ""}]
    assert body["pin"]["address"] == "192.0.2.7"


def test_the_digest_of_what_is_sent_holds_the_whole_target() -> None:
    asked = request("/search", "q=secret&page=2")
    body = decision(request=asked)
    wanted = sent_digest(method="GET", scheme="https", host="api.github.com", port=443, target="/search?q=secret&page=2")
    assert body["request"]["sent"] == wanted


def test_of_a_query_only_the_names_are_kept() -> None:
    body = decision(request=request("/s", "q=hunter2&token=hunter3&%6B=hunter4&hunter5"))
    assert body["request"]["query"] == ["q", "token", "k", ""]
    assert "hunter" not in json.dumps(body)


def test_a_long_query_says_that_there_was_more() -> None:
    body = decision(request=request("/s", "&".join(f"n{i}=x" for i in range(100))))
    assert len(body["request"]["query"]) == 33
    assert body["request"]["query"][-1] == "…"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (NoBody(), {"read": "none", "length": 0}),
        (WholeBody(b"abc"), {"read": "whole", "length": 3}),
        (UnreadBody(length=7), {"read": "not", "length": 7}),
        (UnreadBody(), {"read": "not", "length": None}),
    ],
)
def test_of_a_body_only_its_length_is_kept(body: NoBody | WholeBody | UnreadBody, said: dict[str, object]) -> None:
    assert decision(request=request(body=body))["request"]["body"] == said


def test_what_could_not_be_read_is_recorded_as_such() -> None:
    body = decision(Effect.BLOCK, request=Unreadable(status=400, why="Two hosts.", host="evil.test"), reason=Reason.UNREADABLE)
    assert body["request"] == {"unreadable": "Two hosts.", "status": 400, "host": "evil.test"}
    assert body["pin"] is None


def test_of_many_actions_the_strictest_are_kept_and_the_rest_counted() -> None:
    allowed = tuple(Verdict(action=action(), answer=Effect.ALLOW, would=Effect.ALLOW, matches=()) for _ in range(100))
    blocked = Verdict(action=action("github.repos/delete"), answer=Effect.BLOCK, would=Effect.BLOCK, matches=())
    whole = decided(Effect.BLOCK, verdicts=(*allowed, blocked))
    body = decision_body(at=NOW, agent=AGENT, request=request(), decision=whole, policy="p", pin=None)
    assert body["actions"][0]["name"] == "github.repos/delete"
    assert (len(body["actions"]), body["actionsLeftOut"]) == (32, 69)


def test_each_rule_is_named_once_the_enforced_and_strict_first() -> None:
    matches = (
        Match(rule="watch", effect=Effect.BLOCK, mode=Mode.OBSERVE),
        Match(rule="allow", effect=Effect.ALLOW, mode=Mode.ENFORCE),
        Match(rule="stop", effect=Effect.BLOCK, mode=Mode.ENFORCE, error="no-such-field"),
    )
    verdict = Verdict(action=action(), answer=Effect.BLOCK, would=Effect.BLOCK, matches=matches)
    body = decision(Effect.BLOCK, verdicts=(verdict, verdict))
    assert [(rule["id"], rule["error"]) for rule in body["rules"]] == [("stop", "no-such-field"), ("allow", ""), ("watch", "")]


def test_a_tier_is_a_number_and_a_count_is_one_that_json_holds() -> None:
    body = decision(verdicts=decided(Effect.ALLOW, action(tier=Tier.T3, count=2**70)).verdicts)
    assert body["actions"][0]["tier"] == 3
    assert body["actions"][0]["count"] == 2**53 - 1


def test_an_outcome_names_its_decision() -> None:
    body = outcome(Stamp(writer="w1", seq=4))
    assert body["of"] == {"writer": "w1", "seq": 4}
    assert (body["result"], body["status"]) == ("executed", 200)


def test_an_event_keeps_digests_and_hides_keys() -> None:
    digest = "sha256:" + "ab" * 32
    body = event_body("start", NOW, AGENT, {"policy": digest, "argv": ["x", "--key=ghp_16C7e42F292c6912E7710c838347Ae178B4a"]})
    assert body["about"]["policy"] == digest  # type: ignore[index,call-overload]
    assert "ghp_16C7e42F" not in json.dumps(body)


def test_an_event_can_be_the_gates_own() -> None:
    assert event_body("stop", NOW, None, {})["agent"] is None


@pytest.mark.parametrize("what", ["decision", "outcome"])
def test_an_event_is_no_decision_and_no_outcome(what: str) -> None:
    with pytest.raises(EvidenceError, match="not an event"):
        event_body(what, NOW, AGENT, {})


def test_a_float_is_no_evidence() -> None:
    with pytest.raises(EvidenceError, match="float"):
        event_body("start", NOW, AGENT, {"x": 1.5})  # type: ignore[dict-item]


@pytest.mark.parametrize("key", ["", "é", "a b", "x" * 65, "\x1b"])
def test_what_others_write_is_never_a_key(key: str) -> None:
    with pytest.raises(EvidenceError, match="no key"):
        event_body("start", NOW, AGENT, {key: 1})


def test_a_huge_event_is_replaced_by_its_size_and_digest() -> None:
    about = event_body("start", NOW, AGENT, {f"k{i}": "x" * 1000 for i in range(100)})["about"]
    assert set(about) == {"cut", "digest"}  # type: ignore[arg-type]


def test_a_deeply_nested_event_says_so() -> None:
    deep: object = "end"
    for _ in range(50):
        deep = [deep]
    assert "nested too deeply" in canonical(event_body("start", NOW, AGENT, {"x": deep})).decode()  # type: ignore[dict-item]


CANARIES = ["hunter2-CANARY-value", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "sk-ant-api03-AbCdEfGh1234567890AbCdEfGh"]


@pytest.mark.parametrize("canary", CANARIES)
def test_no_header_value_no_body_and_no_query_value_is_ever_kept(canary: str) -> None:
    asked = request(
        "/x",
        f"a={canary}&{canary}",
        headers=(("authorization", f"Bearer {canary}"), ("cookie", canary)),
        body=WholeBody(canary.encode()),
    )
    assert canary not in json.dumps(decision(request=asked), ensure_ascii=False)


@pytest.mark.parametrize("canary", CANARIES[1:])
def test_a_credential_is_hidden_wherever_it_was_put(canary: str) -> None:
    asked = request(f"/{canary}", f"{canary}=1", method="GET", host=f"{canary}.evil.test".lower())
    seen = decided(Effect.BLOCK, action("mcp." + canary, resource=f"x/{canary}", why=canary), why=canary, tell=canary)
    pin = Pin(name=asked.host, port=1, address="192.0.2.1", address_port=1, via=f"http://u:{canary}@p:1")
    body = decision_body(at=NOW, agent=Agent(id="a"), request=asked, decision=seen, policy="p", pin=pin)
    late = outcome_body(Stamp(writer="w", seq=0), NOW, Outcome(result=Result.REFUSED, error=f"bad {canary}"))
    assert canary.lower() not in json.dumps([body, late], ensure_ascii=False).lower()
