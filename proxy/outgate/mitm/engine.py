"""The engine: listeners bound to agents, over mitmproxy's layers, closed by construction and proven so at every start."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.net import tls as net_tls

from outgate.errors import ConfigError, UnavailableError
from outgate.mitm.addon import Addon
from outgate.mitm.canary import check_that_it_fails_closed
from outgate.mitm.handler import READ, Handler
from outgate.mitm.link import Limits, Link
from outgate.mitm.notes import Notes
from outgate.mitm.tls import Handshakes

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from datetime import timedelta

    from outgate.intake.agents import Agent
    from outgate.mitm.enforce import Judge, Outside
    from outgate.mitm.leaves import Authority
    from outgate.ports import Alarm

_BACKLOG = 512
SWITCH = 0.0005
"""Seconds that a thread waits for the interpreter: every decision waits for one that only writes and comes back."""
_PATIENCE = 15.0


class Engine:
    """Carries the traffic of any number of agents. Each listener belongs to one of them: who connects there is that agent.

    `authority` signs what agents see.
    """

    def __init__(
        self,
        *,
        gate: Judge,
        authority: Authority,
        outside: Outside,
        alarm: Alarm,
        limits: Limits | None = None,
    ) -> None:
        self._alarm = alarm
        self._limits = limits or Limits()
        self._handshakes = Handshakes(authority, outside.trust)
        self._notes = Notes(gate=gate, alarm=alarm)
        self._addon = Addon(gate=gate, outside=outside, handshakes=self._handshakes, notes=self._notes, limits=self._limits)
        self._listeners: list[asyncio.Server] = []
        self._handlers: dict[str, set[Handler]] = {}
        self._started = False
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

    async def listen(self, host: str, port: int, agent: Agent) -> int:
        """Listen for an agent. Gives the port. Raises UnavailableError where that can't be had."""
        try:
            server = await asyncio.start_server(self._acceptor(agent), host, port, limit=READ, backlog=_BACKLOG)
        except OSError as error:
            raise UnavailableError(f"can't listen on {host}:{port}: {error.strerror or error}; choose another port") from error
        self._listeners.append(server)
        number: int = server.sockets[0].getsockname()[1]
        return number

    async def serve_on(self, sock: socket.socket, agent: Agent) -> None:
        """Serve an agent on a listening socket that was made elsewhere: in another network namespace, perhaps."""
        self._listeners.append(await asyncio.start_server(self._acceptor(agent), sock=sock, limit=READ, backlog=_BACKLOG))

    @property
    def clients(self) -> int:
        """Connections of agents, open now."""
        return len(self._all())

    @property
    def upstreams(self) -> int:
        """Connections to upstreams, open now or being opened."""
        return sum(handler.upstreams for handler in self._all())

    def abort(self, agent: str) -> int:
        """Drop every connection of one agent, now, mid-byte. Gives how many clients that were."""
        handlers = tuple(self._handlers.get(agent, ()))
        for handler in handlers:
            handler.abort()
        return len(handlers)

    async def stop(self, grace: timedelta) -> None:
        """Take no more clients, let what is under way end within `grace`, drop the rest. Every outcome is recorded then."""
        for server in self._listeners:
            server.close()
        for handler in self._all():
            handler.finish()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await self._empty.wait()
        except TimeoutError:
            await self._abort_all()
        await self._notes.close()

    async def _abort_all(self) -> None:
        for handler in self._all():
            handler.abort()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._empty.wait()
        except TimeoutError as error:  # a decision that never ends: its outcome is for the next writer to record
            self._alarm.raise_for(error, "waiting for the last decisions")

    def _all(self) -> tuple[Handler, ...]:
        return tuple(handler for handlers in self._handlers.values() for handler in handlers)

    def _acceptor(self, agent: Agent) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Future[None]]:
        if not self._started:
            raise UnavailableError("the engine was not started: it has not shown that it fails closed")
        handlers = self._handlers.setdefault(agent.id, set())

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(handlers) >= self._limits.connections:
                writer.transport.abort()
                return
            link = Link(agent=agent)
            handler = Handler(reader, writer, link=link, addon=self._addon, limits=self._limits, alarm=self._alarm)
            handlers.add(handler)
            self._empty.clear()
            try:
                await handler.run()
            finally:
                handlers.discard(handler)
                if not any(self._handlers.values()):
                    self._empty.set()

        return accept  # type: ignore[return-value]  # a coroutine function is what start_server wants


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
