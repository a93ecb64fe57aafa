"""The first layer of a client's connection: what it speaks to us, by the listener where it came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy.proxy.layers.http import HTTPMode

from outgate.errors import ConfigError
from outgate.mitm.enforce import BreachError
from outgate.mitm.layers import Http
from outgate.mitm.socks import Socks
from outgate.mitm.transparent import TransparentGate

if TYPE_CHECKING:
    from mitmproxy.proxy.layer import Layer

    from outgate.intake.listening import WayIn
    from outgate.mitm.link import Link
    from outgate.mitm.wire import Line


def check_way_in(scheme: WayIn) -> None:
    """Raise ConfigError where nothing here speaks that."""
    match scheme:
        case "http" | "socks5" | "transparent":
            return
        case "https":
            raise ConfigError(f"nobody can come in by {scheme}:// yet, listen on http://")


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
            raise BreachError(f"a client that came in by {link.scheme}")
