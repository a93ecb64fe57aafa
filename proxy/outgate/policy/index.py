"""Index: from an action to the few rules that may match it. Leaves no rule out that would match."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.action import Action
    from outgate.policy.matching import Scope, Test
    from outgate.policy.rule import Rule

type _Cell = tuple[Access, Tier]
type _Cells = Mapping[_Cell, tuple[Candidate, ...]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that may match, and the tests that finding it here leaves open."""

    rule: Rule
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Rules by the action or service that they name, else anywhere; in each by access and tier."""

    actions: Mapping[str, _Cells] = field(default_factory=dict)
    services: Mapping[str, _Cells] = field(default_factory=dict)
    anywhere: _Cells = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Index:
        """Sort rules into the index."""
        actions: dict[str, list[Rule]] = defaultdict(list)
        services: dict[str, list[Rule]] = defaultdict(list)
        anywhere: list[Rule] = []
        for rule in rules:
            if names := _exact(rule.scope, "action"):
                for name in names:
                    actions[name].append(rule)
            elif names := _exact(rule.scope, "service"):
                for name in names:
                    services[name].append(rule)
            else:
                anywhere.append(rule)
        return cls(
            actions={name: _cells(found, "action") for name, found in actions.items()},
            services={name: _cells(found, "service") for name, found in services.items()},
            anywhere=_cells(anywhere),
        )

    def candidates(self, action: Action) -> Iterator[Candidate]:
        """Every rule that may match, each once."""
        cell = (action.access, action.tier)
        if cells := self.actions.get(action.name):
            yield from cells.get(cell, ())
        if cells := self.services.get(action.service):
            yield from cells.get(cell, ())
        yield from self.anywhere.get(cell, ())


def _exact(scope: Scope, key: str) -> frozenset[str]:
    """The values that a scope names on a key, if it names all of them without a pattern."""
    test = scope.test(key)
    return frozenset() if test is None or test.wanted.globs else test.wanted.texts


def _cells(rules: list[Rule], settled: str = "") -> _Cells:
    """Sort rules by access and tier. Where a rule stands then settles its tests of those, and of `settled`."""
    cells: dict[_Cell, list[Candidate]] = defaultdict(list)
    for rule in rules:
        accesses, tiers = rule.scope.test("access"), rule.scope.test("tier")
        open_tests = tuple(test for test in rule.scope.tests if test.key not in {"access", "tier", settled})
        candidate = Candidate(rule, open_tests)
        for access in Access:
            for tier in Tier:
                wanted = (accesses is None or accesses.wanted.has(access.value)) and (
                    tiers is None or tiers.wanted.has(tier.name)
                )
                if wanted:
                    cells[access, tier].append(candidate)
    return {cell: tuple(found) for cell, found in cells.items()}
