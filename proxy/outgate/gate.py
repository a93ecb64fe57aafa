"""The path of one request: reading, actions, data, policy, address, receipt, and only then out. Read this first."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from outgate.actions.identify import identify, wants_body
from outgate.answer.render import render
from outgate.answer.reply import Refusal, Reply
from outgate.inspect.secrets import classes_of
from outgate.intake.reading import read
from outgate.intake.request import Body, RawRequest, Request, Unreadable, UnreadBody
from outgate.policy.decide import decide, needs
from outgate.policy.decision import Decision, Reason, refusal
from outgate.policy.effect import Effect, Mode
from outgate.policy.facts import Facts
from outgate.ports import NoWay, Pin, Stamp
from outgate.receipts.receipt import Outcome, Result, decision_body, event_body, outcome_body

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterator, Mapping

    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.policy.rule import Policy
    from outgate.ports import Alarm, Clock, Journal, Ledger, Observer, Resolver

CANNOT_DECIDE = "The egress gate could not decide this request, so it was not sent. Tell the operator; do not retry."


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A request whose head was read. `wants_body`: hand `admit` the whole body, or say that it is too large."""

    agent: Agent
    reading: Request | Unreadable
    wants_body: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """May go out, now, as `request`, to `pin` and nowhere else. Owes one outcome."""

    request: Request
    agent: Agent
    decision: Decision
    pin: Pin
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Stays here. `reply` is what the client gets. `stamp` is None when not even the receipt could be kept."""

    reply: Reply
    decision: Decision
    stamp: Stamp | None


type Admission = Admitted | Refused


class Gate:
    """Decides. Holds no state of a request; awaits its ports only."""

    def __init__(  # noqa: PLR0913  # a composition point: one argument a port
        self,
        *,
        policy: Policy,
        catalog: Catalog,
        journal: Journal,
        ledger: Ledger,
        resolver: Resolver,
        observer: Observer,
        alarm: Alarm,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._needs = needs(policy)
        self._catalog = catalog
        self._journal = journal
        self._ledger = ledger
        self._resolver = resolver
        self._observer = observer
        self._alarm = alarm
        self._clock = clock
        self._owed: set[Future[Stamp]] = set()

    def open(self, raw: RawRequest, agent: Agent) -> Opening:
        """Read a head. No I/O. Raises only on a defect of ours; the plane then aborts."""
        reading = read(raw)
        wants = isinstance(reading, Request) and (self._needs.data or wants_body(reading, self._catalog))
        return Opening(agent=agent, reading=reading, wants_body=wants)

    async def admit(self, opening: Opening, body: Body) -> Admission:
        """Decide one request. Never raises: what can't be decided is refused, and someone is told.

        Cancelled while its receipt is written, what would have been let out gets its outcome: abandoned.
        """
        began = 0.0
        opening = _whole(opening, body)
        try:
            began = self._clock.monotonic()
            admission = await self._admit(opening, body)
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls; the other aborts, in mitm/engine.py
            self._alarm.raise_for(error, "deciding a request")
            decision = _undecided(error)
            admission = self._refused(opening, decision, await self._recorded(opening, decision))
        return self._watched(opening, admission, began)

    def conclude(self, admitted: Admitted, outcome: Outcome) -> None:
        """Record what became of a request that was let out. Durable soon after; nothing waits for it."""
        with self._alarmed("recording an outcome"):  # a journal that is closed refuses all that follows by itself
            owed = self._journal.append(outcome_body(admitted.stamp, self._clock.now(), outcome))
            self._owed.add(owed)
            owed.add_done_callback(self._paid)
        with self._alarmed("observing an outcome"):
            self._observer.concluded(admitted.agent.id, outcome.result.value, outcome.status)

    async def note(self, what: str, agent: Agent, about: Mapping[str, Json]) -> None:
        """Record something that matters and is no decision (start, stop, a way around tried). Raises as the journal does."""
        await self._journal.append(event_body(what, self._clock.now(), agent, about))
        with self._alarmed("observing an event"):
            self._observer.noted(what, agent.id, about)

    async def _admit(self, opening: Opening, body: Body) -> Admission:
        if isinstance(opening.reading, Unreadable):
            return await self._refuse_unread(opening, opening.reading)
        request = opening.reading
        actions = self._actions(request, wanted=opening.wants_body)
        facts = await self._gather(request, opening, body)
        decision = decide(self._policy, actions, facts)
        way = await self._resolver.pin(request.host, request.port) if decision.lets_out else None
        decision = _barred(decision, way, self._policy)
        pin = way.pin if isinstance(way, NoWay) else way
        pin = pin if decision.lets_out else None
        owed = self._journal.append(
            decision_body(
                at=facts.now, agent=opening.agent, request=request, decision=decision, policy=self._policy.digest, pin=pin
            )
        )
        if pin is not None:
            return await self._let_out(partial(Admitted, request=request, agent=opening.agent, decision=decision, pin=pin), owed)
        return self._refused(opening, decision, await owed, too_large=isinstance(body, UnreadBody) and body.too_large)

    async def _let_out(self, admitted: Callable[..., Admitted], owed: Future[Stamp]) -> Admitted:
        """Wait for the receipt. Who asked may be cancelled meanwhile: the journal writes on, and an outcome is owed."""
        try:
            return admitted(stamp=await asyncio.shield(owed))
        except asyncio.CancelledError:
            owed.add_done_callback(partial(self._abandoned, admitted))
            raise

    def _abandoned(self, admitted: Callable[..., Admitted], owed: Future[Stamp]) -> None:
        if not owed.cancelled() and owed.exception() is None:
            self.conclude(admitted(stamp=owed.result()), Outcome(result=Result.ABANDONED, error="given up while it was decided"))

    def _watched(self, opening: Opening, admission: Admission, began: float) -> Admission:
        """Tell the observer. One that raises refuses, as every port does: what was admitted is not handed out, and concluded."""
        try:
            self._observer.decided(opening.agent.id, admission.decision, self._clock.monotonic() - began)
        except Exception as error:  # noqa: BLE001  # still the first of the two catch-alls
            if isinstance(admission, Admitted):
                self.conclude(admission, Outcome(result=Result.REFUSED, error="the gate failed after deciding"))
                admission = self._refused(opening, _undecided(error), admission.stamp)
            self._alarm.raise_for(error, "observing a decision")
        return admission

    def _actions(self, request: Request, *, wanted: bool) -> tuple[Action, ...]:
        actions = identify(request, self._catalog)
        if not (wanted and self._needs.data):
            return actions
        data = classes_of(request, self._catalog)
        return tuple(replace(action, data=action.data | data) for action in actions) if data else actions

    async def _gather(self, request: Request, opening: Opening, body: Body) -> Facts:
        now, agent = self._clock.now(), opening.agent
        if self._needs.agent_since and agent.since is None:
            agent = replace(agent, since=await self._ledger.first_seen(agent.id, now))
        unread = opening.wants_body and isinstance(body, UnreadBody)
        return Facts(now=now, agent=agent, request=request, unread=unread)

    async def _refuse_unread(self, opening: Opening, unread: Unreadable) -> Refused:
        decision = refusal(Reason.UNREADABLE, unread.why)
        body = decision_body(
            at=self._clock.now(), agent=opening.agent, request=unread, decision=decision, policy=self._policy.digest, pin=None
        )
        return self._refused(opening, decision, await self._journal.append(body))

    async def _recorded(self, opening: Opening, decision: Decision) -> Stamp | None:
        """The receipt of a request that could not be decided, where one can still be kept: refused either way."""
        with self._alarmed("recording a refusal"):
            return await self._journal.append(
                decision_body(
                    at=self._clock.now(),
                    agent=opening.agent,
                    request=opening.reading,
                    decision=decision,
                    policy=self._policy.digest,
                    pin=None,
                )
            )
        return None

    def _refused(self, opening: Opening, decision: Decision, stamp: Stamp | None, *, too_large: bool = False) -> Refused:
        reading = opening.reading
        status = _status(decision, reading)
        said = Refusal(
            status=413 if status == 403 and too_large and _erred(decision) else status,
            answer=str(decision.answer),
            kind=_kind(decision),
            tell=decision.tell,
            receipt=str(stamp or ""),
            actions=tuple(f"{v.action.name} {v.action.resource}".rstrip() for v in decision.verdicts),
        )
        return Refused(reply=render(said, reading), decision=decision, stamp=stamp)

    @contextmanager
    def _alarmed(self, doing: str) -> Iterator[None]:
        """Where nothing is let out any more, whatever happens: an error is told to people, and goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # see above
            self._alarm.raise_for(error, doing)

    def _paid(self, owed: Future[Stamp]) -> None:
        self._owed.discard(owed)
        if not owed.cancelled() and (error := owed.exception()) is not None:
            self._alarm.raise_for(error, "recording an outcome")


