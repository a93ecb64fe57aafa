"""The upstream connections of one client: each is opened where an open admission says, and given up where none does."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Final, Protocol

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import events
from mitmproxy.proxy.server import ConnectionIO

from outgate.mitm.enforce import BreachError, Failure
from outgate.mitm.pool import Warm
from outgate.mitm.wire import Rested, Upstream

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mitmproxy.connection import Connection
    from mitmproxy.proxy import commands

    from outgate.mitm.addon import Addon
    from outgate.mitm.enforce import Way
    from outgate.mitm.link import Limits, Link
    from outgate.ports import Pin

REST_AFTER: Final = 30.0
"""Seconds after which a client that asks nothing keeps no connection to itself."""
READ: Final = 64 * 1024
"""Bytes taken from a socket at once. Larger pieces have whoever sends wait for whoever takes, and the other way round."""


class Turns(Protocol):
    """Whoever runs the layers: takes what happened, reads a connection to its end, and aborts when something raised."""

    @property
    def transports(self) -> MutableMapping[Connection, ConnectionIO]: ...
    @property
    def down(self) -> bool: ...
    def feed(self, event: events.Event) -> None: ...
    async def handle_connection(self, connection: Connection) -> None: ...
    def fail(self, error: BaseException, doing: str) -> None: ...


class Upstreams:
    """Opens connections for one client, so many at once. An exception in any of it aborts them all."""

    def __init__(self, turns: Turns, *, link: Link, addon: Addon, limits: Limits) -> None:
        self._turns = turns
        self._link = link
        self._addon = addon
        self._patience = limits.connect.total_seconds()
        self._room = asyncio.Semaphore(limits.upstreams)
        self._loop = asyncio.get_running_loop()
        self._resting: set[Connection] = set()

    async def open(self, command: commands.OpenConnection) -> None:
        """Connect where an open admission says, by its address, and read to the end. No name is looked up here."""
        server = command.connection
        try:
            await self._open(command, _ours(server))
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self._turns.fail(error, "connecting upstream")
        finally:
            self._turns.transports.pop(server, None)
            self._resting.discard(server)
            if isinstance(server, Upstream) and server.warm is not None:
                server.warm.writer.transport.abort()

    def rest(self) -> None:
        """The client is gone, or asks nothing: have what nothing is under way on serve its agent's next one."""
        for connection, io in tuple(self._turns.transports.items()):
            if isinstance(connection, Upstream) and connection.rests() and io.handler is not None:
                self._resting.add(connection)
                self._turns.feed(Rested(connection))  # from here on the layers give it to nobody
                io.handler.cancel()

    def keeps(self, connection: Connection) -> bool:
        """Whether a connection stays open, for another client."""
        return connection in self._resting and not self._turns.down

    def give_up(self, way: Way | None) -> None:
        """Open no connection that nobody needs any more."""
        if any(call.way == way for call in self._link.calls):
            return
        for connection, io in tuple(self._turns.transports.items()):
            if isinstance(connection, Upstream) and connection.way == way and not connection.ready and io.handler is not None:
                io.handler.cancel()

    async def _open(self, command: commands.OpenConnection, server: Upstream) -> None:
        pin = self._addon.server_connect(self._link, server.way)
        if ends := await self._connect(command, server, pin):
            try:
                await self._converse(command, server, *ends)
            finally:
                self._room.release()

    async def _connect(
        self, command: commands.OpenConnection, server: Upstream, pin: Pin
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        address = str(ipaddress.ip_address(pin.address))
        held = False
        try:
            async with asyncio.timeout(self._patience):
                held = await self._room.acquire()
                if server.warm is not None:
                    warm, server.warm = server.warm, None
                    return warm.reader, warm.writer
                return await asyncio.open_connection(address, pin.address_port, limit=READ)
        except OSError as error:
            failure = _said(error)
        except asyncio.CancelledError:
            failure = "given up"
        if held:
            self._room.release()
        self._turns.transports.pop(server, None)
        self._turns.feed(events.OpenConnectionCompleted(command, f"{Failure.UNREACHED}: {failure}"))
        return None

    async def _converse(
        self, command: commands.OpenConnection, server: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        late = self._loop.call_later(self._patience, self._hurry, server)
        try:
            self._addon.server_connected(self._link, server.way, writer.get_extra_info("peername"))
            server.state = ConnectionState.OPEN
            # no pings of HTTP/2 (see wire.py): the kernel finds out which peers are no more
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._turns.transports[server] = ConnectionIO(handler=asyncio.current_task(), reader=reader, writer=writer)
            self._turns.feed(events.OpenConnectionCompleted(command, None))
            await self._turns.handle_connection(server)
        finally:
            late.cancel()
            if self.keeps(server):
                self._rest(server, reader, writer)
            elif self._turns.down or server.state is ConnectionState.OPEN:
                writer.transport.abort()

    def _rest(self, server: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.whose is None:
            raise BreachError("nobody's connection")
        self._addon.pool.keep(server.whose, self._link.agent, Warm(reader=reader, writer=writer, tls=server.tls_end))

    def _hurry(self, server: Upstream) -> None:
        """Give up on an upstream that does not finish its handshake."""
        io = self._turns.transports.get(server)
        if not server.ready and io is not None and io.handler is not None:
            io.handler.cancel()


def _ours(server: Connection) -> Upstream:
    if not isinstance(server, Upstream):
        raise BreachError("a connection of mitmproxy's own making")
    return server


def _said(error: OSError) -> str:
    return "timed out" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
