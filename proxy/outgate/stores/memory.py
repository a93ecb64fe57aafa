"""Journal, ledger and desk in memory: the same contract, gone with the process. For tests, `explain` and the policy's cases."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.keys.ed25519 import SigningKey
from outgate.ports import Stamp
from outgate.receipts.chain import Chain, Receipt, parse
from outgate.receipts.checkpoint import Checkpoint, line_of, origin_of, sign
from outgate.receipts.merkle import Tree
from outgate.stores.counting import look, reserve, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from outgate.approvals.approval import Approval, Vote
    from outgate.digest import Json
    from outgate.policy.limits import Charge
    from outgate.ports import Reserved
    from outgate.stores.counting import Counter, Flow, Spending


class MemoryJournal:
    """Keeps receipts and the checkpoint after each. It proves nothing to others; it is signed so that the same checks run."""

    def __init__(self, *, writer: str = "memory", key: SigningKey | None = None) -> None:
        self.writer = writer
        self.key = key or SigningKey.from_seed(bytes(32))
        self.lines: list[bytes] = []
        """The log as a file would have it: receipts and checkpoints, a line each."""
        self._chain = Chain(writer)
        self._tree = Tree()
        self._failed: str | None = None

    @property
    def receipts(self) -> Sequence[Receipt]:
        """What was written, oldest first."""
        return [parse(line[:-1]) for line in self.lines[::2]]

    def append(self, body: dict[str, Json]) -> asyncio.Future[Stamp]:
        if self._failed is not None:
            raise UnavailableError(self._failed)
        seq, line = self._chain.seal(body)
        self._tree.add(line)
        checkpoint = Checkpoint(origin=origin_of(self.key.public, self.writer), size=seq + 1, root=self._tree.root())
        self.lines += [line + b"\n", line_of(sign(checkpoint, self.key)) + b"\n"]
        done: asyncio.Future[Stamp] = asyncio.get_running_loop().create_future()
        done.set_result(Stamp(writer=self.writer, seq=seq))
        return done

    async def close(self) -> None:
        """Refuse all that follows."""
        self.fail("the log is closed")

    def fail(self, why: str) -> None:
        """Behave as a log whose disk failed: from now on every call raises."""
        self._failed = why


class MemoryLedger:
    """ports.Ledger that remembers while the process lives."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}
        self._counters = _MemoryCounters()
        self._failed: str | None = None

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        self._raise()
        return self._seen.setdefault(agent, now)

    async def reserve(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        self._raise()
        return reserve(self._counters, charges, now)

    async def look(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        self._raise()
        return look(self._counters, charges, now)

    async def settle(self, reserved: Reserved, used: Mapping[str, int]) -> None:
        self._raise()
        settle(self._counters, reserved, used)

    def fail(self, why: str) -> None:
        """Behave as a store that is lost: from now on every call raises."""
        self._failed = why

    def _raise(self) -> None:
        if self._failed is not None:
            raise UnavailableError(self._failed)


class _MemoryCounters:
    """outgate.stores.counting.Counters."""

    def __init__(self) -> None:
        self._flows: dict[Counter, Flow] = {}
        self._spent: dict[Counter, dict[int, Spending]] = {}

    def flow(self, counter: Counter) -> Flow | None:
        return self._flows.get(counter)

    def newest(self, counter: Counter) -> Spending | None:
        periods = self._spent.get(counter, {})
        return periods[max(periods)] if periods else None

    def spending(self, counter: Counter, start: int) -> Spending | None:
        return self._spent.get(counter, {}).get(start)

    def keep_flow(self, counter: Counter, flow: Flow) -> None:
        self._flows[counter] = flow

    def keep_spending(self, counter: Counter, spending: Spending) -> None:
        self._spent.setdefault(counter, {})[spending.start] = spending


class MemoryDesk:
    """ports.Desk that remembers while the process lives."""

    def __init__(self) -> None:
        self._approvals: dict[str, Approval] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._failed: str | None = None

    async def find(self, request: str, now: datetime) -> Approval | None:
        self._raise()
        return next((one for one in await self.still_open(now) if one.request == request), None)

    async def get(self, approval: str) -> Approval | None:
        self._raise()
        return self._approvals.get(approval)

    async def ask(self, approval: Approval) -> Approval:
        found = await self.find(approval.request, approval.asked)
        if found is not None:
            return found
        if approval.id in self._approvals:
            raise UnavailableError(f"approval {approval.id} was asked before")
        self._keep(approval)
        return approval

    async def vote(self, approval: str, vote: Vote) -> None:
        self._raise()
        found = self._approvals.get(approval)
        if found is None:
            raise UnavailableError(f"there is no approval {approval}")
        said = next((one for one in found.votes if one.person == vote.person), None)
        if said is None or (vote.deny and not said.deny):
            others = (one for one in found.votes if one is not said)
            self._keep(replace(found, votes=(*others, vote)))

    async def use(self, approval: str, now: datetime) -> bool:
        self._raise()
        found = self._approvals.get(approval)
        if found is None or found.used is not None or found.expires <= now:
            return False
        self._keep(replace(found, used=now))
        return True

    async def restore(self, approval: str) -> None:
        self._raise()
        if (found := self._approvals.get(approval)) is not None:
            self._keep(replace(found, used=None))

    async def changed(self, approval: str, votes: int, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                first = self._approvals.get(approval)
                while not self._has_changed(approval, votes, first):
                    await self._next()

    async def still_open(self, now: datetime) -> Sequence[Approval]:
        """All that are neither used nor expired, newest first."""
        self._raise()
        return [one for one in reversed(self._approvals.values()) if one.used is None and one.expires > now]

    async def recent(self, most: int) -> Sequence[Approval]:
        """The newest, whatever became of them, newest first."""
        self._raise()
        return list(reversed(self._approvals.values()))[:most]

    def fail(self, why: str) -> None:
        """Behave as a store that is lost: from now on every call raises."""
        self._failed = why
        self._wake()

    def _has_changed(self, approval: str, votes: int, first: Approval | None) -> bool:
        self._raise()
        found = self._approvals.get(approval)
        return found is not None and (found != (first or found) or len(found.votes) != votes or found.used is not None)

    async def _next(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _keep(self, approval: Approval) -> None:
        self._approvals[approval.id] = approval
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _raise(self) -> None:
        if self._failed is not None:
            raise UnavailableError(self._failed)
