"""The path of one request: reading, actions, data, policy, limits, people, address, receipt; only then out. Read this first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from outgate.actions.identify import identify, wants_body
from outgate.admission import Admission, Admitted, Ground, Opening, Refused, Told
from outgate.answer.refuse import Circumstances, refusal_of
from outgate.answer.render import render
from outgate.asking import Asking
from outgate.case import (
    OWN_HOST,
    Case,
    Patience,
    admission_of,
    asked_about,
    chosen_mock,
    circumstances,
    delay_of,
    is_elsewhere,
    restricting,
    used_of,
)
from outgate.conversing import Conversation, Conversing
from outgate.inspect.secrets import SECRET
from outgate.intake.grpc import is_cut
from outgate.intake.reading import read
from outgate.intake.request import Body, NoBody, RawRequest, Request, Unreadable
from outgate.judging import HALTED, Judging, halted
from outgate.owed import Owed
from outgate.policy.decide import asks_people, decide_answer
from outgate.policy.decision import Decision, Reason, refusal
from outgate.policy.effect import Effect
from outgate.policy.facts import Facts
from outgate.ports import MockWay, NoWay, Pin, Stamp
from outgate.receipts.receipt import Outcome, Result, decision_body, event_body, outcome_body
from outgate.waiting import Waiting

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Mapping

    from outgate.answer.reply import Reply
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.ports import Alarm, Clock, Desk, Examiner, Journal, Ledger, Mocks, Observer, Resolver, Switch

__all__ = ["HALTED", "Admission", "Admitted", "Gate", "Ground", "Opening", "Refused", "Told"]

CANNOT_DECIDE = "The egress gate could not decide this request, so it was not sent. Tell the operator; do not retry."
MOCK_ELSEWHERE = "This holds a secret and would go to a sandbox elsewhere, so it was not sent. Take the secret out."
NO_MOCK = "This may only be tried in a sandbox, and there is none for it, so it was not sent. Do not try another way."

WITHHELD = "It happened, and its answer is withheld because it could not be checked. Do not retry."

HOLD = timedelta(seconds=4)
"""How long a request waits for people before it is told to come back: most clients give up after five seconds."""
_NOTHING_DONE: Final = frozenset({Result.REFUSED, Result.ABANDONED})
_WAITS: Final = frozenset({Effect.THROTTLE, Effect.ESCALATE})


class Gate:
    """Decides. Holds no state of a request but while it decides; awaits its ports only."""

    def __init__(  # noqa: PLR0913  # a composition point: one argument a port
        self,
        *,
        ground: Ground,
        journal: Journal,
        examiner: Examiner,
        ledger: Ledger,
        desk: Desk,
        switch: Switch,
        mocks: Mocks,
        resolver: Resolver,
        observer: Observer,
        alarm: Alarm,
        clock: Clock,
        entropy: Callable[[int], bytes],
        hold: timedelta = HOLD,
        hardware_only: bool = False,
    ) -> None:
        self._ground = ground
        self._journal = journal
        self._ledger = ledger
        self._switch = switch
        self._mocks = mocks
        self._resolver = resolver
        self._observer = observer
        self._alarm = alarm
        self._clock = clock
        self._owed = Owed(alarm)
        self._waiting = Waiting(clock=clock, desk=desk, observer=observer, hold=hold)
        self._asking = Asking(desk=desk, examiner=examiner, owed=self._owed, entropy=entropy, hardware_only=hardware_only)
        self._judging = judging = Judging(
            examiner=examiner,
            ledger=ledger,
            switch=switch,
            asking=self._asking,
            observer=observer,
            owed=self._owed,
            clock=clock,
        )

        self._conversing = Conversing(
            judging=judging, waiting=self._waiting, alarm=alarm, note=self.note, ground=lambda: self._ground
        )

    @property
    def ground(self) -> Ground:
        """What requests are decided with now."""
        return self._ground

    @property
    def held(self) -> int:
        """How many requests wait for people now."""
        return self._waiting.held

    def adopt(self, ground: Ground) -> None:
        """Decide with this from now on. What was let out goes on; what is held is decided again."""
        self._ground = ground
        self._waiting.wake()

    def open(self, raw: RawRequest, agent: Agent) -> Opening:
        """Read a head. No I/O. Raises only on a defect of ours; the plane then aborts."""
        reading = read(raw)
        wants = isinstance(reading, Request) and reading.host != OWN_HOST and (self._ground.asks or self._reads_body(reading))
        if wants and isinstance(reading, Request) and is_cut(reading) and self._may_be_cut(reading, agent):
            return Opening(agent=agent, reading=reading, wants_body=False, by_message=self._ground.needs.data)
        return Opening(agent=agent, reading=reading, wants_body=wants)

    def _may_be_cut(self, request: Request, agent: Agent) -> bool:
        """Whether a call of gRPC, which may have no end, can be decided by its head and by message.

        Not where its body says what it does, where a permission depends on the data in it, or where people may be asked: they
        sign one whole request. Then it must end its side, as a call with one message does.
        """
        ground = self._ground
        if wants_body(request, ground.catalog) or ground.needs.permits_by_data:
            return False
        facts = Facts(now=self._clock.now(), agent=agent, request=request, estate=ground.estate(request))
        return not (ground.asks and asks_people(ground.policy, identify(request, ground.catalog), facts))

    async def admit(self, opening: Opening, body: Body) -> Admission:
        """Decide one request. Never raises: what can't be decided is refused, and someone is told.

        May wait: for people, and for a limit, where the policy says so. Cancelled while its receipt is written, what would
        have been let out gets its outcome: abandoned.
        """
        opening, patience = _whole(opening, body), Patience()
        try:
            patience = self._waiting.patience(opening.reading)
            admission = await self._admit(opening, body, patience)
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls; the other aborts, in mitm/engine.py
            self._alarm.raise_for(error, "deciding a request")
            decision = _undecided(error)
            admission = self._refused(opening, decision, await self._recorded(opening, decision))
        return admission if isinstance(admission, Told) else self._watched(opening, admission, patience)

    async def review(self, admitted: Admitted, status: int, headers: tuple[tuple[str, str], ...], body: Body) -> Reply | None:
        """Decide on a whole answer, where `admitted.review` asks for that. A reply: nothing of the answer may be passed on.

        `headers` have lower-case names; `body` is as it came. Never raises: what can't be decided is withheld.
        """
        try:
            assert admitted.ground is not None
            assert admitted.facts is not None
            answered = await self._judging.examiner.answered(admitted.agent.id, status, headers, body)
            decision = decide_answer(admitted.ground.policy, admitted.decision, admitted.facts, answered)
        except Exception as error:  # noqa: BLE001  # a part of the first catch-all: the request was let out, its answer is not
            self._alarm.raise_for(error, "deciding on an answer")
            decision = refusal(
                Reason.POLICY, WITHHELD, why=f"{type(error).__name__}: {error}", verdicts=admitted.decision.verdicts
            )
        if not decision.answer.restricts:
            return None
        with self._owed.alarmed("observing an answer"):
            self._observer.withheld(restricting(decision))
        said = Circumstances(receipt=str(admitted.stamp), withheld=True)
        return render(refusal_of(decision, admitted.request, said), admitted.request)

    def converse(self, admitted: Admitted) -> Conversation | None:
        """Who decides on the messages of what was let out. None: a mock answers, and nothing real is said."""
        return None if admitted.mocked and not admitted.by_message else Conversation(admitted=admitted, by=self._conversing)

    def conclude(self, admitted: Admitted, outcome: Outcome) -> None:
        """Record what became of a request that was let out. Durable soon after; nothing waits for it."""
        back = partial(self._free, admitted, outcome)
        with self._owed.alarmed("recording an outcome"):  # a journal that is closed refuses all that follows by itself
            owed = self._journal.append(outcome_body(admitted.stamp, self._clock.now(), outcome))
            self._owed.receipt(owed, back if outcome.result in _NOTHING_DONE else None)
        if outcome.result not in _NOTHING_DONE:
            back()
        with self._owed.alarmed("observing an outcome"):
            self._observer.concluded(admitted.agent.id, outcome.result.value, outcome.status)
            if admitted.mocked:
                self._observer.sandboxed(admitted.mocked, answered=outcome.result is Result.MOCKED)
            if (usage := outcome.usage) is not None:
                tokens = {"input": usage.input_tokens, "output": usage.output_tokens}
                service = admitted.decision.verdicts[0].action.service
                self._observer.used(admitted.agent.id, service, tokens, usage.cost_micros or 0, usage.currency)

    def _free(self, admitted: Admitted, outcome: Outcome) -> None:
        """Give back what was not used.

        Of what is said to have done nothing, only when that is on record: after a death in between nobody would know it, and
        what was let out with the same grant or room would be one too many.
        """
        if admitted.reserved.taken and (used := used_of(admitted.reserved, outcome)):
            self._owed.later(self._ledger.settle(admitted.reserved, used), "settling limits")
        if admitted.approval and outcome.result in _NOTHING_DONE:
            self._asking.give_back(admitted.approval)

    async def note(self, what: str, agent: Agent | None, about: Mapping[str, Json]) -> None:
        """Record something that matters and is no decision (start, stop, a way around tried). Raises as the journal does."""
        await self._journal.append(event_body(what, self._clock.now(), agent, about))
        with self._owed.alarmed("observing an event"):
            self._observer.noted(what, agent.id if agent else "", about)

    async def settled(self) -> None:
        """Wait until everything that is owed to limits and grants is given back."""
        await self._owed.settled()

    # the path

    async def _admit(self, opening: Opening, body: Body, patience: Patience) -> Admission:
        reading = opening.reading
        if isinstance(reading, Unreadable):
            return await self._refuse_unread(opening, reading)
        if reading.host == OWN_HOST:
            return Told(reply=await self._asking.status(opening.agent, reading, self._ground.people, self._clock.now()))
        while True:
            signal = self._waiting.signal
            by_message = opening.by_message and not self._ground.needs.permits_by_data
            case = await self._judging.judged(
                self._ground,
                opening.agent,
                reading,
                reads_body=self._reads_body(reading, by_message=by_message),
                by_message=by_message,
            )
            try:
                again = await self._waited(case, opening, patience, signal)
                admission = None if again else await self._carried_out(case, opening, body)
            except BaseException as error:
                self._judging.give_back(case)
                if isinstance(error, asyncio.CancelledError) and case.decision.answer in _WAITS and not case.recorded:
                    self._given_up(case)
                raise
            if admission is not None:
                return admission
            await self._judging.given_back(case)

    def _given_up(self, case: Case) -> None:
        """Who asked did not wait for people, or for a limit: what was decided until then is on record all the same."""
        with self._owed.alarmed("recording a refusal"):
            self._owed.receipt(self._journal.append(self._receipt(case, None, None)))

    async def _carried_out(self, case: Case, opening: Opening, body: Body) -> Admission | None:
        """Find the way, use the grant, write the receipt; only then out. None: something changed meanwhile, decide again."""
        mock = await self._mock(case) if case.decision.answer is Effect.SANDBOX else None
        pin = await self._pin(case) if case.decision.lets_out else None
        leaves = pin is not None or mock is not None
        if pin is not None and case.decision.approval:
            assert case.approval is not None
            case.used = await self._asking.use(case.approval, case.facts.now)
            if not case.used:
                return None
        if leaves and (case.ground is not self._ground or self._switch.halted(opening.agent, case.touched)):
            return None
        receipt = self._receipt(case, pin, mock)
        if leaves:
            return await self._let_out(case, opening, admission_of(case, opening.agent, pin, mock), receipt)
        owed, case.recorded = self._journal.append(receipt), True
        self._judging.give_back(case)
        return self._refused(opening, case.decision, await owed, circumstances(case, body, self._clock.now()))

    async def _let_out(
        self, case: Case, opening: Opening, admitted: Callable[..., Admitted], receipt: dict[str, Json]
    ) -> Admission:
        """Write the receipt and wait for it. From here on an outcome is owed, also where who asked is cancelled or we fail."""
        owed: Future[Stamp] | None = None
        try:
            owed, case.recorded = self._journal.append(receipt), True
            case.handed_over()  # also where it can't be kept: it may be on the disk, as let out
            ready = admitted(stamp=await asyncio.shield(owed))
            halt = self._switch.halted(opening.agent, ready.touched)
        except BaseException:
            if owed is not None:
                owed.add_done_callback(partial(self._abandoned, admitted))
            raise
        if halt is None:
            return ready
        self.conclude(ready, Outcome(result=Result.REFUSED, error="halted"))
        return self._refused(opening, halted(halt, ready.decision), ready.stamp)

    def _abandoned(self, admitted: Callable[..., Admitted], owed: Future[Stamp]) -> None:
        if not owed.cancelled() and owed.exception() is None:
            self.conclude(admitted(stamp=owed.result()), Outcome(result=Result.ABANDONED, error="given up while it was decided"))

    # what is known

    def _reads_body(self, request: Request, *, by_message: bool = False) -> bool:
        return (self._ground.needs.data and not by_message) or wants_body(request, self._ground.catalog)

    # waiting

    async def _waited(self, case: Case, opening: Opening, patience: Patience, signal: asyncio.Event) -> bool:
        """Whether it was worth waiting: then everything is decided again."""
        match case.decision.answer:
            case Effect.THROTTLE if (wait := delay_of(case, patience.delayed)) is not None:
                return await self._waiting.for_limit(opening.agent, patience, wait, signal)
            case Effect.ESCALATE if case.digest and not case.denied:
                if case.approval is None:
                    case.approval, new = await self._asking.ask(case)
                    if new:
                        await self.note("approval-asked", opening.agent, asked_about(case.approval, case))
                return await self._waiting.for_people(opening.agent, patience, case.approval, signal)
            case _:
                return False

    # where it may go

    async def _pin(self, case: Case) -> Pin | None:
        way = await self._resolver.pin(case.request.host, case.request.port)
        case.decision = _barred(case.decision, way, enforced=case.enforced)
        pin = way.pin if isinstance(way, NoWay) else way
        return pin if case.decision.lets_out else None

    async def _mock(self, case: Case) -> tuple[str, MockWay] | None:
        """Where the mock of these services is. Without one, what may only be tried in a sandbox is blocked."""
        verdicts, chosen = case.decision.verdicts, chosen_mock(case)
        if chosen is None:
            case.decision = refusal(Reason.POLICY, NO_MOCK, verdicts=verdicts, why="the policy has no mock for it")
            return None
        service, mock = chosen
        way = await self._mocks.way(service, mock)
        if isinstance(way, NoWay):
            case.decision = refusal(way.reason, way.tell, why=way.why, verdicts=verdicts)
            return None
        if is_elsewhere(way.pin) and await self._holds_secret(case):
            case.decision = refusal(Reason.POLICY, MOCK_ELSEWHERE, verdicts=verdicts, why="a secret, and a mock elsewhere")
            return None
        return service, way

    async def _holds_secret(self, case: Case) -> bool:
        actions = await self._judging.examiner.actions(case.facts.agent.id, case.request, case.ground.catalog, data=True)
        return any(SECRET in action.data for action in actions)

    # what is said and written down

    async def _refuse_unread(self, opening: Opening, unread: Unreadable) -> Refused:
        halt = self._switch.halted(opening.agent)
        decision = halted(halt) if halt else refusal(Reason.UNREADABLE, unread.why)
        return self._refused(opening, decision, await self._journal.append(self._plain_receipt(opening, decision)))

    async def _recorded(self, opening: Opening, decision: Decision) -> Stamp | None:
        """The receipt of a request that could not be decided, where one can still be kept: refused either way."""
        with self._owed.alarmed("recording a refusal"):
            return await self._journal.append(self._plain_receipt(opening, decision))
        return None

    def _plain_receipt(self, opening: Opening, decision: Decision) -> dict[str, Json]:
        return decision_body(
            at=self._clock.now(),
            agent=opening.agent,
            request=opening.reading,
            decision=decision,
            policy=self._ground.policy.digest,
            pin=None,
        )

    def _receipt(self, case: Case, pin: Pin | None, mock: tuple[str, MockWay] | None) -> dict[str, Json]:
        return decision_body(
            at=case.facts.now,
            agent=case.facts.agent,
            request=case.request,
            decision=case.decision,
            policy=case.ground.policy.digest,
            pin=pin,
            mock=mock,
            asked="" if case.approval is None else case.approval.id,
            over=case.over,
            facts=case.facts,
            looked=case.ground.needs.data and not case.by_message,
        )

    def _refused(self, opening: Opening, decision: Decision, stamp: Stamp | None, said: Circumstances | None = None) -> Refused:
        said = replace(said or Circumstances(), receipt=str(stamp or ""))
        return Refused(reply=render(refusal_of(decision, opening.reading, said), opening.reading), decision=decision, stamp=stamp)

    def _watched(self, opening: Opening, admission: Admitted | Refused, patience: Patience) -> Admission:
        """Tell the observer. One that raises refuses, as every port does: what was admitted is not handed out, and concluded."""
        try:
            took = self._clock.monotonic() - patience.began - patience.waited
            self._observer.decided(opening.agent.id, admission.decision, took)
        except Exception as error:  # noqa: BLE001  # still the first of the two catch-alls
            if isinstance(admission, Admitted):
                self.conclude(admission, Outcome(result=Result.REFUSED, error="the gate failed after deciding"))
                admission = self._refused(opening, _undecided(error), admission.stamp)
            self._alarm.raise_for(error, "observing a decision")
        return admission


def _whole(opening: Opening, body: Body) -> Opening:
    """What is asked, with its body: a refusal is said in its words too (JSON-RPC: its ids; git: its refs)."""
    reading = opening.reading
    if isinstance(reading, Unreadable) or (isinstance(reading.body, NoBody) and isinstance(body, NoBody)):
        return opening
    return replace(opening, reading=replace(reading, body=body))


def _undecided(error: Exception) -> Decision:
    return refusal(Reason.CANNOT_DECIDE, CANNOT_DECIDE, why=f"{type(error).__name__}: {error}")


def _barred(decision: Decision, way: Pin | NoWay, *, enforced: bool) -> Decision:
    """What the address changes: some are refused always, others where the policy is enforced, else noted."""
    if not isinstance(way, NoWay):
        return decision
    if way.pin is None or way.always or enforced:
        return refusal(way.reason, way.tell, why=way.why, verdicts=decision.verdicts)
    return replace(decision, would=Effect.BLOCK, why=way.why)
