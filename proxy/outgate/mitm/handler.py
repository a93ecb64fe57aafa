"""Runs one client connection through mitmproxy's layers, and takes everything down when anything in them raises."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server import ConnectionIO, LiveConnectionHandler
from mitmproxy.proxy.tunnel import TunnelLayer, TunnelState

from outgate.mitm.deciding import Deciding, forgive
from outgate.mitm.enforce import BreachError
from outgate.mitm.entry import first_layer
from outgate.mitm.outward import READ, REST_AFTER, Upstreams
from outgate.mitm.pace import Pace, over
from outgate.mitm.parting import Parting, take_back
from outgate.mitm.tunnel import TunnelGate
from outgate.mitm.wire import Becomes, Begin, Cut, CutOff, DecideHook, LetGo, Line, Look, OfCall, Replace, Settled, WaitHook, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mitmproxy.connection import Connection
    from mitmproxy.proxy.layer import Layer

    from outgate.intake.agents import Agent
    from outgate.mitm.addon import Addon
    from outgate.mitm.link import Limits, Link
    from outgate.ports import Alarm

_LONG: Final = 0.005
"""Seconds of a turn after which those of others come first, for as long as it took."""
READ_STREAMS: Final = 16 * 1024
"""Bytes taken at once of an agent that speaks HTTP/2: hundreds of requests fit in; others have their turn in between."""


class Handler(LiveConnectionHandler):
    """One client connection and its upstreams.

    mitmproxy's own handler logs what a hook or a layer raised and goes on. This one has no place where an exception
    is lost: a hook that raised is never completed, so that the layer waiting for it can never go on, and both sides
    of the connection are aborted. What was to be written in the same turn is not written.
    """

    def __init__(  # noqa: PLR0913  # what one connection is made of
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        link: Link,
        addon: Addon,
        limits: Limits,
        alarm: Alarm,
    ) -> None:
        wire = Wire(link=link, addon=addon, limits=limits, backlog=self._backlog)
        super().__init__(reader, writer, wire.as_options(), ProxyMode.parse("regular"))
        self.client.peername = self.client.peername or ("local", 0)  # a Unix socket has none, and layers quote it
        self._wire = wire
        self.layer: Layer = first_layer(self._line(), link)
        self._link = link
        self._addon = addon
        self._limits = limits
        self._alarm = alarm
        self._loop = asyncio.get_running_loop()
        self._pending: deque[events.Event] = deque()
        self._busy = False
        self._reads = 0
        self._idle = Pace()
        self._entry = Pace()
        self.down = False
        self._ending = False
        self._deciding = Deciding(addon.request)
        self._waits: set[asyncio.Task[None]] = set()
        self._watched: set[Connection] = set()
        self._out: dict[Connection, list[bytes]] = {}
        self._half_closed: list[Connection] = []
        self._parting = Parting(self._loop.time)
        self._outward = Upstreams(self, link=link, addon=addon, limits=limits)
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def upstreams(self) -> int:
        """Connections to upstreams, open now or being opened."""
        return sum(connection is not self.client for connection in self.transports)

    async def run(self) -> None:
        """Serve the client until it is gone. Never raises."""
        self.transports[self.client].handler = asyncio.current_task()
        try:
            self._addon.client_connected(self._link)
            self.feed(events.Start())
            await self.handle_connection(self.client)
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self.fail(error, "serving a client")
        except asyncio.CancelledError:
            pass  # how mitmproxy closes a connection; this task has something left to do
        finally:
            for timer in self.wakeup_timer:
                timer.cancel()
            forgive(asyncio.current_task())  # a cancellation is how mitmproxy closes a connection
            await self._leave()

    async def handle_connection(self, connection: Connection) -> None:
        """Read one side to its end, no faster than the other side takes it."""
        io = self.transports[connection]
        assert isinstance(io.reader, asyncio.StreamReader)
        assert isinstance(io.writer, asyncio.StreamWriter)
        cancelled: asyncio.CancelledError | None = None
        try:
            while data := await io.reader.read(READ_STREAMS if self._has_streams(connection) or self._link.talking else READ):
                self._reads += 1
                began = self._loop.time()
                self.feed(events.DataReceived(connection, data))
                took = self._loop.time() - began
                await self._breathe(connection)
                if took > _LONG and self._link.share is not None:
                    await asyncio.sleep(self._link.share.pause(took, self._loop.time()))
        except OSError:
            pass
        except asyncio.CancelledError as error:
            cancelled = error
        if cancelled is not None and self._outward.keeps(connection):
            raise cancelled
        connection.state = ConnectionState.CLOSED if cancelled else connection.state & ~ConnectionState.CAN_READ
        self.feed(events.ConnectionClosed(connection))
        if cancelled is None and connection.state is ConnectionState.CAN_WRITE:
            try:
                await asyncio.Event().wait()  # until our side is closed too, which cancels
            except asyncio.CancelledError as error:
                cancelled = error
        self._part(connection, io.writer)
        self.transports.pop(connection, None)
        if cancelled is not None:
            raise cancelled

    async def open_connection(self, command: commands.OpenConnection) -> None:
        """Connect where an open admission says: see `outward.py`."""
        await self._outward.open(command)

    def feed(self, event: events.Event) -> None:
        """Run an event, and all that follows from it, through the layers: in order, in one turn, one at a time."""
        if self.down:
            return
        self._pending.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._pending:
                for command in self.layer.handle_event(self._pending.popleft()):
                    self._do(command)
            self._flush()
            self._link.room.set()
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self.fail(error, "passing traffic on")
        finally:
            self._busy = False
        for connection in self._link.congested - self._watched if self._link.congested else ():
            self._watched.add(connection)
            self._keep(asyncio.create_task(self._relieve(connection)))
        if self._ending:
            self._go_if_idle()

    def look(self, now: float) -> None:
        """Time has passed: end what has stood still for too long."""
        link, limits = self._link, self._limits
        if self.down:
            return
        if over(self._entry.still(id(self.layer) if _agrees(self.layer) else 0, now), limits.tunnel_time) and _agrees(self.layer):
            self._addon.bounded_unasked(link, "tunnel_time")
            self.abort()
        elif link.open or link.head:
            self._idle.still(0, now)
            self.feed(Look(now))
        elif over(still := self._idle.still(self._reads, now), limits.idle):
            self._close(self.client, half=False)
        elif still > REST_AFTER:
            self._outward.rest()

    async def server_event(self, event: events.Event) -> None:
        """Take an event from what mitmproxy runs for us (timers)."""
        self.feed(event)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Refuse: ours are called where they happen, and mitmproxy's own flow has none here."""
        raise BreachError(f"unexpected hook {hook.name}")

    def log(self, message: str, level: int = 0, exc_info: Any = None) -> None:
        """Keep nothing: mitmproxy's lines quote what peers send."""

    def abort(self, *, unsent: bool = False) -> None:
        """Drop every connection of this client, now, with what is still to be written.

        `unsent`: also what the kernel has taken and not sent yet, which a slow reader would get for a long time to come.
        """
        self.down = True
        self._pending.clear()
        self._out.clear()
        self._half_closed.clear()
        self._link.room.set()
        current = asyncio.current_task()
        self._deciding.give_up()
        self._parting.abort()
        for wait in tuple(self._waits):
            wait.cancel()
        for io in list(self.transports.values()):
            if isinstance(io.writer, asyncio.StreamWriter):
                if unsent:
                    take_back(io.writer)
                io.writer.transport.abort()
            if io.handler is not None and io.handler is not current:
                io.handler.cancel()

    def cut(self, covers: Callable[[Agent, frozenset[str]], bool]) -> int:
        """End what a halt covers. Gives how many requests that were: see `Engine.cut`."""
        link = self._link
        if link.known is None or self.down:
            return 0
        if covers(link.known, frozenset()):
            ended = len(link.calls) + len(self._deciding)
            link.ending = "halted"
            self.abort(unsent=True)
            return ended
        covered = [call for call in tuple(link.calls) if covers(link.known, call.admitted.touched)]
        for call in covered:
            self.feed(Cut(call))
            self._outward.give_up(call.way)
        return len(covered)

    def finish(self) -> None:
        """Go, as soon as nothing that was let out is under way."""
        self._ending = True
        self._go_if_idle()

    def fail(self, error: BaseException, doing: str) -> None:
        """Something raised: abort, and tell."""
        self.abort()
        self._alarm.raise_for(error, doing)

    def _do(self, command: commands.Command) -> None:  # noqa: C901, PLR0912  # one case a command
        match command:
            case commands.SendData():
                if command.connection in self.transports:
                    self._out.setdefault(command.connection, []).append(command.data)
            case DecideHook():
                self._spawn(self._decide(command))
            case WaitHook():
                self._waits.add(task := self._spawn(self._wait(command)))
                task.add_done_callback(self._waits.discard)
            case Begin(doing=doing, then=then, what=what):
                self._waits.add(task := self._spawn(self._began(doing, then, what)))
                task.add_done_callback(self._waits.discard)
            case CutOff(connection=connection, after=after):
                self._cut_off(connection, after)
            case commands.OpenConnection(connection=connection):
                self.transports[connection] = ConnectionIO()
                task = self._spawn(self.open_connection(command))
                if connection in self.transports and self.transports[connection].handler is None:
                    self.transports[connection].handler = task
            case commands.CloseConnection(connection=connection):
                half = isinstance(command, commands.CloseTcpConnection) and command.half_close
                self._close(connection, half=half)
            case commands.RequestWakeup():
                self.wakeup_timer.add(asyncio.create_task(self.wakeup(command)))
            case commands.Log():
                pass
            case LetGo():
                for connection in tuple(self.transports):
                    if connection is not self.client:
                        self._close(connection, half=False)
            case Becomes(rest=rest):
                self._replace(TunnelGate(self._line()), rest)
            case Replace(layer=layer, data=data):
                self._replace(layer, data)
            case _:
                raise BreachError(f"unexpected {type(command).__name__}")

    def _go_if_idle(self) -> None:
        client = self.transports.get(self.client)
        if client is not None and client.handler is not None and not self._deciding and not self._link.calls:
            client.handler.cancel()

    async def _decide(self, command: DecideHook) -> None:
        try:
            await self._deciding.decide(command.call)
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self.fail(error, "deciding a request")
        else:
            self.feed(events.HookCompleted(command))

    async def _began(self, doing: Begin.Doing, then: OfCall, what: str) -> None:
        try:
            await doing()
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self.fail(error, what)
        else:
            self.feed(then)

    async def _wait(self, command: WaitHook) -> None:
        try:
            await command.doing()
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self.fail(error, command.what)
        else:
            self.feed(events.HookCompleted(command))

    def _cut_off(self, connection: Connection, after: float) -> None:
        io = self.transports.get(connection)
        if after:
            self._loop.call_later(after, self._cut_off, connection, 0.0)
        elif connection is self.client:
            self.abort()
        elif io is not None and isinstance(io.writer, asyncio.StreamWriter):
            io.writer.transport.abort()

    def _replace(self, layer: Layer, data: bytes) -> None:
        self.layer = layer
        self._pending.append(events.Start())
        if data:
            self._pending.append(events.DataReceived(self.client, data))

    def _line(self) -> Line:
        return Line(self.client, self._wire, Server(address=None))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work now, and go on with it later if it has to wait."""
        return self._keep(asyncio.Task(work, loop=self._loop, eager_start=True))

    def _keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        if not task.done():
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return task

    def _flush(self) -> None:
        for connection, chunks in self._out.items():
            io = self.transports.get(connection)
            if io is not None and isinstance(io.writer, asyncio.StreamWriter) and not io.writer.is_closing():
                io.writer.write(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        self._out.clear()
        for connection in self._half_closed:
            io = self.transports.get(connection)
            if io is not None and isinstance(io.writer, asyncio.StreamWriter) and not io.writer.is_closing():
                with contextlib.suppress(OSError):  # whoever reset it meanwhile is read as gone
                    io.writer.write_eof()
        self._half_closed.clear()

    async def _breathe(self, connection: Connection) -> None:
        """Wait until what was read has somewhere to go.

        HTTP/2 holds back single streams by their windows, so its connections are read on: what makes room comes there.
        """
        link, agent = self._link, connection is self.client
        if agent and not self._has_streams(connection):
            for other in tuple(self.transports):
                await self._drain(other)
            while self._addon.doors.is_ahead(link) and not self.down:
                link.room.clear()
                await link.room.wait()
            if link.talking:
                await asyncio.sleep(0)
            return
        await self._drain(self.client)
        if agent:
            await asyncio.sleep(0)
            while link.pipelined and not self.down:
                link.room.clear()
                await link.room.wait()
        while not agent and link.pressed(connection) and not self.down:
            link.room.clear()
            await link.room.wait()

    def _has_streams(self, connection: Connection) -> bool:
        return connection is self.client and self.client.alpn == b"h2"

    async def _drain(self, connection: Connection) -> None:
        io = self.transports.get(connection)
        if io is None or not isinstance(io.writer, asyncio.StreamWriter):
            return
        if not io.writer.is_closing() and not io.writer.transport.get_write_buffer_size():  # as most often: all was taken
            return
        try:
            await io.writer.drain()
        except OSError:
            if io.handler is not None:
                io.handler.cancel()

    def _close(self, connection: Connection, *, half: bool) -> None:
        """Close when this turn is over, so that what is written in it goes before, or, if it raises, not at all."""
        io = self.transports.get(connection)
        if io is None:
            return
        connection.state = connection.state & ~ConnectionState.CAN_WRITE if half else ConnectionState.CLOSED
        if half:
            self._half_closed.append(connection)
        if connection.state is ConnectionState.CLOSED and io.handler is not None:
            io.handler.cancel()

    def _part(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        if self._parting.close(writer):
            patience = self._limits.idle if connection is self.client else self._limits.connect
            self._keep(asyncio.create_task(self._parting.see_off(writer, patience)))

    def _backlog(self, connection: Connection) -> int:
        io = self.transports.get(connection)
        written = io.writer.transport.get_write_buffer_size() if io and isinstance(io.writer, asyncio.StreamWriter) else 0
        return written + sum(map(len, self._out.get(connection, ())))

    async def _relieve(self, connection: Connection) -> None:
        await self._drain(connection)
        self._link.congested.discard(connection)
        self._watched.discard(connection)
        self.feed(Settled())

    async def _leave(self) -> None:
        """The client is gone: take its upstreams along, and record what it leaves unfinished."""
        self._link.gone = True
        self._deciding.give_up()
        for wait in tuple(self._waits):
            wait.cancel()
        self._outward.rest()
        for connection, io in list(self.transports.items()):
            if self._outward.keeps(connection):
                continue
            if isinstance(io.writer, asyncio.StreamWriter):
                self._part(connection, io.writer)
            if io.handler is not None and io.handler is not asyncio.current_task():
                io.handler.cancel()
        try:
            self._addon.client_disconnected(self._link)
        except Exception as error:  # noqa: BLE001  # one of the two catch-alls: it aborts
            self.fail(error, "recording what a client left unfinished")
        while self.tasks:
            await asyncio.wait(tuple(self.tasks))
        self._addon.doors.leave(self._link)  # until here it is one of its agent's: what is left of it takes room


def _agrees(layer: Layer) -> bool:
    """Whether a client has not agreed yet on what it speaks here."""
    while isinstance(layer, TunnelLayer):
        if layer.tunnel_state is not TunnelState.OPEN:
            return True
        layer = layer.child_layer
    return isinstance(layer, TunnelGate)