def _whole(opening: Opening, body: Body) -> Opening:
    """What is asked, with its body: a refusal is said in its words too (JSON-RPC: its ids; git: its refs)."""
    if isinstance(opening.reading, Unreadable):
        return opening
    return replace(opening, reading=replace(opening.reading, body=body))


def _undecided(error: Exception) -> Decision:
    return refusal(Reason.CANNOT_DECIDE, CANNOT_DECIDE, why=f"{type(error).__name__}: {error}")


def _barred(decision: Decision, way: Pin | NoWay | None, policy: Policy) -> Decision:
    """What the address changes: some are refused always, others where the policy is enforced, else noted."""
    if not isinstance(way, NoWay):
        return decision
    if way.pin is None or way.always or policy.mode is Mode.ENFORCE:
        return refusal(way.reason, way.tell, why=way.why, verdicts=decision.verdicts)
    return replace(decision, would=Effect.BLOCK, why=way.why)


def _status(decision: Decision, reading: Request | Unreadable) -> int:
    if isinstance(reading, Unreadable):
        return reading.status
    match decision.reason:
        case Reason.CANNOT_DECIDE:
            return 503
        case Reason.UPSTREAM:
            return 502
        case Reason.AGENT:
            return 407
        case Reason.POLICY | Reason.UNREADABLE | Reason.DESTINATION | Reason.HALTED:
            return 429 if decision.answer is Effect.THROTTLE else 403


def _erred(decision: Decision) -> bool:
    """Whether a rule could not tell: with a body that was too large to be read, because of that."""
    return any(match.error for verdict in decision.verdicts for match in verdict.matches)


def _kind(decision: Decision) -> str:
    if decision.reason is not Reason.POLICY:
        return decision.reason.value
    match decision.answer:
        case Effect.ESCALATE:
            return "approval-required"
        case Effect.THROTTLE:
            return "over-limit"
        case Effect.SANDBOX:
            return "sandbox-only"
        case Effect.BLOCK | Effect.ALLOW:
            return "blocked"
