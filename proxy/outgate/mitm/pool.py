"""Upstream connections that rest between two clients of one agent: warm for it, for the very same way, and for nobody else."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from OpenSSL import SSL

    from outgate.intake.agents import Agent
    from outgate.mitm.enforce import Way
    from outgate.mitm.sessions import Resumable

REST: Final = 30.0
"""Seconds that one may rest. Most servers close one that rests for longer than five or sixty."""
FRESH: Final = 4.0
"""Seconds after which one is only for what may be asked again: its server may be about to close it."""
EACH: Final = 32
"""So many of one agent."""
ALL: Final = 512


@dataclass(frozen=True, slots=True)
class Whose:
    """All that a connection depends on: who it is for, where it leads, and, of TLS, what was proven to whom and offered."""

    agent: str
    way: Way
    tls: Resumable | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Warm:
    """An open connection on which nothing is under way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tls: SSL.Connection | None


@dataclass(slots=True, kw_only=True, eq=False)
class _Resting(asyncio.Protocol):
    """Takes the place of who read the connection. Whatever comes while it rests is nothing that anybody asked for."""

    whose: Whose
    agent: Agent
    warm: Warm
    since: float
    read_by: asyncio.BaseProtocol
    over: Callable[[_Resting], None]
    late: asyncio.TimerHandle | None = None

    def data_received(self, _data: bytes) -> None:
        self.over(self)

    def eof_received(self) -> None:
        self.over(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.over(self)


class Pool:
    """What rests, by whose it is. One that says a word, ends, or has rested for long enough is closed."""

    def __init__(self, *, each: int = EACH, in_all: int = ALL, rest: float = REST) -> None:
        self._each, self._in_all, self._rest = each, in_all, rest
        self._resting: OrderedDict[_Resting, None] = OrderedDict()
        self._by_whose: dict[Whose, list[_Resting]] = {}
        self._by_agent: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._resting)

    def keep(self, whose: Whose, agent: Agent, warm: Warm) -> None:
        """Have one rest. What was not expected on it, or is still to be sent, is its end."""
        transport, loop = warm.writer.transport, asyncio.get_running_loop()
        left_over = warm.reader.at_eof() or warm.reader._buffer  # type: ignore[attr-defined]  # noqa: SLF001  # nothing else tells
        if left_over or transport.is_closing() or transport.get_write_buffer_size() or (warm.tls and not _is_quiet(warm.tls)):
            transport.abort()
            return
        resting = _Resting(
            whose=whose, agent=agent, warm=warm, since=loop.time(), read_by=transport.get_protocol(), over=self._close
        )
        transport.set_protocol(resting)
        resting.late = loop.call_later(self._rest, self._close, resting)
        self._resting[resting] = None
        self._by_whose.setdefault(whose, []).append(resting)
        self._by_agent[whose.agent] = self._by_agent.get(whose.agent, 0) + 1
        if self._by_agent[whose.agent] > self._each:
            self._close(next(other for other in self._resting if other.whose.agent == whose.agent))
        elif len(self._resting) > self._in_all:
            self._close(next(iter(self._resting)))

    def take(self, whose: Whose, *, again: bool) -> Warm | None:
        """Give the one that has rested the shortest. `again`: what is to be asked may be asked twice."""
        resting = next(reversed(self._by_whose.get(whose, [])), None)
        if resting is None or (not again and asyncio.get_running_loop().time() - resting.since > FRESH):
            return None
        self._forget(resting)
        resting.warm.writer.transport.set_protocol(resting.read_by)
        return resting.warm

    def close(self, which: Callable[[Agent], bool] = lambda _agent: True) -> None:
        """Close those of some agents, now."""
        for resting in [resting for resting in self._resting if which(resting.agent)]:
            self._close(resting)

    def _close(self, resting: _Resting) -> None:
        if resting in self._resting:
            self._forget(resting)
            resting.warm.writer.transport.abort()

    def _forget(self, resting: _Resting) -> None:
        whose = resting.whose
        del self._resting[resting]
        self._by_whose[whose].remove(resting)
        if not self._by_whose[whose]:
            del self._by_whose[whose]
        self._by_agent[whose.agent] -= 1
        if not self._by_agent[whose.agent]:
            del self._by_agent[whose.agent]
        if resting.late is not None:
            resting.late.cancel()


def _is_quiet(tls: SSL.Connection) -> bool:
    """Whether nothing that came is unread, and the other side has not said that it ends."""
    return not tls.pending() and not tls.get_shutdown()
