"""An admitted WebSocket: message by message, decided where a rule could stop one; none is kept, and a halt ends it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import wsproto.events as said
from mitmproxy.proxy import commands, events, layer
from wsproto.connection import Connection as Protocol
from wsproto.connection import ConnectionState, ConnectionType

from outgate.intake.message import Message
from outgate.mitm.enforce import BreachError
from outgate.mitm.keeping import EACH, NO_ROOM, Charged
from outgate.mitm.wire import Begin, Cut, CutOff, OfCall, Upstream, wire_of

if TYPE_CHECKING:
    from mitmproxy.connection import Connection
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate import conversing
    from outgate.mitm.enforce import Call

_LAST_WORD: Final = 0.5
"""Seconds in which a client may still read why it ends."""
_POLICY: Final = 1008
_GONE: Final = 1001
_TOO_LARGE: Final = 1009
"""RFC 6455, section 7.4.1."""
_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}) | {*range(3000, 5000)}
"""Those that may be sent (RFC 6455, section 7.4.2, and IANA's registry)."""
_LONGEST_REASON: Final = 123
_AT_ONCE: Final = 64
"""Frames that are heard in one turn of the loop: thousands of empty ones fit into what is read at once."""


class Weighed(OfCall):
    """A message of this side was decided."""

    def __init__(self, call: Call, side: Side) -> None:
        super().__init__(call)
        self.side = side


class Rested(OfCall):
    """Others had their turn: there is more to hear of this side."""

    def __init__(self, call: Call, side: Side) -> None:
        super().__init__(call)
        self.side = side


@dataclass(slots=True, eq=False, kw_only=True)
class Side(Charged):
    """One of the two, and what it said that did not go on yet: a part of a message, messages, and at last that it closes."""

    ws: Protocol
    conn: Connection
    sends: bool
    begun: bytearray = field(default_factory=bytearray)
    waiting: deque[Message | int] = field(default_factory=deque)
    queued: int = 0
    weighing: bool = False
    resting: bool = False
    gone: bool = False
    cut: conversing.Cut | None = None

    @property
    def holds(self) -> int:
        return len(self.begun) + self.queued

    def take(self, data: str | bytes | bytearray) -> None:
        self.begun += data.encode() if isinstance(data, str) else data

    def whole(self, *, text: bool) -> Message:
        content = bytes(self.begun)
        self.begun = bytearray()
        return Message(sent=self.sends, over="websocket", text=text, content=content)

    def forget(self) -> None:
        self.begun = bytearray()
        self.waiting.clear()


class Messages(layer.Layer):
    """Relays whole messages, each way in its order. Pings and pongs stay between neighbours; no close reason goes on.

    Where one waits to be decided, those behind it wait too, and their sender is not read on; the other direction goes on.
    """

    def __init__(self, context: Context, call: Call) -> None:
        super().__init__(context)
        self.call = call
        self.wire = wire_of(context)
        self._conversation = self.wire.addon.websocket_start(call)
        link, room = self.wire.link, self.wire.addon.room
        self._agent = Side(ws=Protocol(ConnectionType.SERVER), conn=context.client, sends=True, link=link, room=room)
        self._upstream = Side(ws=Protocol(ConnectionType.CLIENT), conn=context.server, sends=False, link=link, room=room)
        self._ended = False
        self.wire.link.talking = True

    @property
    def behind(self) -> bool:
        """Whether the upstream said more than may wait."""
        return self._upstream.resting or self._upstream.queued > self.wire.limits.waiting

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self._ended:
            return
        match event:
            case events.Start():
                return
            case Cut():
                yield from self._end_both("halted")
            case Weighed(side=side):
                side.weighing = False
                yield from self._went_on(side)
            case Rested(side=side):
                self._rest(side, resting=False)
                yield from self._listen(side)
                yield from self._account(side)
            case events.DataReceived(connection=connection, data=data):
                side = self._side(connection)
                (self.call.upload if side.sends else self.call.download)(data)
                yield from self._heard(side, data)
                yield from self._account(side)
            case events.ConnectionClosed(connection=connection):
                yield from self._lost(self._side(connection))
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")

    def _side(self, connection: Connection) -> Side:
        return self._agent if connection is self.context.client else self._upstream

    def _other(self, side: Side) -> Side:
        return self._upstream if side is self._agent else self._agent

    # what comes in

    def _heard(self, side: Side, data: bytes) -> CommandGenerator[None]:
        side.ws.receive_data(data)
        if not side.resting:
            yield from self._listen(side)

    def _listen(self, side: Side) -> CommandGenerator[None]:
        """Hear some of what came, and the rest when others had their turn."""
        for number, event in enumerate(side.ws.events(), 1):
            yield from self._frame(side, event)
            if self._ended:
                return
            if number == _AT_ONCE:
                self._rest(side, resting=True)
                yield Begin(_others, Rested(self.call, side), "hearing messages")
                return
        if side.gone:
            yield from self._lost(side)

    def _rest(self, side: Side, *, resting: bool) -> None:
        """Who is not heard is not read on either."""
        if side.resting is not resting:
            side.resting = resting
            if side.sends:
                self.wire.link.queued += (self.wire.limits.waiting + 1) * (1 if resting else -1)
            self.wire.link.room.set()

    def _frame(self, side: Side, event: said.Event) -> CommandGenerator[None]:
        match event:
            case said.TextMessage(data=text) | said.BytesMessage(data=text):
                side.take(text)
                if len(side.begun) > self.wire.limits.message:
                    yield from self._break_off(side, _TOO_LARGE)
                    return
                if event.message_finished:
                    yield from self._say(side, side.whole(text=isinstance(event, said.TextMessage)))
            case said.Ping():
                yield from self._pong(side, event.response())
            case said.Pong():
                pass  # nobody asked: ours are not sent
            case said.CloseConnection(code=code):
                if side.ws.state is ConnectionState.OPEN:  # wsproto's own word for what breaks the protocol
                    yield from self._break_off(side, code)
                    return
                yield from self._say(side, code if code in _CODES else 1000)
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")

    def _pong(self, side: Side, pong: said.Pong) -> CommandGenerator[None]:
        """Who reads none gets none (RFC 6455, section 5.5.3, asks for the last alone): they would be ours to keep."""
        carrier = (side.conn.carrier if isinstance(side.conn, Upstream) else None) or side.conn
        if self.wire.backlog(carrier) <= self.wire.limits.unsent:
            yield commands.SendData(side.conn, side.ws.send(pong))

    def _say(self, side: Side, what: Message | int) -> CommandGenerator[None]:
        side.waiting.append(what)
        side.queued += (size := _size(what))
        if side.sends:
            self.wire.link.queued += size
        yield from self._go_on(side)

    def _lost(self, side: Side) -> CommandGenerator[None]:
        """The upstream is gone: what it said before still goes on, in its order. The agent is gone: nobody waits for anything."""
        side.gone = True
        if side.sends:
            yield from self._finish(_GONE, reason="")
            self.wire.addon.websocket_end(self.call)
        elif not side.resting and not any(isinstance(one, int) for one in side.waiting):
            yield from self._say(side, _GONE)

    def _account(self, side: Side) -> CommandGenerator[None]:
        """Have what is held of one be on its agent's account, or end it."""
        if not self._ended and not side.charge():
            yield from self._end_both(NO_ROOM, why="no room for what was said")

    # what goes on

    def _go_on(self, side: Side) -> CommandGenerator[None]:
        while side.waiting and not side.weighing and not self._ended:
            first = side.waiting[0]
            if isinstance(first, int):
                yield from self._close(first)
            elif self._conversation is None or not self._conversation.heard:
                yield from self._pass(side)
            else:
                side.weighing = True
                yield Begin(self._weigh(side, first), Weighed(self.call, side), "deciding on a message")

    def _weigh(self, side: Side, message: Message) -> Begin.Doing:
        conversation = self._conversation
        assert conversation is not None

        async def weigh() -> None:
            side.cut = await conversation.decide(message)

        return weigh

    def _went_on(self, side: Side) -> CommandGenerator[None]:
        if side.cut is not None:
            yield from self._end_both(side.cut.tell, why="a message was refused")
            return
        yield from self._pass(side)
        yield from self._go_on(side)
        side.charge()

    def _pass(self, side: Side) -> CommandGenerator[None]:
        message = side.waiting.popleft()
        assert isinstance(message, Message)
        self._settle(side, _size(message))
        self.wire.addon.websocket_message(self.call)
        other = self._other(side)
        if other.ws.state is ConnectionState.OPEN:
            yield commands.SendData(other.conn, other.ws.send(_event(message)))

    def _settle(self, side: Side, size: int) -> None:
        side.queued -= size
        if side.sends:
            self.wire.link.queued -= size
        self.wire.link.room.set()

    # the end

    def _close(self, code: int) -> CommandGenerator[None]:
        """One of them closed, and all that it said before went on: so does this, without its words."""
        yield from self._finish(code, reason="")
        self.wire.addon.websocket_end(self.call)

    def _break_off(self, side: Side, code: int) -> CommandGenerator[None]:
        """It broke the protocol. What it said last is passed on to nobody."""
        if side.ws.state is ConnectionState.OPEN:
            yield commands.SendData(side.conn, side.ws.send(said.CloseConnection(code, "")))
        yield from self._finish(_GONE, reason="")
        who = "agent" if side.sends else "upstream"
        self.wire.addon.websocket_end(self.call, error=f"the {who} broke the protocol")

    def _end_both(self, reason: str, *, why: str = "") -> CommandGenerator[None]:
        """Stopped by people or by a rule: say so to both, and hang up soon, whoever reads."""
        yield from self._finish(_POLICY, reason=_short(reason))
        if why:
            self.wire.addon.websocket_end(self.call, error=why)
        yield CutOff(self.context.client, after=_LAST_WORD)

    def _finish(self, code: int, *, reason: str) -> CommandGenerator[None]:
        self._ended = True
        for side in (self._upstream, self._agent):
            self._settle(side, side.queued)
            self._rest(side, resting=False)
            side.over()
            word = reason if side is self._agent else ""
            match side.ws.state:
                case ConnectionState.OPEN:
                    yield commands.SendData(side.conn, side.ws.send(said.CloseConnection(code, word)))
                case ConnectionState.REMOTE_CLOSING:
                    yield commands.SendData(side.conn, side.ws.send(said.CloseConnection(code, "")))
                case _:
                    pass
            yield commands.CloseConnection(side.conn)


def _size(what: Message | int) -> int:
    return EACH + len(what.content) if isinstance(what, Message) else EACH


def _event(message: Message) -> said.Event:
    return said.TextMessage(data=message.content.decode()) if message.text else said.BytesMessage(data=message.content)


async def _others() -> None:
    """Let others have their turn."""
    await asyncio.sleep(0)


def _short(reason: str) -> str:
    """As much of it as fits into a close frame, no letter cut (RFC 6455, section 5.5.1)."""
    return reason.encode()[:_LONGEST_REASON].decode("utf-8", "ignore")
