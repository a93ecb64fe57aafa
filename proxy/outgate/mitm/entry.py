"""The first layer of a client's connection: what it speaks to us, by the listener where it came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy.proxy.layers.http import HTTPMode

from outgate.errors import ConfigError
from outgate.mitm.front import Envelope, Front
from outgate.mitm.layers import Http
from outgate.mitm.socks import Socks
from outgate.mitm.transparent import TransparentGate

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.proxy.layer import Layer

    from outgate.intake.listening import Secured, WayIn
    from outgate.mitm.link import Link
    from outgate.mitm.wire import Line


def front_of(scheme: WayIn, secured: Secured | None, told: Callable[[BaseException, str], None]) -> Front | None:
    """Give a listener's own TLS, where it has any. Raises ConfigError where it has none and needs it, or it can't be used."""
    match scheme:
        case "http" | "socks5" | "transparent":
            return None
        case "https" if secured is None:
            raise ConfigError("https:// needs a certificate, or names that one of our own CA is for")
        case "https":
            return Front(secured, told)


def first_layer(line: Line, link: Link) -> Layer:
    """Give what speaks to the client first. What it is follows from where it came in, never from what it sends."""
    match link.scheme:
        case "http":
            return Http(line, HTTPMode.regular)
        case "socks5":
            link.entering = True
            return Socks(line)
        case "transparent":
            link.entering = True
            return TransparentGate(line)
        case "https":
            link.entering = True
            return Envelope(line, Http(line.fork(), HTTPMode.regular))
