"""outgate.receipts.recorded"""

from __future__ import annotations

from typing import Any

import pytest
from receipts_made import AGENT, NOW, action, decided, decision, request

from outgate.actions.action import Money
from outgate.digest import canonical
from outgate.intake.agents import Agent
from outgate.policy.effect import Effect
from outgate.policy.facts import Facts
from outgate.receipts.receipt import MOST_BYTES
from outgate.receipts.recorded import agent_facts, known_of, params_of


def said(named: str = "stripe.post_charges", at: str = "/v1/charges", /, **params: Any) -> dict[str, Any]:
    (found,) = params_of([action(named, params=params)], at)
    return {one["name"]: one.get("value") for one in found["params"]}


def test_numbers_truths_and_amounts_are_written_as_they_are() -> None:
    given = said(n=3, stream=True, amount=Money(minor=999_999, currency="GBP"))
    assert given == {"n": 3, "stream": True, "amount": {"minor": 999_999, "currency": "GBP"}}


def test_known_words_and_names_are_written() -> None:
    assert said(model="gpt-4.1-mini", ref="refs/heads/main", tools=("search", "shell")) == {
        "model": "gpt-4.1-mini",
        "ref": "refs/heads/main",
        "tools": ["search", "shell"],
    }


@pytest.mark.parametrize("name", ["text", "query", "q", "name", "title"])
def test_free_text_is_only_named(name: str) -> None:
    assert said(**{name: "hunter2"}) == {name: None}


@pytest.mark.parametrize(
    "value",
    [
        "a sentence with spaces",
        "ann@acme.example",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "\x1b[2J",
        "x" * 101,
        "",
    ],
)
def test_what_is_no_plain_word_is_not_written_under_any_name(value: str) -> None:
    assert said("stripe.post_charges", f"/{value}", model=value, branch=value) == {"model": None, "branch": None}


def test_what_stands_in_the_path_is_shown_there_anyway() -> None:
    assert said("github.repos/get", "/repos/acme/a%20site", owner="acme", repo="a site") == {"owner": "acme", "repo": None}


@pytest.mark.parametrize(
    "value", [2**53, Money(minor=2**60, currency="GBP"), Money(minor=1, currency="a sentence"), tuple(map(str, range(17)))]
)
def test_what_a_receipt_can_not_hold_is_only_named(value: Any) -> None:
    assert said(tools=value) == {"tools": None}


def test_a_number_that_is_too_large_is_told_from_a_text() -> None:
    (found,) = params_of([action("s.op", params={"amount": Money(minor=2**60, currency="GBP"), "text": "x"})], "/")
    assert found["params"] == [{"name": "amount", "value": None}, {"name": "text"}]


def test_a_tools_arguments_are_only_named() -> None:
    assert said("mcp.tools/call:pay", "/mcp", model="gpt", pin=1234) == {"model": None, "pin": None}


def test_no_number_of_parameters_makes_a_receipt_too_large() -> None:
    many = [action("s.op", f"r{n}", params={f"{'p' * 60}{i}": "v" * 100 for i in range(40)}) for n in range(40)]
    agent = Agent(
        id="a", permissions=frozenset(f"{n}{'p' * 190}" for n in range(99)), labels={f"l{n}": "v" * 200 for n in range(99)}
    )
    body = decision(Effect.BLOCK, verdicts=decided(Effect.BLOCK, *many).verdicts, agent=agent, request=request("/" + "x" * 9000))
    assert len(canonical(body)) < MOST_BYTES
    assert body["actions"][-1] | {"paramsLeftOut": 40} == body["actions"][-1]
    assert body["actions"][0]["paramsLeftOut"] == 8
    assert body["agent"]["permissionsLeftOut"] + len(body["agent"]["permissions"]) == 99
    assert body["agent"]["labelsLeftOut"] + len(body["agent"]["labels"]) == 99


def test_what_an_agent_may_and_is_called_is_written() -> None:
    agent = Agent(id="a", permissions=frozenset({"write", "pay"}), labels={"trust": "low"}, observe=True)
    assert agent_facts(agent) == {"permissions": ["pay", "write"], "labels": {"trust": "low"}, "observe": True}


def test_what_there_is_none_of_is_not_there() -> None:
    assert agent_facts(AGENT) == {}
    assert list(params_of([action()], "/")) == [{}]


def test_a_label_whose_name_is_no_key_is_counted_and_not_written() -> None:
    assert agent_facts(Agent(id="a", labels={"größe": "x", "ok": "y"})) == {"labels": {"ok": "y"}, "labelsLeftOut": 1}


def test_what_could_not_be_told_is_written() -> None:
    facts = Facts(now=NOW, agent=AGENT, request=request(), unread=True, unsteady=True)
    assert known_of(facts, looked=True) == {"data": True, "body": False, "time": False}
