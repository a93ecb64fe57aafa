"""Asking: what a request that people must approve has to do with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from outgate.answer.status import approval_page, not_found
from outgate.approvals.approval import APPROVAL_ID, State
from outgate.approvals.panels import panels_of
from outgate.approvals.quorum import judge
from outgate.approvals.request import message_digest
from outgate.approvals.statement import check_told, draft
from outgate.case import base32_id
from outgate.errors import EvidenceError
from outgate.policy.decide import discharged

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from datetime import datetime

    from outgate.answer.reply import Reply
    from outgate.approvals.approval import Approval
    from outgate.case import Case
    from outgate.intake.agents import Agent
    from outgate.intake.request import Request
    from outgate.keys.people import People
    from outgate.owed import Owed
    from outgate.ports import Desk, Examiner

TOO_LARGE = "This needs a person's approval, and its body is too large to be approved. Send less at a time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One gate's way to the desk. `hardware_only`: signatures count only where somebody touched a device for them."""

    desk: Desk
    examiner: Examiner
    owed: Owed
    entropy: Callable[[int], bytes]
    hardware_only: bool = False
    _spent: dict[str, datetime] = field(default_factory=dict, repr=False)
    """Grants that were used here, and until when they would have been good."""

    async def lift(self, case: Case) -> frozenset[str]:
        """Take away what people approved of this very request. Give the rules that are lifted: none where it waits on."""
        digest = await self.examiner.digest(case.facts.agent.id, case.request)
        if digest is None:
            case.decision = replace(case.decision, tell=TOO_LARGE)
            return frozenset()
        if (message := case.facts.message) is not None:
            digest = message_digest(digest, message)
        case.known_as(digest, panels_of(case.ground.policy, case.decision), hardware_only=self.hardware_only)
        found = await self.desk.find(case.key, case.facts.now)
        if found is None or found.request != case.key:
            return frozenset()
        check_told(found, case.request, case.decision, message)
        await self._check_unspent(found)
        case.approval = found
        case.standing = judge(found, case.ground.people, case.facts.now, hardware_only=self.hardware_only)
        if case.standing.state is State.DENIED:
            case.decision = replace(case.decision, tell=case.said_no())
        if case.standing.state is not State.GRANTED or case.facts.unsteady:
            return frozenset()
        case.decision = discharged(case.decision, found.rules, found.id)
        return found.rules

    async def ask(self, case: Case) -> tuple[Approval, bool]:
        """Put it before people: once for each request, however often it is tried. Give it, and whether it is new."""
        name = base32_id(self.entropy(8))
        drafted = draft(
            id=name,
            nonce=self.entropy(16).hex(),
            request_digest=case.key,
            request=case.request,
            message=case.facts.message,
            agent=case.facts.agent,
            decision=case.decision,
            policy=case.ground.policy.digest,
            panels=panels_of(case.ground.policy, case.decision),
            now=case.facts.now,
            hardware_only=self.hardware_only,
        )
        asked = await self.desk.ask(drafted)
        return asked, asked.id == name

    async def use(self, approval: Approval, now: datetime) -> bool:
        """Use a grant up. False: it was."""

        def undo(used: bool) -> None:  # noqa: FBT001  # what the port gives
            if used:
                self.give_back(approval.id)

        if used := await self.owed.surely(self.desk.use(approval.id, now), undo):
            for old in [name for name, expires in self._spent.items() if expires < now]:
                del self._spent[old]
            self._spent[approval.id] = approval.expires
        return used

    def give_back(self, approval: str) -> asyncio.Task[None]:
        """What it was used for never left."""
        self._spent.pop(approval, None)
        return self.owed.later(self.desk.restore(approval), "giving a grant back")

    async def _check_unspent(self, found: Approval) -> None:
        """Raise EvidenceError where the desk says that a grant is whole which was used here: somebody else wrote that."""
        if found.id in self._spent:
            now = await self.desk.get(found.id)
            if found.id in self._spent and (now is None or now.used is None):
                raise EvidenceError(f"approval {found.id} was used, and the desk says that it was not: somebody changed it")

    async def status(self, agent: Agent, request: Request, people: People, now: datetime) -> Reply:
        """What an agent is told of its own approvals, and of nobody else's."""
        place, _, name = request.path.rpartition("/")
        known = place == "/approvals" and APPROVAL_ID.fullmatch(name) and request.method in {"GET", "HEAD"}
        found = await self.desk.get(name) if known else None
        if found is None or found.agent != agent.id:
            return not_found(request)
        return approval_page(found, judge(found, people, now, hardware_only=self.hardware_only), request)
