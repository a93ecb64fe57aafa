"""Explain: of every rule, whether it held for an action, and if it nearly did, what it lacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.policy.decide import Circumstances, holds
from outgate.policy.effect import Mode
from outgate.policy.matching import MATCH, NO_MATCH, Erred, Holds, opposite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.action import Action
    from outgate.policy.facts import Facts
    from outgate.policy.matching import Test, Truth
    from outgate.policy.rule import Policy, Rule


_ANOTHER = frozenset({"action", "service", "access", "mapped"})
"""A rule that lacks one of these is about something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that held, that could not be told, or that lacked one thing only. `lacked` says which, for people."""

    rule: Rule
    truth: Truth
    lacked: str = ""


def findings(policy: Policy, action: Action, facts: Facts) -> tuple[Finding, ...]:
    """The rules that matter for an action: those that held first, then those that nearly did; each by id."""
    at = Circumstances(policy, action, facts)
    found = (_finding(rule, at) for rule in policy.rules if rule.acts is not Mode.DISABLED)
    order = sorted((one for one in found if one is not None), key=lambda one: (one.truth is NO_MATCH, one.rule.id))
    return tuple(order)


def _finding(rule: Rule, at: Circumstances) -> Finding | None:
    truth = holds(rule, at)
    if isinstance(truth, Erred) or truth is Holds.MATCH:
        return Finding(rule=rule, truth=truth)
    lacked = list(_lacks(rule, at))
    held = any(test.holds(at.action, at.facts) is MATCH for test in rule.scope.tests)
    if len(lacked) != 1 or not held or lacked[0][0] in _ANOTHER:
        return None
    return Finding(rule=rule, truth=truth, lacked=lacked[0][1])


def _lacks(rule: Rule, at: Circumstances) -> Iterator[tuple[str, str]]:
    """Each part that certainly does not hold: which, and how to say it."""
    for test in rule.scope.tests:
        if test.holds(at.action, at.facts) is NO_MATCH:
            yield test.key, _lack(test, at)
    if rule.when is not None and at.holds(rule.when) is NO_MATCH:
        yield "when", f"when: {rule.when.text}"
    if rule.unless is not None and opposite(at.holds(rule.unless)) is NO_MATCH:
        yield "unless", f"unless: {rule.unless.text}"


def _lack(test: Test, at: Circumstances) -> str:
    have = test.read(at.action, at.facts)
    shown = have if isinstance(have, str) else ", ".join(sorted(have)) if isinstance(have, frozenset) else ""
    return f"{test.key} is {shown or 'none'}, not {test.wanted}"
