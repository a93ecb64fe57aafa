"""Connections that were not addressed to a proxy: TLS that names its host, or HTTP, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http import HTTPMode

from outgate.intake.request import Tunnel
from outgate.mitm.enforce import BreachError
from outgate.mitm.heads import may_be_http
from outgate.mitm.hello import Hello, Unnamed, Wants
from outgate.mitm.layers import Http
from outgate.mitm.opaque import Opaque
from outgate.mitm.tls import AgentTls
from outgate.mitm.wire import Replace, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.original import Original

_TLS_RECORD: Final = re.compile(rb"\x16(?:\x03(?:[\x00-\x04]|\Z)|\Z)")
_UNRECOGNIZED_NAME: Final = b"\x15\x03\x03\x00\x02\x02\x70"
"""The alert that tells a client what was wrong (RFC 6066, section 3): fatal, 112."""


class TransparentGate(layer.Layer):
    """Finds out where a connection leads as CONNECT would have said it: the port where it was going, the name in it.

    Holds no more than it needs to find that out. The address where it was going is never connected to.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._data = bytearray()
        self._wants = 0
        self._hello = Hello()

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        match event:
            case events.Start():
                yield from self._arrive()
            case events.ConnectionClosed():
                yield commands.CloseConnection(self.context.client)
            case events.DataReceived(data=data):
                self._data += data
                if len(self._data) >= self._wants and wire_of(self.context).link.tunnel is not None:
                    yield from self._look()
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")

    def _arrive(self) -> CommandGenerator[None]:
        """Who it is follows from where it came in, or from where it comes from: it is not asked, and can't show anything."""
        wire = wire_of(self.context)
        link = wire.link
        if wire.addon.identify_by_place(link) is not None:
            yield commands.CloseConnection(self.context.client)
        elif link.original is None:
            wire.addon.transparent_refused(link, "not redirected")
            yield commands.CloseConnection(self.context.client)
        else:
            link.tunnel = self._leads(link.original)

    def _leads(self, original: Original) -> Tunnel:
        """Until it says a name, it leads to what its address is called, which no request can name: that is for notes."""
        called = wire_of(self.context).addon.called(original.address)
        return Tunnel(host=called.encode("ascii", "replace"), port=original.port, tls=False)

    def _look(self) -> CommandGenerator[None]:
        wire = wire_of(self.context)
        if _TLS_RECORD.match(self._data):
            yield from self._greet()
        elif may_be_http(data := bytes(self._data)):
            wire.link.entering = False
            yield Replace(Http(self.context, HTTPMode.transparent), data)
        else:
            wire.addon.tunnel_refused(wire.link, data)
            yield commands.CloseConnection(self.context.client)

    def _greet(self) -> CommandGenerator[None]:
        wire, named = wire_of(self.context), self._hello.server_name(self._data)
        match named:
            case Wants(size):
                self._wants = size
            case Unnamed(why):
                wire.addon.transparent_refused(wire.link, why)
                yield commands.SendData(self.context.client, _UNRECOGNIZED_NAME)
                yield commands.CloseConnection(self.context.client)
            case name:
                assert wire.link.tunnel is not None
                wire.addon.http_connect(wire.link, Tunnel(host=name.encode("ascii"), port=wire.link.tunnel.port, tls=True))
                wire.link.entering = False
                if (most := wire.addon.unread(wire.link)) is not None:
                    wire.addon.named(wire.link, name)
                    yield Replace(Opaque(self.context, most), bytes(self._data))
                    return
                tls = AgentTls(self.context)
                tls.child_layer = Http(self.context, HTTPMode.transparent)
                yield Replace(tls, bytes(self._data))
