"""What one run did, counted as it happens: the end summary's numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.policy.limits import Hold
from outgate.policy.rule import OTHERWISE
from outgate.ports import Bystander

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from outgate.actions.action import Action
    from outgate.digest import Json
    from outgate.policy.decision import Decision, Verdict
    from outgate.policy.effect import Effect
    from outgate.ports import Observer, Reserved

MOST_ROWS = 1000
"""An agent must not fill our memory with new names: beyond this many, rows are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One kind of thing that was stopped, or would have been: the row that a person reads."""

    effect: Effect
    name: str
    resource: str
    tier: str
    why: str


@dataclass(slots=True, kw_only=True)
class Tally(Bystander):
    """An Observer that counts. One for a run; not for many agents."""

    requests: int = 0
    let_out: int = 0
    outcomes: int = 0
    accesses: Counter[str] = field(default_factory=Counter)
    services: set[str] = field(default_factory=set)
    stopped: Counter[Stop] = field(default_factory=Counter)
    would_stop: Counter[Stop] = field(default_factory=Counter)
    stopped_requests: int = 0
    would_stop_requests: int = 0
    untrusting: set[str] = field(default_factory=set)
    """Hosts at which a client hung up on our certificate."""
    tunnels: Counter[str] = field(default_factory=Counter)
    """What came through tunnels and was neither TLS nor HTTP, by where it was to go."""
    answers: Counter[Effect] = field(default_factory=Counter)
    approved: int = 0
    """Let out by a grant."""
    mocked: int = 0
    """Answered by a mock."""
    kept_back: int = 0
    """Answers that were not passed on."""
    over: Counter[str] = field(default_factory=Counter)
    """Enforced limits that something did not fit in, by their rules."""
    asked: dict[str, str] = field(default_factory=dict)
    """Approvals that people were asked for: what for, by id."""

    def decided(self, agent: str, decision: Decision, seconds: float) -> None:  # noqa: ARG002
        self.requests += 1
        self.let_out += decision.lets_out
        self.answers[decision.answer] += 1
        self.approved += decision.lets_out and bool(decision.approval)
        for verdict in decision.verdicts:
            self._saw(verdict.action)
        if decision.answer.restricts:
            self.stopped_requests += 1
            _count(self.stopped, _rows(decision, would=False))
        elif decision.would.restricts:
            self.would_stop_requests += 1
            _count(self.would_stop, _rows(decision, would=True))

    def concluded(self, agent: str, result: str, status: int | None) -> None:  # noqa: ARG002
        self.outcomes += 1
        self.mocked += result == "mocked"
        self.kept_back += result == "withheld"

    def reserved(self, reserved: Reserved) -> None:
        for one in reserved.over:
            if one.charge.hold is Hold.BINDING:
                self.over[one.charge.match.rule] += 1

    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None:  # noqa: ARG002
        host = str(about.get("host", ""))
        if what == "trust-failed" and len(self.untrusting) < MOST_ROWS:
            self.untrusting.add(host)
        if what == "tunnel-refused" and len(self.tunnels) < MOST_ROWS:
            self.tunnels[f"{host}:{about.get('port')}"] += 1
        if what == "approval-asked" and len(self.asked) < MOST_ROWS:
            self.asked[str(about.get("approval", ""))] = _listed(about.get("actions"))

    def _saw(self, action: Action) -> None:
        self.accesses[action.access.value] += 1
        if len(self.services) < MOST_ROWS:
            self.services.add(action.service if action.mapped else action.resource.partition("/")[0])


@dataclass(frozen=True, slots=True)
class Observers:
    """Several observers as one."""

    each: tuple[Observer, ...]

    def decided(self, agent: str, decision: Decision, seconds: float) -> None:
        for observer in self.each:
            observer.decided(agent, decision, seconds)

    def concluded(self, agent: str, result: str, status: int | None) -> None:
        for observer in self.each:
            observer.concluded(agent, result, status)

    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None:
        for observer in self.each:
            observer.noted(what, agent, about)

    def waited(self, agent: str, why: str, seconds: float) -> None:
        for observer in self.each:
            observer.waited(agent, why, seconds)

    def reserved(self, reserved: Reserved) -> None:
        for observer in self.each:
            observer.reserved(reserved)

    def used(self, agent: str, service: str, tokens: Mapping[str, int], cost_micros: int = 0, currency: str = "") -> None:
        for observer in self.each:
            observer.used(agent, service, tokens, cost_micros, currency)

    def sandboxed(self, service: str, *, answered: bool) -> None:
        for observer in self.each:
            observer.sandboxed(service, answered=answered)

    def withheld(self, rules: Sequence[str]) -> None:
        for observer in self.each:
            observer.withheld(rules)


def _listed(actions: Json) -> str:
    """The first of some, and how many more."""
    said = [str(one) for one in actions] if isinstance(actions, list) else []
    return f"{said[0]} +{len(said) - 1}" if len(said) > 1 else "".join(said)


def _count(into: Counter[Stop], rows: Iterable[Stop]) -> None:
    for row in rows:
        if row in into or len(into) < MOST_ROWS:
            into[row] += 1


def _rows(decision: Decision, *, would: bool) -> Iterable[Stop]:
    strictest = decision.would if would else decision.answer
    told = [v for v in decision.verdicts if (v.would if would else v.answer) is strictest]
    if not told:
        name = decision.verdicts[0].action.name if decision.verdicts else "request"
        resource = decision.verdicts[0].action.resource if decision.verdicts else ""
        yield Stop(effect=strictest, name=name, resource=resource, tier="?", why=decision.reason.value)
    for verdict in told:
        yield _row(verdict, strictest)


def _row(verdict: Verdict, effect: Effect) -> Stop:
    action = verdict.action
    rules = [match.rule for match in verdict.matches if match.effect is effect and match.rule != OTHERWISE]
    return Stop(
        effect=effect,
        name=action.name,
        resource=action.resource.partition("/")[0] if not action.mapped else action.resource,
        tier=action.tier.name if action.mapped else "?",
        why=rules[0] if rules else action.why or OTHERWISE,
    )
