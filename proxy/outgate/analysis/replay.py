"""Replay: what was recorded, decided again under another policy. What a receipt does not hold is never guessed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from outgate.analysis.recall import PARAMS, Fixed, Lost, Recalled, recall
from outgate.policy.decide import decide, needs, raised
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, TOKENS, Hold
from outgate.policy.matching import MATCH, NO_MATCH, Erred

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from outgate.analysis.recall import Known
    from outgate.digest import Json
    from outgate.policy.conditions import Condition
    from outgate.policy.decision import Decision
    from outgate.policy.facts import Facts
    from outgate.policy.limits import Charge
    from outgate.policy.matching import Truth
    from outgate.policy.rule import Policy, Rule

MOST_EXAMPLES = 5
"""Of one kind of change."""
MOST_KINDS = 10_000
"""An agent chooses names: beyond this many kinds of change, they are counted together."""
MOST_OPEN = 10_000
"""Requests whose outcome is still to come."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOTHING_DONE = frozenset({"refused", "abandoned"})
_MAY_LEAVE = frozenset({Effect.ALLOW, Effect.SANDBOX})
_NAME_OF = {
    "action": "action.name", "service": "action.service", "access": "action.access", "tier": "action.tier",
    "mapped": "action.mapped", "resource": "action.resource", "instance": "action.instance",
    "host": "request.host", "method": "request.method",
}  # fmt: skip
"""What conditions call the facts that `match` and `per` have shorter words for."""


class Beyond(Protocol):
    """A charge that did not fit."""

    @property
    def charge(self) -> Charge: ...
    @property
    def wait(self) -> timedelta | None: ...


class Reservation(Protocol):
    """What came of charges: ports.Reserved."""

    @property
    def taken(self) -> tuple[tuple[Charge, datetime | None], ...]: ...
    @property
    def over(self) -> tuple[Beyond, ...]: ...


