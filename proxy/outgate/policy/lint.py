"""Lint: what a policy says in vain. Nothing here is wrong enough to refuse it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.errors import Problem
from outgate.policy.effect import Effect, Mode, Phase
from outgate.policy.limits import COUNT
from outgate.policy.names import RESPONSE_NAMES, STREAM_NAMES
from outgate.policy.reach import can_meet, services
from outgate.policy.rule import DEFAULT_MOCK, EVERYBODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.catalog import Catalog
    from outgate.policy.limits import Limit
    from outgate.policy.rule import Policy, Rule

_MOST_NAMED = 3
_ADD_MOCK = "add one, as in mocks: {default: {answers: canned}}"


def lint(policy: Policy, catalog: Catalog) -> tuple[Problem, ...]:
    """Rules that change nothing, or something else than they say, in the order of the files, each with why and what to do."""
    found = [problem for rule in policy.rules for problem in _vain(rule, policy, catalog)]
    return tuple(sorted([*found, *_otherwise_without_mocks(policy)]))


def notes(policy: Policy) -> tuple[str, ...]:
    """What an operator may want to know, and nothing to change."""
    asks = [rule for rule in policy.rules if rule.effect is Effect.ESCALATE and rule.acts is not Mode.DISABLED]
    if any(said.to for said in policy.otherwise):
        return ()
    silent = [f"'{rule.id}'" for rule in asks if not rule.to]
    if not silent:
        return ()
    more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return (f"{silent[0]}{more} escalate{'' if more else 's'} to nobody in particular: anyone whose key is known may approve",)


def _vain(rule: Rule, policy: Policy, catalog: Catalog) -> Iterator[Problem]:
    if rule.acts is Mode.DISABLED:
        yield _at(rule, f"rule '{rule.id}' is disabled, delete it or observe it")
        return
    if wider := next((other for other in policy.rules if _makes_vain(other, rule)), None):
        yield _at(rule, _because(rule, wider))
    elif lower := next((other for other in policy.rules if _stops_before(other, rule)), None):
        message = f"rule '{rule.id}' is never reached: '{lower.id}' stops at {lower.limit} what it would at {rule.limit}"
        yield _at(rule, f"{message}; delete one")
    if rule.phase is Phase.RESPONSE and not any(name in RESPONSE_NAMES for name in rule.reads):
        yield _at(rule, f"rule '{rule.id}' reads nothing of the answer, leave phase: response out to stop the request before")
    if rule.phase is Phase.STREAM and not _hears(rule):
        message = f"rule '{rule.id}' reads nothing of a message and counts none, so it stops the first"
        yield _at(rule, f"{message}; leave phase: stream out to stop the request before")
    yield from _without_mock(rule, policy, catalog)
    yield from _never(rule, catalog)


def _hears(rule: Rule) -> bool:
    """Whether it makes a difference which message it is asked of."""
    if rule.limit is not None or rule.scope.test("data") is not None:
        return True
    return any(name in {"data", "now", *STREAM_NAMES} or name.startswith("during.") for name in rule.reads)


def _makes_vain(other: Rule, rule: Rule) -> bool:
    """Whether `other` says at least as much wherever `rule` says anything."""
    if not _speaks_wherever(other, rule) or other.limit is not None:
        return False
    if other.effect is Effect.ESCALATE and (rule.limit is not None or _asks_others(other, rule)):
        return False  # people may lift the one, and what they lift is over a limit, or needs others too
    if other.on_too_large not in {None, rule.on_too_large}:
        return False  # the one is lifted by people where a body is too large, the other is not
    says = not rule.effect.restricts or (other.effect >= rule.effect and (other.effect is Effect.BLOCK or not _can_err(rule)))
    return says and not (_twins(other, rule) and other.id > rule.id)


def _speaks_wherever(other: Rule, rule: Rule) -> bool:
    """Whether `other` holds, for every agent, where `rule` does."""
    if other.id == rule.id or other.conditions or other.rollout < EVERYBODY or other.phase is not rule.phase:
        return False
    return other.acts >= rule.acts and other.scope.covers(rule.scope)


def _asks_others(other: Rule, rule: Rule) -> bool:
    return rule.effect is Effect.ESCALATE and rule.to not in {"", other.to}


def _stops_before(other: Rule, rule: Rule) -> bool:
    """Whether a limit refuses before the other rule's of the same counts is used up. What is refused is not counted."""
    if other.limit is None or rule.limit is None or not _speaks_wherever(other, rule):
        return False
    if other.effect not in {Effect.THROTTLE, Effect.BLOCK} or _counts(other.limit) != _counts(rule.limit):
        return False
    first, then = _reach(other.limit), _reach(rule.limit)
    return all(one <= two for one, two in zip(first, then, strict=True)) and (first != then or other.id < rule.id)


def _counts(limit: Limit) -> tuple[object, ...]:
    return limit.unit, limit.window, limit.zone, limit.per, limit.attempted


def _reach(limit: Limit) -> tuple[int, int]:
    return limit.amount, limit.burst or limit.amount


def _without_mock(rule: Rule, policy: Policy, catalog: Catalog) -> Iterator[Problem]:
    """What may only be tried out, and where."""
    if rule.effect is not Effect.SANDBOX or DEFAULT_MOCK in policy.mocks:
        return
    names = sorted(services(rule.scope, catalog) - policy.mocks.keys())
    if names:
        shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        yield _at(rule, f"rule '{rule.id}' blocks, as there is no mock of {shown}; {_ADD_MOCK}")


def _otherwise_without_mocks(policy: Policy) -> Iterator[Problem]:
    if DEFAULT_MOCK not in policy.mocks and any(Effect.SANDBOX in {*o.tiers, o.read, o.other} for o in policy.otherwise):
        yield Problem(source=policy.name, message=f"otherwise: sandbox blocks what has no mock; {_ADD_MOCK}")


def _can_err(rule: Rule) -> bool:
    """What can't be told blocks: that may be more than the rule's own effect."""
    measured = rule.limit is not None and rule.limit.unit != COUNT
    return (
        bool(rule.conditions)
        or measured
        or any(test.key in {"data", "resource", "instance"} or test.key.startswith("params.") for test in rule.scope.tests)
    )


def _twins(one: Rule, other: Rule) -> bool:
    """Each makes the other vain: only the second of them is reported."""
    plain = not other.conditions and other.limit is None and other.rollout >= EVERYBODY
    return plain and one.effect is other.effect and one.acts is other.acts and other.scope.covers(one.scope)


def _because(rule: Rule, wider: Rule) -> str:
    if rule.effect.restricts or not wider.effect.restricts:
        return f"rule '{rule.id}' changes nothing: '{wider.id}' says {wider.effect} for all that it matches; delete one"
    return f"rule '{rule.id}' never lets anything out: '{wider.id}' says {wider.effect} for all that it matches; narrow that one"


def _never(rule: Rule, catalog: Catalog) -> Iterator[Problem]:
    """An access that nothing it names has."""
    access = rule.scope.test("access")
    if access is not None and not can_meet(access, rule.scope, catalog):
        yield _at(rule, f"rule '{rule.id}' names access {access.wanted}, which nothing that it matches has")


def _at(rule: Rule, message: str) -> Problem:
    return replace(rule.place, message=message) if rule.place else Problem(source=rule.id, message=message)
