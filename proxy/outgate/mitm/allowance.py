"""How much of the record one agent may fill with what it is refused; beyond that it is refused before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from outgate.policy.decision import Decision

HOUR: Final = 3600.0
_RECEIPT: Final = 1024
_ACTION: Final = 512
_MOST_ACTIONS: Final = 32
_MOST_TARGET: Final = 2048


def size_of(decision: Decision | None, target: int) -> int:
    """Guess, high rather than low, how many bytes the receipt of a refusal takes; a target of so many bytes is in it.

    Without the decision: of one that nobody waited for.
    """
    actions = len(decision.verdicts) if decision is not None else 1
    return _RECEIPT + _ACTION * min(actions, _MOST_ACTIONS) + min(target, _MOST_TARGET)


@dataclass(slots=True, kw_only=True)
class Allowance:
    """So many bytes for each agent, of which as many come back evenly in an hour.

    What may leave is not charged: each of those has an upstream's answer to wait for, and a record that can't be kept
    refuses anyway. What is forgotten of an agent was whole again.
    """

    bytes: int
    _spent: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait(self, agent: str, now: float) -> float:
        """Give the seconds until this agent may be refused again in writing; 0: now."""
        over = self._owed(agent, now) + _RECEIPT - self.bytes
        return max(0.0, over) * HOUR / self.bytes

    def spend(self, agent: str, size: int, now: float) -> None:
        """Charge a receipt."""
        self._spent[agent] = (self._owed(agent, now) + size, now)

    def _owed(self, agent: str, now: float) -> float:
        spent, then = self._spent.get(agent, (0.0, now))
        return max(0.0, spent - max(0.0, now - then) * self.bytes / HOUR)
