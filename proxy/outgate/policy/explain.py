"""Explain: of every rule, whether it held for an action, and if it nearly did, what it lacked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outgate.policy.decide import Circumstances, holds
from outgate.policy.effect import Mode, Phase
from outgate.policy.matching import MATCH, NO_MATCH, Erred, opposite
from outgate.policy.meter import take
from outgate.policy.rule import EVERYBODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.action import Action
    from outgate.policy.facts import Facts
    from outgate.policy.limits import Limit
    from outgate.policy.matching import Test, Truth
    from outgate.policy.rule import Policy, Rule


_ANOTHER = frozenset({"action", "service", "access", "mapped"})
"""A rule that lacks one of these is about something else."""
_LABEL = "agent.label."
"""And one that lacks a label about somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that held, that could not be told, or that lacked one thing only. `lacked` says which, for people.

    `acts` is how much it does to this agent. `note` says for people what else there is to it: what it takes of its limit,
    how far it is rolled out, that it is asked of the answer or of each message.
    """

    rule: Rule
    truth: Truth
    acts: Mode
    lacked: str = ""
    note: str = ""


def findings(policy: Policy, action: Action, facts: Facts) -> tuple[Finding, ...]:
    """The rules that matter for an action: those that held first, then those that nearly did; each by id."""
    at = Circumstances(policy, action, facts)
    found = (_finding(rule, at) for rule in policy.rules if rule.acts is not Mode.DISABLED)
    order = sorted((one for one in found if one is not None), key=lambda one: (one.truth is NO_MATCH, one.rule.id))
    return tuple(order)


def _finding(rule: Rule, at: Circumstances) -> Finding | None:
    truth, acts = holds(rule, at), rule.acts_on(at.facts.agent)
    if truth is not NO_MATCH and rule.phase is not Phase.REQUEST:
        return Finding(rule=rule, truth=MATCH, acts=acts, note=_note(rule, acts, *_later(rule)))
    if truth is MATCH:
        return _held(rule, acts, at)
    if isinstance(truth, Erred):
        return Finding(rule=rule, truth=truth, acts=acts)
    lacked = list(_lacks(rule, at))
    held = any(test.holds(at.action, at.facts) is MATCH for test in rule.scope.tests)
    if len(lacked) != 1 or not held or lacked[0][0] in _ANOTHER or lacked[0][0].startswith(_LABEL):
        return None
    return Finding(rule=rule, truth=truth, acts=acts, lacked=lacked[0][1])


def _held(rule: Rule, acts: Mode, at: Circumstances) -> Finding:
    took = take(rule, at.action, at.facts, 0)
    if isinstance(took, Erred):
        return Finding(rule=rule, truth=took, acts=acts)
    if rule.limit is None:
        return Finding(rule=rule, truth=MATCH, acts=acts, note=_note(rule, acts))
    if took is None:
        takes = f"takes nothing of {rule.limit}"
    else:
        amount = str(replace(rule.limit, amount=took.amount)).rpartition("/")[0]
        takes = f"takes {'about ' if took.whole else ''}{amount} of {rule.limit}, {_whose(rule.limit)}"
    return Finding(rule=rule, truth=MATCH, acts=acts, note=_note(rule, acts, takes))


def _later(rule: Rule) -> tuple[str, ...]:
    """When a rule is asked that is not asked of the request."""
    if rule.phase is Phase.RESPONSE:
        return ("is asked of the answer",)
    asked = "is asked of each message, once it was let out"
    return (asked,) if rule.limit is None else (asked, f"a message takes one of {rule.limit}, {_whose(rule.limit)}")


def _whose(limit: Limit) -> str:
    return f"for each {' and '.join(limit.per)}" if limit.per else "for all together"


def _note(rule: Rule, acts: Mode, *more: str) -> str:
    beyond = rule.rollout < EVERYBODY and acts is not rule.acts
    rolled = [f"is rolled out to {rule.rollout} of 100 agents, and not to this one"] if beyond else []
    return "; ".join([*more, *rolled])


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
