"""The engine: listeners, over mitmproxy's layers, closed by construction and proven so at every start."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from mitmproxy import http
from mitmproxy.net import tls as net_tls

from outgate.errors import ConfigError, UnavailableError
from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents
from outgate.mitm.addon import Addon
from outgate.mitm.canary import check_that_it_fails_closed
from outgate.mitm.doors import Doors
from outgate.mitm.entry import front_of
from outgate.mitm.handler import Handler
from outgate.mitm.link import Limits, Link
from outgate.mitm.notes import Notes
from outgate.mitm.original import original_destination
from outgate.mitm.outward import READ
from outgate.mitm.tls import Handshakes

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from outgate.intake.listening import Secured, WayIn
    from outgate.mitm.doors import Door
    from outgate.mitm.enforce import Judge, Outside
    from outgate.mitm.leaves import Authority
    from outgate.mitm.original import Original, Socket
    from outgate.ports import Alarm

_BACKLOG = 512
SWITCH = 0.0005
"""Seconds that a thread waits for the interpreter: every decision waits for one that only writes and comes back."""
_PATIENCE = 15.0
_LEAST_BETWEEN, _MOST_BETWEEN = 0.1, 4.0


class Engine:
    """Carries the traffic of any number of agents.

    A listener belongs to one agent, and who connects there is that; or to all that `agents` holds, each of which proves who
    it is. `authority` signs what agents see.
    """

    def __init__(  # noqa: PLR0913  # a composition point
        self,
        *,
        gate: Judge,
        authority: Authority,
        outside: Outside,
        alarm: Alarm,
        limits: Limits | None = None,
        agents: Agents | None = None,
        original: Callable[[Socket], Original | None] = original_destination,
        spool: Path | None = None,
    ) -> None:
        self._alarm = alarm
        self._monotonic = time.monotonic
        self._original = original
        self._limits = limits or Limits()
        self._trust = outside.trust
        self._handshakes = Handshakes(authority, outside.trust)
        self._notes = Notes(gate=gate, alarm=alarm)
        self._doors = Doors(
            notes=self._notes,
            limits=self._limits,
            agents=agents or Agents(),
            monotonic=self._monotonic,
            bounded=outside.bounded,
        )
        self._addon = Addon(
            gate=gate,
            outside=outside,
            handshakes=self._handshakes,
            notes=self._notes,
            doors=self._doors,
            limits=self._limits,
            spool=spool,
        )
        self._listeners: list[asyncio.Server] = []
        self._handlers: dict[Link, Handler] = {}
        self._started = False
        self._every = _between_looks(self._limits)
        self._looking: asyncio.TimerHandle | None = None
        self._hurried = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    async def start(self) -> None:
        """Prove that nothing gets out when something breaks. Raises UnavailableError where that can't be shown.

        Raises ConfigError where mitmproxy was imported before us with a file to write TLS secrets to.
        """
        if net_tls.log_master_secret is not None:
            raise ConfigError("SSLKEYLOGFILE is set: TLS secrets would be written to a file; unset it")
        _make_cheaper()
        _ignore_broken_pipes()
        await check_that_it_fails_closed(self._handshakes, self._limits)
        gc.collect()
        gc.freeze()  # what is there now stays: collections need not look at it again
        self._started = True
        self._looking = asyncio.get_running_loop().call_later(self._every, self._look_on)

    async def listen(self, host: str, port: int, door: Door, scheme: WayIn = "http", secured: Secured | None = None) -> int:
        """Listen for whoever the door is for. Gives the port.

        `secured` is what an https:// listener shows of itself. Raises UnavailableError where the port can't be had, ConfigError
        where nobody can come in that way.
        """
        try:
            server = await asyncio.start_server(self._acceptor(door, scheme, secured), host, port, limit=READ, backlog=_BACKLOG)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "something else listens there, perhaps another gate: stop it or" if taken else f"{error.strerror or error};"
            raise UnavailableError(f"can't listen on {host}:{port}: {why} choose another port") from error
        self._listeners.append(server)
        number: int = server.sockets[0].getsockname()[1]
        return number

    async def serve_on(self, sock: socket.socket, door: Door, scheme: WayIn = "http") -> None:
        """Serve on a listening socket that was made elsewhere: in another network namespace, perhaps."""
        acceptor = self._acceptor(door, scheme)
        self._listeners.append(await asyncio.start_server(acceptor, sock=sock, limit=READ, backlog=_BACKLOG))

    def adopt(self, agents: Agents) -> int:
        """Let in these from now on. Whoever is here and may no longer be is dropped, mid-byte; gives how many clients.

        All others go on, each as the agent that is written down now.
        """
        outdated = self._doors.adopt(agents)
        for link in outdated:
            self._handlers[link].abort(unsent=True)
        self._addon.pool.close()  # what rests says nothing of whose it would be now
        return len(outdated)

    @property
    def clients(self) -> int:
        """Connections of agents, open now."""
        return len(self._handlers)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents that have a connection open."""
        return self._doors.inside

    def connections(self, agent: str) -> int:
        """Connections that an agent has open now."""
        return self._doors.count(agent)

    @property
    def upstreams(self) -> int:
        """Connections to upstreams, open now or being opened."""
        return sum(handler.upstreams for handler in self._all()) + len(self._addon.pool)

    def look(self, now: float) -> None:
        """Time has passed, by the monotonic clock: what has stood still for too long ends. Done by itself every few seconds."""
        for handler in self._all():
            handler.look(now)

    def _look_on(self) -> None:
        self.look(self._monotonic())
        self._looking = asyncio.get_running_loop().call_later(self._every, self._look_on)

    def cut(self, covers: Callable[[Agent, frozenset[str]], bool]) -> int:
        """End what a halt covers, now, mid-byte. Gives how many requests that were.

        `covers` is asked of an agent and no service: then all its connections are dropped; and of each request's services: then
        that one ends, and its siblings go on. What the gate still decides is the gate's.
        """
        self._addon.pool.close(lambda agent: covers(agent, frozenset()))
        return sum(handler.cut(covers) for handler in self._all())

    async def stop(self, grace: timedelta) -> int:
        """Take no more clients, let what is under way end within `grace`, drop the rest. Every outcome is recorded then.

        Gives how many clients were dropped.
        """
        for server in self._listeners:
            server.close()
        if self._looking is not None:
            self._looking.cancel()
        for handler in self._all():
            handler.finish()
        ended = asyncio.create_task(self._empty.wait())
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait({ended, hurried}, timeout=grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        dropped = 0 if ended.done() else self.clients
        if dropped:
            await self._abort_all()
        ended.cancel()
        hurried.cancel()
        self._addon.pool.close()
        await self._notes.close()
        return dropped

    def hurry(self) -> None:
        """Have a stop wait for nobody, now or when it comes."""
        self._hurried.set()

    def renew(self, authority: Authority) -> None:
        """Show leaves of this CA to whoever connects from now on."""
        self._handshakes = self._addon.handshakes = Handshakes(authority, self._trust)

    async def _abort_all(self) -> None:
        for handler in self._all():
            handler.abort()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._empty.wait()
        except TimeoutError as error:  # a decision that never ends: its outcome is for the next writer to record
            self._alarm.raise_for(error, "waiting for the last decisions")

    def _all(self) -> tuple[Handler, ...]:
        return tuple(self._handlers.values())

    def _acceptor(
        self, door: Door, scheme: WayIn, secured: Secured | None = None
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Future[None]]:
        front = front_of(scheme, secured, self._alarm.raise_for)
        if not self._started:
            raise UnavailableError("the engine was not started: it has not shown that it fails closed")

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            original = self._original(writer.get_extra_info("socket")) if scheme == "transparent" else None
            link = Link(
                door=door, scheme=scheme, front=front, peer=_address_of(writer.get_extra_info("peername")), original=original
            )
            if limit := self._refuses(door):
                self._addon.turned_off(door if isinstance(door, Agent) else None, limit)
                writer.transport.abort()
                return
            handler = Handler(reader, writer, link=link, addon=self._addon, limits=self._limits, alarm=self._alarm)
            self._handlers[link] = handler
            self._empty.clear()
            late = asyncio.get_running_loop().call_later(self._limits.stranger.total_seconds(), self._give_up_on, link)
            try:
                if (longest := self._doors.arrive(link)) is not None:
                    self._give_up_on(longest)
                await handler.run()
            finally:
                late.cancel()
                del self._handlers[link]
                if not self._handlers:
                    self._empty.set()

        return accept  # type: ignore[return-value]  # a coroutine function is what start_server wants

    def _refuses(self, door: Door) -> str:
        """Give the limit that one more client would be over. Of whom nobody knows yet, their share is looked at later."""
        if self.clients >= self._limits.clients:
            return "clients"
        return self._doors.refuses(door.id) if isinstance(door, Agent) else ""

    def _give_up_on(self, link: Link) -> None:
        """Nobody knows who it is, or what for, and others wait."""
        if (link.known is None or link.entering) and (handler := self._handlers.get(link)) is not None:
            handler.abort()


def _between_looks(limits: Limits) -> float:
    """How many seconds may pass between two looks, so that nothing outstays its limit by much."""
    times = (limits.head_time, limits.tunnel_time, limits.answer_time, limits.idle, limits.answer_lasts or limits.idle)
    return min(_MOST_BETWEEN, max(_LEAST_BETWEEN, min(times).total_seconds() / 8))


def _address_of(peername: Any) -> str:
    """Give a peer's address; a Unix socket's has none."""
    return str(peername[0]) if isinstance(peername, tuple) and peername else ""


def _make_cheaper() -> None:
    """Give the log's thread its turn soon, and leave out mitmproxy's type check of every message.

    The check costs as much as parsing one, and checks what we build.
    """
    sys.setswitchinterval(SWITCH)
    http.MessageData.__post_init__ = lambda _self: None  # type: ignore[method-assign]


def _ignore_broken_pipes() -> None:
    """Have a peer that hangs up be an error of one connection, and not the end of the process."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGPIPE) is not signal.SIG_IGN:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
