"""outgate.approvals.panels"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from approvals_made import PAY, stopped

from outgate.actions.action import Confidence
from outgate.approvals.approval import Panel
from outgate.approvals.panels import ANYONE, WITHIN, panels_of
from outgate.policy.decision import Match
from outgate.policy.effect import Effect, Mode
from outgate.policy.rule import OTHERWISE, Approvers, Otherwise, Policy

ALLOW, ESCALATE = Effect.ALLOW, Effect.ESCALATE
DAY = timedelta(hours=24)


def policy(*otherwise: Otherwise, **approvers: Approvers) -> Policy:
    known = {
        "finance": Approvers(need=2, of=("alice", "bob", "carol"), within=DAY),
        "ops": Approvers(need=1, of=("group:ops",), within=DAY),
    }
    return Policy(name="p", digest="", mode=Mode.ENFORCE, otherwise=otherwise, approvers=known | approvers)


def otherwise(to: str, tier: Effect = ESCALATE, **changed) -> Otherwise:
    return Otherwise(**{"tiers": (ALLOW, ALLOW, tier, ESCALATE), "read": ALLOW, "other": ESCALATE, "to": to} | changed)


def match(rule: str, to: str = "", effect: Effect = ESCALATE, mode: Mode = Mode.ENFORCE) -> Match:
    return Match(rule=rule, effect=effect, mode=mode, to=to)


def matched(*matches: Match, action=PAY):
    decision = stopped(action)
    return replace(decision, verdicts=(replace(decision.verdicts[0], matches=matches),))


def names(panels: tuple[Panel, ...]) -> dict[str, tuple[str, ...]]:
    return {panel.name: panel.rules for panel in panels}


def test_each_panel_is_asked_once_for_all_rules_that_name_it():
    found = panels_of(policy(), matched(match("b", "finance"), match("a", "finance"), match("c", "ops")))
    assert names(found) == {"finance": ("a", "b"), "ops": ("c",)}
    assert found[0].need == 2
    assert found[0].of == ("alice", "bob", "carol")


def test_rules_of_every_action_ask():
    decision = stopped(PAY, PAY)
    verdicts = (replace(decision.verdicts[0], matches=(match("a", "ops"),)), decision.verdicts[1])
    assert set(names(panels_of(policy(), replace(decision, verdicts=verdicts)))) == {"ops", "finance"}


@pytest.mark.parametrize(
    "other", [match("a", "ops", mode=Mode.OBSERVE), match("a", "ops", Effect.BLOCK), match("a", "ops", ALLOW)]
)
def test_only_enforced_escalations_ask(other: Match):
    assert names(panels_of(policy(), matched(other, match("b", "finance")))) == {"finance": ("b",)}


def test_who_is_asked_otherwise_is_asked_where_a_rule_names_nobody():
    assert names(panels_of(policy(otherwise("ops")), matched(match("a")))) == {"ops": ("a",)}


def test_everybody_whom_a_file_names_otherwise_is_asked():
    assert set(names(panels_of(policy(otherwise("ops"), otherwise("finance")), matched(match("a"))))) == {"ops", "finance"}


def test_of_the_default_only_those_files_ask_that_escalate():
    said = (otherwise("ops"), otherwise("finance", ALLOW))
    assert set(names(panels_of(policy(*said), matched(match(OTHERWISE))))) == {"ops"}
    guessed = replace(PAY, confidence=Confidence.HEURISTIC)
    assert set(names(panels_of(policy(*said), matched(match(OTHERWISE), action=guessed)))) == {"ops", "finance"}


def test_a_file_that_only_observes_asks_nobody():
    said = (otherwise("ops"), otherwise("finance", ceiling=Mode.OBSERVE))
    assert set(names(panels_of(policy(*said), matched(match("a"))))) == {"ops"}


def test_where_nobody_is_named_anyone_may_approve():
    assert panels_of(policy(otherwise("")), matched(match("a"))) == (
        Panel(name=ANYONE, need=1, of=("*",), within=WITHIN, rules=("a",)),
    )


def test_approvers_that_the_policy_does_not_have_approve_nothing():
    with pytest.raises(KeyError):
        panels_of(policy(), matched(match("a", "nobody")))
