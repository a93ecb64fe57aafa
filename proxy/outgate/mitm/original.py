"""Where a connection was going before it was turned to us: of that only the port counts, the name decides (Host, SNI)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, Protocol

from outgate.intake.destination import canonical_authority

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitmproxy import http

    from outgate.intake.request import Tunnel
    from outgate.mitm.link import Link

_SO_ORIGINAL_DST: Final = 80
"""Of netfilter, for IPv4 and, at its own level, for IPv6 (linux/netfilter_ipv4.h, netfilter_ipv6/ip6_tables.h)."""
_IP_TRANSPARENT, _IPV6_TRANSPARENT = 19, 75


class Socket(Protocol):
    """As much of an accepted connection's socket as is asked here: asyncio's has no more."""

    @property
    def family(self) -> int: ...
    def getsockname(self) -> tuple[str, int] | tuple[str, int, int, int]: ...
    def getsockopt(self, level: int, option: int, size: int = ..., /) -> int | bytes: ...


@dataclass(frozen=True, slots=True)
class Original:
    """The address is anybody's word: whoever connects chooses it apart from the name. It is never connected to."""

    address: str
    port: int


def original_destination(sock: Socket) -> Original | None:
    """Give where a connection was going; None where it came to us on purpose, or nobody knows.

    1. What netfilter turned to us (REDIRECT, DNAT), where that is another place than the one that we accepted it at.
    2. Where the socket may take what is for others (IP_TRANSPARENT): the place that it was accepted at.
    """
    here = _plain(*sock.getsockname()[:2])
    turned = _turned(sock)
    if turned is not None and turned != here:
        return turned
    return here if _takes_others(sock) else None


def plain_tunnel(tunnel: Tunnel, fields: Iterable[tuple[bytes, bytes]]) -> Tunnel:
    """As if CONNECT had named what a request in the clear names in Host, at the port where its connection was going.

    Where Host can't be read, the tunnel stays as it is: the request is refused for that.
    """
    hosts = [value for name, value in fields if name.lower() == b"host"]
    try:
        named, _ = canonical_authority(hosts[0].decode("latin-1").strip(" \t"), 0) if len(hosts) == 1 else ("", 0)
    except ValueError:
        named = ""
    return replace(tunnel, host=named.encode("ascii")) if named else tunnel


def _turned(sock: Socket) -> Original | None:
    here = str(sock.getsockname()[0])
    mapped = ":" in here and IPv6Address(here.partition("%")[0]).ipv4_mapped is not None
    try:
        if sock.family == socket.AF_INET or mapped:
            found = sock.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, 16)
            assert isinstance(found, bytes)
            return _plain(socket.inet_ntop(socket.AF_INET, found[4:8]), *struct.unpack_from("!H", found, 2))
        found = sock.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, 28)
        assert isinstance(found, bytes)
        return _plain(socket.inet_ntop(socket.AF_INET6, found[8:24]), *struct.unpack_from("!H", found, 2))
    except OSError:  # nobody turned it, or the kernel has no netfilter
        return None


def _takes_others(sock: Socket) -> bool:
    level, option = (
        (socket.IPPROTO_IP, _IP_TRANSPARENT) if sock.family == socket.AF_INET else (socket.IPPROTO_IPV6, _IPV6_TRANSPARENT)
    )
    try:
        return sock.getsockopt(level, option) != 0
    except OSError:
        return False


def _plain(address: str, port: int) -> Original:
    found = ip_address(address.partition("%")[0])
    return Original(str(getattr(found, "ipv4_mapped", None) or found), port)


def tunnel_for(link: Link, request: http.Request) -> Tunnel | None:
    """Where a connection in the clear was turned to us, each request says itself which host it is for."""
    if link.scheme == "transparent" and link.tunnel is not None and not link.tunnel.tls:
        return plain_tunnel(link.tunnel, request.headers.fields)
    return link.tunnel
