"""An admitted WebSocket: its messages are relayed, none is kept, and a halt ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import wsproto.connection
import wsproto.events
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import websocket

from outgate.mitm.enforce import BreachError
from outgate.mitm.wire import Cut, CutOff, wire_of

if TYPE_CHECKING:
    from mitmproxy import http
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.enforce import Call

_LAST_WORD: Final = 0.5
"""Seconds in which a client may still read why it ends."""
_HALTED: Final = 1008
"""RFC 6455, section 7.4.1: against a policy."""


class Messages(websocket.WebsocketLayer):
    """An admitted WebSocket. Messages are relayed; none is kept, and none may be larger than a limit."""

    def __init__(self, context: Context, flow: http.HTTPFlow, call: Call) -> None:
        super().__init__(context, flow)
        self.call = call
        self.wire = wire_of(context)

    def start(self, event: events.Event) -> CommandGenerator[None]:
        """Begin to relay."""
        yield from self._ours(super().start(event))

    _handle_event = start

    def relay_messages(self, event: events.Event) -> CommandGenerator[None]:
        """Relay what came, and count it."""
        if isinstance(event, Cut):
            yield from self._halted()
            return
        if isinstance(event, events.DataReceived):
            passing = self.call.upload if event.connection == self.context.client else self.call.download
            passing(event.data)
        yield from self._ours(super().relay_messages(event))
        for side in (self.client_ws, self.server_ws):
            self._bounded(sum(map(len, side.frame_buf)))

    def _halted(self) -> CommandGenerator[None]:
        """Say so to both, and hang up."""
        for ws in (self.server_ws, self.client_ws):
            if ws.state is wsproto.connection.ConnectionState.OPEN:
                yield ws.send2(wsproto.events.CloseConnection(_HALTED, "halted"))
            yield commands.CloseConnection(ws.conn)
        yield CutOff(self.context.client, after=_LAST_WORD)
        self._handle_event = self.done  # type: ignore[method-assign]  # mitmproxy's own way to switch

    def _ours(self, relayed: CommandGenerator[None]) -> CommandGenerator[None]:
        """Call our hooks right here: what raises in one takes the whole connection down."""
        for command in relayed:
            match command:
                case websocket.WebsocketStartHook():
                    self.wire.addon.websocket_start(self.call)
                case websocket.WebsocketMessageHook(flow=flow):
                    assert flow.websocket is not None
                    self._bounded(len(flow.websocket.messages[-1].content))
                    self.wire.addon.websocket_message(self.call)
                    flow.websocket.messages.clear()
                case websocket.WebsocketEndHook():
                    self.wire.addon.websocket_end(self.call)
                case _:
                    yield command

    def _bounded(self, size: int) -> None:
        if size > self.wire.limits.message:
            raise BreachError("a WebSocket message is over the limit")