class Meter[R: Reservation](Protocol):
    """Who counts: ports.Ledger, empty at the beginning unless limits are to start where they stood."""

    async def reserve(self, charges: tuple[Charge, ...], now: datetime) -> R: ...
    async def settle(self, reserved: R, used: Mapping[str, int]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A kind of change: of one action by one agent, from one answer to another. `rules` make the stricter of the two.

    `let_out`: it went out then. Where people let it pass, `before` is escalate all the same.
    """

    before: Effect
    after: Effect
    let_out: bool
    rules: tuple[str, ...]
    action: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request: its receipt, when, and what was asked."""

    place: tuple[str, int]
    at: datetime
    call: str


@dataclass(slots=True, kw_only=True)
class Changed:
    """How often one kind of change came, and the first of them."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Report:
    """What a replay found. `fixed`: refused for reasons that no policy has a say in. `stopped`: let out then, stopped now."""

    decisions: int = 0
    replayed: int = 0
    matrix: Counter[tuple[Effect, Effect]] = field(default_factory=Counter)
    changes: dict[Change, Changed] = field(default_factory=dict)
    further: int = 0
    """Changes of more kinds than are kept."""
    stopped: int = 0
    freed: int = 0
    delayed: int = 0
    """Let out after a wait for a limit."""
    answers: int = 0
    """Let out, and the policy would look into the answer, of which a receipt says nothing."""
    messages: int = 0
    """Of conversations that were let out, decided one by one, of which the record holds the size and a digest only."""
    fixed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    """What could not be replayed, by why."""
    untold: int = 0
    """Of those, how many were let out then: nobody knows whether they would be stopped now."""
    first: datetime | None = None
    last: datetime | None = None


async def replay[R: Reservation](receipts: Iterable[Mapping[str, Json]], policy: Policy, meter: Meter[R]) -> Report:
    """Decide every recorded request again, in the record's order and by its times.

    Actions, tiers and data are those that were recorded: another catalog is not tried. Raises EvidenceError for a decision
    that is not like this version's.
    """
    again = _Again(policy, meter)
    for fields in receipts:
        match fields.get("type"):
            case "decision":
                await again.decision(fields)
            case "outcome":
                await again.outcome(fields)
            case "message-refused" | "message-approved" | "message-would":
                again.report.messages += 1
            case _:
                pass  # other events say nothing of what may be done
    return again.report


@dataclass(frozen=True, slots=True)
class _Answer[R]:
    decision: Decision
    reserved: R | None = None
    delayed: bool = False


class _Again[R: Reservation]:
    def __init__(self, policy: Policy, meter: Meter[R]) -> None:
        self.report = Report()
        self._policy = policy
        self._needs = needs(policy)
        self._meter = meter
        self._open: dict[tuple[str, int], R] = {}

    async def decision(self, fields: Mapping[str, Json]) -> None:
        self.report.decisions += 1
        match recall(fields):
            case Fixed(reason):
                self.report.fixed[reason] += 1
            case Lost(why):
                self._lost(why, let_out=fields.get("answer") == str(Effect.ALLOW))
            case Recalled() as recalled:
                await self._recalled(self._without_guesses(recalled))

    async def outcome(self, fields: Mapping[str, Json]) -> None:
        """Correct what was taken to what was used."""
        match fields.get("of"):
            case {"writer": str(writer), "seq": int(seq)} if (reserved := self._open.pop((writer, seq), None)) is not None:
                await self._meter.settle(reserved, _used(reserved, fields))
            case _:
                pass

    def _lost(self, why: str, *, let_out: bool) -> None:
        self.report.lost[why] += 1
        self.report.untold += let_out

    def _without_guesses(self, recalled: Recalled) -> Recalled:
        """A body that had to be read and could not be: whether it would have to be read now is not in the receipt."""
        if not recalled.facts.unread or self._needs.data:
            return recalled
        return replace(
            recalled, facts=replace(recalled.facts, unread=False), actions=tuple(_unread(one) for one in recalled.actions)
        )

    async def _recalled(self, recalled: Recalled) -> None:
        if why := self._missing(recalled):
            self._lost(why, let_out=recalled.let_out)
            return
        answer = await self._answer(recalled)
        if answer.reserved is not None and recalled.let_out and len(self._open) < MOST_OPEN:
            self._open[recalled.place] = answer.reserved
        self._count(recalled, answer)

    def _missing(self, recalled: Recalled) -> str:
        """Why this can't be decided again; empty where it can."""
        for known in recalled.actions:
            for rule in sorted((one.rule for one in self._policy.index.candidates(known.action)), key=lambda rule: rule.id):
                if name := lacking(rule, known, recalled.facts):
                    return f"rule {rule.id} reads {name}, which the receipt does not hold"
        return ""

    async def _answer(self, recalled: Recalled) -> _Answer[R]:
        actions = tuple(known.action for known in recalled.actions)
        decision = decide(self._policy, actions, recalled.facts)
        charges = _charges(decision)
        if not charges:
            return _Answer(decision)
        reserved = await self._meter.reserve(charges, recalled.facts.now)
        after = raised(decision, [over.charge for over in reserved.over])
        if after.answer is Effect.THROTTLE and (wait := _delay(recalled, reserved)) is not None:
            later = await self._meter.reserve(charges, recalled.facts.now + wait)
            if (late := raised(decision, [over.charge for over in later.over])).answer is Effect.ALLOW:
                return _Answer(late, later, delayed=True)
        if after.answer not in _MAY_LEAVE:  # people are asked first, or it stays here: nothing is taken
            await self._meter.settle(reserved, {charge.key: 0 for charge, _ in reserved.taken})
            return _Answer(after)
        return _Answer(after, reserved)

    def _count(self, recalled: Recalled, answer: _Answer[R]) -> None:
        report, now = self.report, recalled.facts.now
        before = Effect.ESCALATE if recalled.approved else recalled.answer
        after = answer.decision.answer
        report.replayed += 1
        report.first, report.last = min(report.first or now, now), max(report.last or now, now)
        report.matrix[before, after] += 1
        report.delayed += answer.delayed
        report.answers += after is Effect.ALLOW and any(
            True for known in recalled.actions for _ in self._policy.answers.candidates(known.action)
        )
        if before is after:
            return
        report.stopped += recalled.let_out and after is not Effect.ALLOW
        report.freed += not recalled.let_out and after is Effect.ALLOW
        self._changed(recalled, before, answer.decision)

    def _changed(self, recalled: Recalled, before: Effect, decision: Decision) -> None:
        rules = _rules(decision) if decision.answer > before else recalled.rules
        action = max(decision.verdicts, key=lambda verdict: (verdict.answer, verdict.action.tier)).action.name
        agent = recalled.facts.agent.id
        kind = Change(before=before, after=decision.answer, let_out=recalled.let_out, rules=rules, action=action, agent=agent)
        if kind not in self.report.changes and len(self.report.changes) >= MOST_KINDS:
            self.report.further += 1
            return
        changed = self.report.changes.setdefault(kind, Changed())
        changed.count += 1
        if len(changed.examples) < MOST_EXAMPLES:
            request = recalled.facts.request
            call = f"{request.method} {request.scheme}://{request.authority}{request.path}"
            changed.examples.append(Example(place=recalled.place, at=recalled.facts.now, call=call))


def lacking(rule: Rule, known: Known, facts: Facts) -> str:
    """A fact that decides whether a rule holds of an action, and that can't be told; empty where nothing hangs on one."""
    unknown = frozenset(name for name in _reads(rule) if known.lacks(name))
    if not unknown and not _unsummed(rule, known):
        return ""
    tests = [(test, _name_of(test.key)) for test in rule.scope.tests]
    if any(name not in unknown and test.holds(known.action, facts) is NO_MATCH for test, name in tests):
        return ""
    found = [(said, _truth(said, unknown, known, facts)) for said in rule.conditions]
    if any(truth is (NO_MATCH if said is rule.when else MATCH) for said, truth in found):
        return ""
    hanging = {name for _, name in tests if name in unknown}
    hanging |= {name for said, truth in found if isinstance(truth, Erred) for name in said.reads & unknown}
    hanging |= {name for name in map(_name_of, rule.limit.per) if name in unknown} if rule.limit else set()
    return min(hanging, default="an amount" if _unsummed(rule, known) else "")


def _truth(condition: Condition, unknown: frozenset[str], known: Known, facts: Facts) -> Truth:
    """Whether it holds whatever the unknown names are: those are left out, and reading one is an error."""
    names = condition.reads - unknown
    return condition.holds(condition.language.activation(names, known.action, facts))


def _reads(rule: Rule) -> frozenset[str]:
    per = rule.limit.per if rule.limit else ()
    return rule.reads | {_name_of(test.key) for test in rule.scope.tests} | set(map(_name_of, per))


def _unsummed(rule: Rule, known: Known) -> bool:
    """Whether a limit adds up parameters that are not all there."""
    return rule.limit is not None and rule.limit.unit != COUNT and (known.more or PARAMS in known.unknown)


def _name_of(key: str) -> str:
    return "agent.labels" if key.startswith("agent.label.") else _NAME_OF.get(key, key)


def _unread(known: Known) -> Known:
    also = {"params"} if known.action.resource else {"params", "action.resource"}
    return replace(known, unknown=known.unknown | also)


def _charges(decision: Decision) -> tuple[Charge, ...]:
    """What is asked for: all where it may leave or people are asked; a mock is only asked as often as the real service may be."""
    match decision.answer:
        case Effect.ALLOW | Effect.ESCALATE:
            return decision.charges
        case Effect.SANDBOX:
            return tuple(charge for charge in decision.charges if charge.limit.is_rate)
        case Effect.THROTTLE | Effect.BLOCK:
            return ()


def _delay(recalled: Recalled, reserved: Reservation) -> timedelta | None:
    """How long a safe request would have been made to wait; None where it is refused."""
    over = [one for one in reserved.over if one.charge.hold is Hold.BINDING and one.charge.match.effect is Effect.THROTTLE]
    waits = [one.wait for one in over if one.wait is not None]
    if recalled.facts.request.method not in _SAFE or not over or len(waits) < len(over):
        return None
    return max(waits) if max(waits) <= min(one.charge.limit.max_delay for one in over) else None


def _used(reserved: Reservation, outcome: Mapping[str, Json]) -> dict[str, int]:
    """What was used of what was taken, where that is not the same."""
    if outcome.get("result") in _NOTHING_DONE:
        return {charge.key: 0 for charge, _ in reserved.taken if not charge.limit.attempted}
    return dict(_metered(reserved, outcome.get("usage")))


def _metered(reserved: Reservation, usage: Json) -> Iterator[tuple[str, int]]:
    match usage:
        case {"input": int(went_in), "output": int(came_out), "costMicros": int() | None as cost, "currency": str(currency)}:
            for charge, _ in reserved.taken:
                if charge.limit.unit == TOKENS:
                    yield charge.key, went_in + came_out
                elif charge.limit.unit == currency and cost is not None:
                    yield charge.key, cost
        case _:
            pass


def _rules(decision: Decision) -> tuple[str, ...]:
    """The rules that make the answer."""
    return tuple(
        sorted(
            {
                match.rule
                for verdict in decision.verdicts
                for match in verdict.matches
                if match.effect is decision.answer and match.mode is Mode.ENFORCE
            }
        )
    )
