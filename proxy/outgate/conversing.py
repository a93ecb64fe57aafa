"""Conversing: what is said after the answer began, message by message: passed on, held, or the end of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from outgate.case import Case, Patience, asked_about, refused_waits, restricting
from outgate.digest import sha256
from outgate.intake.request import UnreadBody, WholeBody
from outgate.judging import halted
from outgate.policy.decide import decide_message, hears, hears_both
from outgate.policy.effect import Effect, Mode
from outgate.policy.facts import Facts

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from outgate.admission import Admitted, Ground
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.intake.message import Message
    from outgate.judging import Judging
    from outgate.ports import Alarm
    from outgate.waiting import Waiting

CANNOT_DECIDE = "The egress gate could not decide on a message, so it was not passed on. Tell the operator."
_HELD: Final = 600.0
"""Seconds that people are waited for: nobody's patience ends while a conversation is open."""
_DELAYED: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The conversation ends here, and the message stays. `tell` is for the agent."""

    tell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversing:
    """What the messages of all conversations are decided with."""

    judging: Judging
    waiting: Waiting
    alarm: Alarm
    note: Callable[[str, Agent, Mapping[str, Json]], Awaitable[None]]
    ground: Callable[[], Ground]


@dataclass(slots=True, kw_only=True, eq=False)
class Conversation:
    """One that was let out. Messages of one direction are decided in their order."""

    admitted: Admitted
    by: Conversing
    _told: set[tuple[str, ...]] = field(default_factory=set)
    _asked: tuple[Ground, bool, bool] | None = None

    @property
    def heard(self) -> bool:
        """Whether anything could stop a message, as things are written now. If not, none need be decided."""
        return self._hears()[1]

    @property
    def both_heard(self) -> bool:
        """Whether anything could stop one of the upstream."""
        return self._hears()[2]

    @property
    def enforced(self) -> bool:
        """Whether anything is, as things are written now."""
        return self.by.ground().policy.mode is Mode.ENFORCE

    def _hears(self) -> tuple[Ground, bool, bool]:
        ground = self.by.ground()
        if self._asked is None or self._asked[0] is not ground:
            now, request = self.by.judging.clock.now(), self.admitted.request
            facts = Facts(now=now, agent=self.admitted.agent, request=request, estate=ground.estate(request))
            of = ground.policy, self.admitted.decision, facts
            self._asked = ground, hears(*of), hears_both(*of)
        return self._asked

    async def decide(self, message: Message) -> Cut | None:
        """None: pass it on, now. May wait: for people, and for a limit. Never raises: what can't be decided ends it."""
        try:
            return await self._decide(message)
        except Exception as error:  # noqa: BLE001  # a part of the first catch-all: the conversation was let out, this is not
            self.by.alarm.raise_for(error, "deciding on a message")
            return Cut(tell=CANNOT_DECIDE)

    async def _decide(self, message: Message) -> Cut | None:
        began = self.by.judging.clock.monotonic()
        patience = Patience(began=began, until=began + _HELD)
        while True:
            signal = self.by.waiting.signal
            case = await self._judged(message)
            try:
                done = not await self._waited(case, patience, signal) and await self._used(case)
                cut = await self._carried_out(case, message) if done else None
            except BaseException:
                self.by.judging.give_back(case)
                raise
            if done:
                self.by.judging.give_back(case)
                return cut
            await self.by.judging.given_back(case)

    async def _judged(self, message: Message) -> Case:
        judging, ground, agent = self.by.judging, self.by.ground(), self.admitted.agent
        body = WholeBody(message.content) if message.plain else UnreadBody(length=len(message.content), too_large=True)
        request = replace(self.admitted.request, body=body)
        data = await judging.examiner.data(agent.id, message.content) if ground.needs.data and message.plain else frozenset[str]()
        facts = Facts(
            now=judging.clock.now(),
            agent=agent,
            request=request,
            unread=not message.plain,
            unsteady=not judging.clock.steady(),
            message=message,
            estate=ground.estate(request),
        )
        decision = decide_message(ground.policy, self.admitted.decision, facts, data)
        case = Case(ground=ground, request=request, facts=facts, decision=decision)
        await judging.weigh(case)
        return case

    async def _waited(self, case: Case, patience: Patience, signal: asyncio.Event) -> bool:
        agent, waiting = self.admitted.agent, self.by.waiting
        match case.decision.answer:
            case Effect.THROTTLE if (wait := refused_waits(case)) is not None and patience.delayed + wait <= _DELAYED:
                return await waiting.for_limit(agent, patience, wait, signal)
            case Effect.ESCALATE if case.digest and not case.denied:
                if case.approval is None:
                    case.approval, new = await self.by.judging.asking.ask(case)
                    if new:
                        await self.by.note("approval-asked", agent, asked_about(case.approval, case))
                return await waiting.for_people(agent, patience, case.approval, signal)
            case _:
                return False

    async def _used(self, case: Case) -> bool:
        """Whether the grant that it needs, if any, could be used."""
        if case.decision.answer is Effect.ALLOW and case.decision.approval:
            assert case.approval is not None
            case.used = await self.by.judging.asking.use(case.approval, case.facts.now)
            return case.used
        return True

    async def _carried_out(self, case: Case, message: Message) -> Cut | None:
        if case.decision.answer is not Effect.ALLOW:
            await self._note("message-refused", case, message)
            return Cut(tell=case.decision.tell)
        if case.used:
            await self._note("message-approved", case, message)
        elif case.decision.would.restricts and (rules := _observed(case)) not in self._told:
            self._told.add(rules)
            await self._note("message-would", case, message)
        if (halt := self.by.judging.switch.halted(self.admitted.agent, self.admitted.touched)) is not None:
            return Cut(tell=halted(halt).tell)
        case.handed_over()
        return None

    async def _note(self, what: str, case: Case, message: Message) -> None:
        """Durable before it takes effect, as every decision."""
        said: dict[str, Json] = {
            "of": str(self.admitted.stamp),
            "over": message.over,
            "sent": message.sent,
            "size": len(message.content),
            "digest": sha256(message.content),
            "answer": str(case.decision.answer),
            "would": str(case.decision.would),
            "rules": list(restricting(case.decision) or _observed(case)),
            "why": case.decision.why,
            "approval": case.decision.approval,
        }
        await self.by.note(what, self.admitted.agent, said)


def _observed(case: Case) -> tuple[str, ...]:
    return tuple(sorted({m.rule for v in case.decision.verdicts for m in v.matches if m.effect.restricts}))
