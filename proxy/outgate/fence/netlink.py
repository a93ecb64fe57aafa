"""What the kernel is told of a network namespace, as `ip` would: links, addresses, routes and rules (rtnetlink(7))."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    type Address = IPv4Address | IPv6Address

MAIN, LOCAL = 254, 255
"""Tables of routes that every namespace has. A socket may answer from an address that stands in LOCAL."""
UNICAST, HERE = 1, 2
"""Kinds of route: out on a device, and to ourselves."""

_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE, _NEW_RULE = 16, 20, 24, 32
_REQUEST, _ACK, _CREATE = 1, 4, 0x400
_IFF_UP, _IFF_NOARP = 1, 0x80
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD, _INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 1, 3, 18, 28, 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _NODAD = 1, 2, 0x02
_RTA_DST, _RTA_OIF, _RTA_PREFSRC, _STATIC = 1, 4, 7, 4
_HOST = 254
"""The scope of what does not leave the machine."""
_FRA_PRIORITY, _FRA_IP_PROTO, _FRA_DPORT_RANGE, _TO_TABLE = 6, 22, 24, 1
_HARDWARE = b"\x02\x00\x00\x00\x00\x01"
"""Of both ends of a pair: a device that asks nobody sends to its own."""


@dataclass(slots=True)
class Netlink:
    """One route socket of the namespace that it was opened in; every request is answered before the next."""

    _socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def bring_up(self, name: str, *, asks: bool = True) -> int:
        """Bring a device up, give its index. `asks` is false for one that is never to ask who has an address."""
        index = socket.if_nametoindex(name)
        flags = _IFF_UP | (0 if asks else _IFF_NOARP)
        self._ask(_NEW_LINK, struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, index, flags, flags))
        return index

    def pair(self, name: str, other: str, namespace: int) -> None:
        """Make two ends of one wire: `name` here, `other` in the network namespace of that descriptor."""
        ends = _attribute(_IFLA_ADDRESS, _HARDWARE)
        there = ends + _named(other) + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", namespace))
        peer = _attribute(_VETH_INFO_PEER, bytes(16) + there)
        kind = _attribute(_INFO_KIND, b"veth\0") + _attribute(_INFO_DATA, peer)
        self._ask(_NEW_LINK, bytes(16) + ends + _named(name) + _attribute(_IFLA_LINKINFO, kind))

    def give(self, device: int, address: Address) -> None:
        """Give a device an address, alone in its network."""
        head = struct.pack("=BBBBI", _family(address), address.max_prefixlen, _NODAD, 0, device)
        self._ask(_NEW_ADDRESS, head + _attribute(_IFA_LOCAL, address.packed) + _attribute(_IFA_ADDRESS, address.packed))

    def route(  # noqa: PLR0913  # one argument a word of `ip route add`
        self,
        version: int,
        device: int,
        *,
        to: Address | None = None,
        source: Address | None = None,
        table: int = MAIN,
        kind: int = UNICAST,
    ) -> None:
        """Route one address, or all of them, to a device."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        head = struct.pack(
            "=BBBBBBBBI", family, to.max_prefixlen if to else 0, 0, 0, table, _STATIC, _HOST if kind == HERE else 0, kind, 0
        )
        body = _attribute(_RTA_OIF, struct.pack("=I", device))
        body += _attribute(_RTA_DST, to.packed) if to else b""
        self._ask(_NEW_ROUTE, head + body + (_attribute(_RTA_PREFSRC, source.packed) if source else b""))

    def rule(self, version: int, port: int, table: int) -> None:
        """Have TCP to a port look into that table, after what is local and before all else (Linux 4.17)."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, table, 0, 0, _TO_TABLE, 0)
        body = _attribute(_FRA_PRIORITY, struct.pack("=I", table)) + _attribute(_FRA_IP_PROTO, bytes([socket.IPPROTO_TCP]))
        self._ask(_NEW_RULE, head + body + _attribute(_FRA_DPORT_RANGE, struct.pack("=HH", port, port)))

    def _ask(self, kind: int, body: bytes) -> None:
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACK | _CREATE, 1, 0) + body)
        answer = self._socket.recv(65536)
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise OSError(-error, os.strerror(-error), f"rtnetlink request {kind}")


def _family(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _named(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
