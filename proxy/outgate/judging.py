"""Judging: what the answer is now, by the switch, the policy, the limits, and what people signed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from outgate.case import Case, charges_of
from outgate.errors import UnavailableError
from outgate.intake.request import NoBody, UnreadBody
from outgate.policy.decide import decide, raised
from outgate.policy.decision import Decision, Reason, refusal
from outgate.policy.effect import Effect
from outgate.policy.facts import Facts

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.admission import Ground
    from outgate.asking import Asking
    from outgate.halt import Halt
    from outgate.intake.agents import Agent
    from outgate.intake.request import Request
    from outgate.owed import Owed
    from outgate.ports import Clock, Examiner, Ledger, Observer, Reserved, Switch

HALTED = "This was halted by the people who run it, and was not sent. Stop; do not retry, and do not try another way."
_MAY_LEAVE: Final = frozenset({Effect.ALLOW, Effect.SANDBOX})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Judges requests, again and again until the answer holds. What a case took meanwhile, `give_back` gives back."""

    examiner: Examiner
    ledger: Ledger
    switch: Switch
    asking: Asking
    observer: Observer
    owed: Owed
    clock: Clock

    async def judged(self, ground: Ground, agent: Agent, request: Request, *, reads_body: bool, by_message: bool = False) -> Case:
        """What the answer is now. `reads_body`: the decision depends on the body, so that one that is not there is missed.

        `by_message`: of the data in it, only that of the head is decided on now.
        """
        facts = await self._gather(ground, agent, request, reads_body=reads_body)
        actions = await self.examiner.actions(agent.id, request, ground.catalog, data=ground.needs.data and not by_message)
        if by_message and ground.needs.data:
            actions = await self._with_data_of_head(ground, agent, request, actions)
        decision = decide(ground.policy, actions, facts)
        case = Case(ground=ground, request=request, facts=facts, decision=decision, by_message=by_message)
        if (halt := self.switch.halted(agent, case.touched)) is not None:
            case.decision = halted(halt, case.decision)
        await self.weigh(case)
        return case

    async def _with_data_of_head(
        self, ground: Ground, agent: Agent, request: Request, actions: tuple[Action, ...]
    ) -> tuple[Action, ...]:
        head = await self.examiner.actions(agent.id, replace(request, body=NoBody()), ground.catalog, data=True)
        found = frozenset[str]().union(*(action.data for action in head))
        return tuple(replace(action, data=action.data | found) for action in actions)

    async def weigh(self, case: Case) -> None:
        """Let limits and people have their say on what the policy decided."""
        if case.decision.answer is Effect.ESCALATE:
            await self._look_ahead(case)
        elif case.decision.answer in _MAY_LEAVE:
            await self._meter(case)
        if case.decision.answer is Effect.ESCALATE:
            lifted = await self.asking.lift(case)
            if case.decision.answer in _MAY_LEAVE:
                await self._meter(case, lifted)

    def give_back(self, case: Case) -> list[asyncio.Task[None]]:
        """Nothing was let out for this: what was taken for it is free again, soon."""
        back = [self.asking.give_back(case.decision.approval)] if case.used else []
        back += self._unreserve(case.reserved)
        case.handed_over()
        return back

    async def given_back(self, case: Case) -> None:
        """The same, and it is: who decides again would find it taken, by nobody but itself."""
        if back := self.give_back(case):
            await asyncio.wait(back)

    async def _gather(self, ground: Ground, agent: Agent, request: Request, *, reads_body: bool) -> Facts:
        now = self.clock.now()
        if ground.needs.agent_since and agent.since is None:
            agent = replace(agent, since=await self.ledger.first_seen(agent.id, now))
        if isinstance(request.body, UnreadBody) and request.body.lost:
            raise UnavailableError("its body was wanted, and could not be kept")
        unread = reads_body and (isinstance(request.body, UnreadBody) or request.opaque)
        steady = self.clock.steady()
        return Facts(now=now, agent=agent, request=request, unread=unread, unsteady=not steady, estate=ground.estate(request))

    async def _meter(self, case: Case, approved: frozenset[str] = frozenset()) -> None:
        """Reserve every limit that applies; one that is over raises the answer. `approved` are rules that people lifted."""
        if charges := charges_of(case, approved):
            case.reserved = await self.owed.surely(self.ledger.reserve(charges, case.facts.now), self._unreserve)
            self._raise(case, case.reserved)

    async def _look_ahead(self, case: Case) -> None:
        """Which limits it is over too, before people are asked: they are asked once, for all of it. Nothing is taken."""
        if charges := charges_of(case, frozenset()):
            self._raise(case, await self.ledger.look(charges, case.facts.now))

    def _raise(self, case: Case, found: Reserved) -> None:
        case.over = found.over
        self.observer.reserved(found)
        case.decision = raised(case.decision, [over.charge for over in found.over])

    def _unreserve(self, reserved: Reserved) -> list[asyncio.Task[None]]:
        """Nothing was let out for this: nothing was even attempted."""
        if not reserved.taken:
            return []
        free = {charge.key: 0 for charge, _ in reserved.taken}
        return [self.owed.later(self.ledger.settle(reserved, free), "releasing limits")]


def halted(halt: Halt, decision: Decision | None = None) -> Decision:
    """Refuse what a halt covers."""
    why = f"{halt} is halted" + (f": {halt.why}" if halt.why else "")
    return refusal(Reason.HALTED, HALTED, why=why, verdicts=decision.verdicts if decision else ())
