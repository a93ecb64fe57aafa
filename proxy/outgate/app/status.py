"""What a running gate says of itself: who asked for what, who is halted, what is held, what is over its limit."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from outgate.ports import Bystander
from outgate.receipts.receipt import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from outgate.app.parts import Parts
    from outgate.digest import Json
    from outgate.policy.decision import Decision
    from outgate.ports import Over, Reserved

MOST_AGENTS = 10_000
MOST_LIMITS = 1_000
"""Beyond these many, who comes next is only counted: an agent must not fill our memory with names."""
_LATELY = timedelta(minutes=5)


@dataclass(slots=True)
class _Agent:
    answers: Counter[str] = field(default_factory=Counter)
    would: int = 0
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """A limit that was over: until when, as far as that was known then."""

    rule: str
    whose: str
    left: int
    at: datetime
    until: datetime | None


class Seen(Bystander):
    """An Observer that remembers who asked, and which limits were over. Bounded."""

    __slots__ = ("_agents", "_limits", "_now", "unnamed")

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Nobody asked yet."""
        self._now = now
        self._agents: dict[str, _Agent] = {}
        self._limits: dict[str, _Limit] = {}
        self.unnamed = 0
        """Requests of agents beyond the bound."""

    def decided(self, agent: str, decision: Decision, seconds: float) -> None:  # noqa: ARG002  # the port's signature
        found = self._agents.get(agent)
        if found is None:
            if len(self._agents) >= MOST_AGENTS:
                self.unnamed += 1
                return
            found = self._agents[agent] = _Agent()
        found.answers[str(decision.answer)] += 1
        found.would += decision.would > decision.answer
        found.last = self._now()

    def reserved(self, reserved: Reserved) -> None:
        """Remember what is over; what has room again is forgotten."""
        for charge, _ in reserved.taken:
            self._limits.pop(charge.key, None)
        for over in reserved.over:
            if over.charge.key in self._limits or len(self._limits) < MOST_LIMITS:
                self._limits[over.charge.key] = _limit(over, self._now())

    @property
    def names(self) -> list[str]:
        """Who asked."""
        return list(self._agents)

    def agents(self, connections: Mapping[str, int]) -> list[Json]:
        """Everybody who asked or is connected, the most recent first."""
        known = {**{name: _Agent() for name in connections}, **self._agents}
        rows = sorted(known.items(), key=lambda row: (row[1].last or datetime.min.replace(tzinfo=UTC), row[0]), reverse=True)
        return [
            {
                "agent": name,
                "connections": connections.get(name, 0),
                "answers": dict(agent.answers),
                "would": agent.would,
                "last": timestamp(agent.last) if agent.last else None,
            }
            for name, agent in rows
        ]

    def limits(self) -> list[Json]:
        """What is over now, or was a little while ago where nobody knows until when."""
        now = self._now()
        over = [limit for limit in self._limits.values() if (limit.until or limit.at + _LATELY) > now]
        return [
            {
                "rule": limit.rule,
                "limit": limit.whose,
                "left": limit.left,
                "at": timestamp(limit.at),
                "until": timestamp(limit.until) if limit.until else None,
            }
            for limit in sorted(over, key=lambda limit: (limit.rule, limit.whose))
        ]


def _limit(over: Over, now: datetime) -> _Limit:
    until = now + over.wait if over.wait is not None else None
    return _Limit(rule=over.charge.match.rule, whose=over.charge.key, left=over.left, at=now, until=until)


def gate_status(parts: Parts, *, kind: str, since: datetime, switch: Mapping[str, Json], reload: Json) -> dict[str, Json]:
    """Everything that one gate says of itself."""
    policy, engine = parts.gate.ground.policy, parts.engine
    return {
        "gate": parts.journal.writer,
        "kind": kind,
        "pid": os.getpid(),
        "version": version("outgate"),
        "since": timestamp(since),
        "policy": {"name": policy.name, "digest": policy.digest, "mode": str(policy.mode)},
        "agents": parts.seen.agents({name: engine.connections(name) for name in engine.agents}),
        "unnamed": parts.seen.unnamed,
        "clients": engine.clients,
        "upstreams": engine.upstreams,
        "held": parts.gate.held,
        "limits": parts.seen.limits(),
        "switch": dict(switch),
        "reload": reload,
        "receipts": parts.journal.size,
    }


async def unready(parts: Parts) -> Sequence[str]:
    """Why this gate can't do its work; nothing where it can."""
    found = [said for said in (parts.journal.broken, parts.switch.problem) if said]
    stores = await parts.ledger.unwell(), await parts.desk.unwell()
    return [*found, *(said for said in stores if said)]
