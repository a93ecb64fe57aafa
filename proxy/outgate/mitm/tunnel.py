"""What a client begins with in its tunnel: TLS, ours or its own, or HTTP; and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http import HTTPMode

from outgate.mitm.enforce import BreachError
from outgate.mitm.heads import may_be_http
from outgate.mitm.hello import Hello, Unnamed, Wants
from outgate.mitm.layers import Http
from outgate.mitm.opaque import Opaque
from outgate.mitm.tls import AgentTls
from outgate.mitm.wire import LetGo, Replace, Rested, Settled, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

TLS_RECORD: Final = re.compile(rb"\x16(?:\x03(?:[\x00-\x04]|\Z)|\Z)")
UNRECOGNIZED_NAME: Final = b"\x15\x03\x03\x00\x02\x02\x70"
"""The alert that tells a client what was wrong (RFC 6066, section 3): fatal, 112."""


class TunnelGate(layer.Layer):
    """After CONNECT: TLS or HTTP, and nothing else. Holds no more than it needs to tell them apart.

    Where the host's TLS is the agent's own, that is its whole ClientHello: it must name that host, and is decided about.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._data = b""
        self._wants = 3
        self._hello = Hello()

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        wire = wire_of(self.context)
        match event:
            case events.Start():
                yield LetGo()
                return
            case Settled() | Rested():
                return
            case events.ConnectionEvent(connection=connection) if connection is not self.context.client:
                return  # an upstream that a request led to before: what it still says is not the client's word
            case events.ConnectionClosed():
                yield commands.CloseConnection(self.context.client)
                return
            case events.DataReceived(data=data):
                self._data += data
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")
        if TLS_RECORD.match(self._data):
            if len(self._data) >= self._wants:
                yield from self._greeted(wire.addon.unread(wire.link))
        elif may_be_http(self._data):
            yield Replace(Http(self.context, HTTPMode.transparent), self._data)
        else:
            wire.addon.tunnel_refused(wire.link, self._data)
            yield commands.CloseConnection(self.context.client)

    def _greeted(self, unread: int | None) -> CommandGenerator[None]:
        if unread is None:
            tls = AgentTls(self.context)
            tls.child_layer = Http(self.context, HTTPMode.transparent)
            yield Replace(tls, self._data)
            return
        wire = wire_of(self.context)
        match self._hello.server_name(self._data):
            case Wants(size):
                self._wants = size
            case Unnamed(why):
                wire.addon.unnamed(wire.link, why)
                yield commands.SendData(self.context.client, UNRECOGNIZED_NAME)
                yield commands.CloseConnection(self.context.client)
            case name:
                wire.addon.named(wire.link, name)
                yield Replace(Opaque(self.context, unread), self._data)
