"""What one agent takes of the gate, over all its connections: so that none takes what is everybody's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.mitm.link import Limits


@dataclass(slots=True)
class Bucket:
    """So many at once, and as many again evenly in some seconds."""

    most: float
    a_second: float
    _left: float = -1.0
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Take one. False: there is none left."""
        left = self.most if self._left < 0 else min(self.most, self._left + max(0.0, now - self._at) * self.a_second)
        self._at = now
        self._left = left - 1 if left >= 1 else left
        return left >= 1

    def give(self, count: float) -> None:
        """Have more of them."""
        if self._left >= 0:
            self._left = min(self.most, self._left + count)


@dataclass(slots=True, eq=False)
class Share:
    """One agent's. `open` exchanges are not over."""

    limits: Limits
    open: int = 0
    busy_until: float = 0.0
    _clients: Bucket = field(init=False)

    def __post_init__(self) -> None:
        self._clients = Bucket(2.0 * self.limits.arrivals, float(self.limits.arrivals))

    @property
    def has_room(self) -> bool:
        """Whether one more request may begin: it is counted already."""
        return self.open <= self.limits.requests

    def refuses_client(self, clients: int, now: float) -> str:
        """Give the limit that one more client is over, besides the `clients` that there are; empty: it may come in."""
        if clients >= self.limits.connections:
            return "connections"
        return "" if self._clients.take(now) else "arrivals"

    def pause(self, took: float, now: float) -> float:
        """Give the seconds for which others have their turn, after one of this agent's that took long."""
        self.busy_until = max(now, self.busy_until) + took
        return self.busy_until - now
