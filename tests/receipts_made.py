"""Receipts, journals and failing disks for tests: real ones, made short."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.disk import Disk
from outgate.intake.agents import Agent
from outgate.intake.request import Request
from outgate.keys.ed25519 import SigningKey
from outgate.policy.decision import Decision, Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode
from outgate.ports import Pin, Stamp
from outgate.receipts.receipt import Outcome, Result, decision_body, outcome_body
from outgate.receipts.verify import LogCheck, LogReport
from outgate.stores.files import FileJournal
from outgate.stores.memory import MemoryJournal

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)
AGENT = Agent(id="coder", team="build", owner="ops@acme.example")
KEY = SigningKey.from_seed(b"k" * 32)
PIN = Pin(name="api.github.com", port=443, address="192.0.2.7", address_port=443)


def request(path: str = "/repos/acme/site", query: str | None = None, **changed: Any) -> Request:
    given = {"method": "GET", "scheme": "https", "host": "api.github.com", "port": 443, "headers": ()} | changed
    return Request(path=path, query=query, **given)


def action(name: str = "github.repos/get", resource: str = "acme/site", **changed: Any) -> Action:
    service, _, operation = name.partition(".")
    given = {"access": Access.READ, "tier": Tier.T0, "confidence": Confidence.CATALOG} | changed
    return Action(service=service, operation=operation, resource=resource, **given)


def decided(answer: Effect = Effect.ALLOW, *actions: Action, would: Effect | None = None, **changed: Any) -> Decision:
    would = answer if would is None else would
    match = Match(rule="a-rule", effect=answer, mode=Mode.ENFORCE)
    verdicts = tuple(Verdict(action=a, answer=answer, would=would, matches=(match,)) for a in actions or (action(),))
    return Decision(**{"answer": answer, "would": would, "reason": Reason.POLICY, "tell": "", "verdicts": verdicts} | changed)


def decision(answer: Effect = Effect.ALLOW, *, at: datetime = NOW, agent: Agent = AGENT, **changed: Any) -> dict[str, Any]:
    asked = changed.pop("request", request())
    return decision_body(
        at=at,
        agent=agent,
        request=asked,
        decision=decided(answer, **changed),
        policy="sha256:00",
        pin=PIN if answer is Effect.ALLOW else None,
    )


def outcome(stamp: Stamp, result: Result = Result.EXECUTED, *, at: datetime = NOW, status: int | None = 200) -> dict[str, Any]:
    return outcome_body(stamp, at, Outcome(result=result, status=status))


async def some_log(requests: int = 4, *, writer: str = "memory") -> list[bytes]:
    """A log of decisions that let out, each followed by its outcome; a checkpoint after every receipt."""
    journal = MemoryJournal(writer=writer, key=KEY)
    for _ in range(requests):
        stamp = await journal.append(decision())
        await journal.append(outcome(stamp))
    return journal.lines


def checked(lines: list[bytes], *, writer: str = "memory", key: SigningKey = KEY, each_signature: bool = True) -> LogReport:
    check = LogCheck(writer, key.public, each_signature=each_signature)
    for line in lines:
        check.feed(line)
    return check.finish()


def split(data: bytes) -> list[bytes]:
    """Lines with their ends, as a reader of the file gets them: only a line feed ends a line."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def open_journal(state: Path, writer: str = "w1", disk: Disk | None = None) -> FileJournal:
    return FileJournal.open(state, writer=writer, key=KEY, disk=disk)


type Fault = Literal["unsaved", "saved", "torn"]


@dataclass(slots=True)
class FaultyDisk(Disk):
    """A real disk whose n-th operation fails, before it did anything, after it did all, or half-way."""

    fail_at: int
    how: Fault
    error: int
    done: list[str] = field(default_factory=list)

    def create(self, path: Path) -> int:
        self._before("create")
        fd = Disk.create(self, path)
        self._after()
        return fd

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._before("write")
        torn = self.how == "torn" and self._is_it()
        written = Disk.write(self, fd, data[: len(data) // 2] if torn else data)
        self._after()
        return written

    def sync(self, fd: int) -> None:
        self._before("sync")
        Disk.sync(self, fd)
        self._after()

    def sync_folder(self, path: Path) -> None:
        self._before("sync_folder")
        Disk.sync_folder(self, path)
        self._after()

    def _is_it(self) -> bool:
        return len(self.done) == self.fail_at

    def _before(self, what: str) -> None:
        self.done.append(what)
        if self.how == "unsaved" and self._is_it():
            raise OSError(self.error, "injected before")

    def _after(self) -> None:
        if self.how != "unsaved" and self._is_it():
            raise OSError(self.error, "injected after")


async def settle(*futures: asyncio.Future[Stamp]) -> list[Stamp | BaseException]:
    return await asyncio.gather(*futures, return_exceptions=True)
