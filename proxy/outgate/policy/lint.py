"""Lint: what a policy says in vain. Nothing here is wrong enough to refuse it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.errors import Problem
from outgate.policy.effect import Effect, Mode
from outgate.policy.reach import is_open, reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.catalog import Catalog
    from outgate.policy.rule import Policy, Rule


def lint(policy: Policy, catalog: Catalog) -> tuple[Problem, ...]:
    """Rules that change nothing, in the order of the files, each with why and what to do."""
    found = [problem for rule in policy.rules for problem in _vain(rule, policy, catalog)]
    return tuple(sorted(found))


def _vain(rule: Rule, policy: Policy, catalog: Catalog) -> Iterator[Problem]:
    if rule.acts is Mode.DISABLED:
        yield _at(rule, f"rule '{rule.id}' is disabled, delete it or observe it")
        return
    if wider := next((other for other in policy.rules if _makes_vain(other, rule)), None):
        yield _at(rule, _because(rule, wider))
    yield from _never(rule, catalog)


def _makes_vain(other: Rule, rule: Rule) -> bool:
    """Whether `other` says at least as much wherever `rule` says anything."""
    if other.id == rule.id or other.conditions or other.acts < rule.acts or not other.scope.covers(rule.scope):
        return False
    says = not rule.effect.restricts or (other.effect >= rule.effect and (other.effect is Effect.BLOCK or not _can_err(rule)))
    return says and not (_twins(other, rule) and other.id > rule.id)


def _can_err(rule: Rule) -> bool:
    """What can't be told blocks: that may be more than the rule's own effect."""
    return bool(rule.conditions) or any(
        test.key in {"data", "resource"} or test.key.startswith("params.") for test in rule.scope.tests
    )


def _twins(one: Rule, other: Rule) -> bool:
    """Each makes the other vain: only the second of them is reported."""
    return one.effect is other.effect and one.acts is other.acts and not other.conditions and other.scope.covers(one.scope)


def _because(rule: Rule, wider: Rule) -> str:
    if rule.effect.restricts or not wider.effect.restricts:
        return f"rule '{rule.id}' changes nothing: '{wider.id}' says {wider.effect} for all that it matches; delete one"
    return f"rule '{rule.id}' never lets anything out: '{wider.id}' says {wider.effect} for all that it matches; narrow that one"


def _never(rule: Rule, catalog: Catalog) -> Iterator[Problem]:
    """An access that nothing it names has."""
    access = rule.scope.test("access")
    reached = reach(rule.scope, catalog)
    if access is None or any(map(is_open, reached)):
        return
    if not any(access.wanted.has(operation.access.value) for operation in reached):
        yield _at(rule, f"rule '{rule.id}' names access {access.wanted}, which nothing that it matches has")


def _at(rule: Rule, message: str) -> Problem:
    return replace(rule.place, message=message) if rule.place else Problem(source=rule.id, message=message)
