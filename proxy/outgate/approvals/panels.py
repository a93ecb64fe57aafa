"""Panels: whom a decision asks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from outgate.approvals.approval import Panel
from outgate.keys.people import EVERYBODY
from outgate.policy.effect import Effect, Mode
from outgate.policy.rule import OTHERWISE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.actions.action import Action
    from outgate.policy.decision import Decision, Match
    from outgate.policy.rule import Policy

ANYONE = "anyone"
WITHIN = timedelta(hours=24)
"""How long people have where no approvers are named."""


def panels_of(policy: Policy, decision: Decision) -> tuple[Panel, ...]:
    """Everybody whom the enforced escalations of a decision ask, each panel once, by name. All of them must agree."""
    asked: dict[str, set[str]] = {}
    for verdict in decision.verdicts:
        for match in verdict.matches:
            if match.effect is Effect.ESCALATE and match.mode is Mode.ENFORCE:
                for name in _asked(policy, match, verdict.action):
                    asked.setdefault(name, set()).add(match.rule)
    return tuple(_panel(policy, name, rules) for name, rules in sorted(asked.items()))


def _asked(policy: Policy, match: Match, action: Action) -> Iterable[str]:
    """Approvers by name; those of every file that says so where the rule names nobody; an empty name where no file does."""
    return [match.to] if match.to else (sorted(set(_default(policy, match, action))) or [""])


def _default(policy: Policy, match: Match, action: Action) -> Iterator[str]:
    for said in policy.otherwise:
        spoke = match.rule != OTHERWISE or said.effect(action) is Effect.ESCALATE
        if said.to and said.ceiling is Mode.ENFORCE and spoke:
            yield said.to


def _panel(policy: Policy, name: str, rules: set[str]) -> Panel:
    named = tuple(sorted(rules))
    if not name:
        return Panel(name=ANYONE, need=1, of=(EVERYBODY,), within=WITHIN, rules=named)
    said = policy.approvers[name]
    return Panel(name=name, need=said.need, of=said.of, within=said.within, owner=said.owner, rules=named)
