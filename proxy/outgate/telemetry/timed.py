"""The ledger and the desk with a watch beside them: how long each step takes, and which fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from outgate.approvals.approval import Approval, Vote
    from outgate.policy.limits import Charge
    from outgate.ports import Desk, Ledger, Reserved
    from outgate.telemetry.metrics import Metrics


class _Watch:
    def __init__(self, store: str, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._metrics = metrics
        self._monotonic = monotonic

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is cancelled took as long as it took, and did not fail."""
        began, failed = self._monotonic(), False
        try:
            yield
        except UnavailableError:
            failed = True
            raise
        finally:
            self._metrics.stored(self._store, name, self._monotonic() - began, failed=failed)


class TimedLedger:
    """A ports.Ledger that does what another one does."""

    def __init__(self, ledger: Ledger, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._ledger = ledger
        self._watch = _Watch("ledger", metrics, monotonic)

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        with self._watch.step("first-seen"):
            return await self._ledger.first_seen(agent, now)

    async def reserve(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        with self._watch.step("reserve"):
            return await self._ledger.reserve(charges, now)

    async def look(self, charges: tuple[Charge, ...], now: datetime) -> Reserved:
        with self._watch.step("look"):
            return await self._ledger.look(charges, now)

    async def settle(self, reserved: Reserved, used: Mapping[str, int]) -> None:
        with self._watch.step("settle"):
            await self._ledger.settle(reserved, used)


class TimedDesk:
    """A ports.Desk that does what another one does. Waiting for people is not timed: it is theirs."""

    def __init__(self, desk: Desk, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._desk = desk
        self._watch = _Watch("desk", metrics, monotonic)

    async def find(self, request: str, now: datetime) -> Approval | None:
        with self._watch.step("find"):
            return await self._desk.find(request, now)

    async def get(self, approval: str) -> Approval | None:
        with self._watch.step("get"):
            return await self._desk.get(approval)

    async def ask(self, approval: Approval) -> Approval:
        with self._watch.step("ask"):
            return await self._desk.ask(approval)

    async def vote(self, approval: str, vote: Vote) -> None:
        with self._watch.step("vote"):
            await self._desk.vote(approval, vote)

    async def use(self, approval: str, now: datetime) -> bool:
        with self._watch.step("use"):
            return await self._desk.use(approval, now)

    async def restore(self, approval: str) -> None:
        with self._watch.step("restore"):
            await self._desk.restore(approval)

    async def changed(self, approval: str, votes: int, seconds: float) -> None:
        await self._desk.changed(approval, votes, seconds)
