"""The network of a fenced program: `lo`, a route that leads nowhere but shows who takes it, and listeners of the gate."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Self

from outgate.fence.bpf import (
    AND,
    EQUAL,
    LOAD_BYTE,
    LOAD_HALF,
    LOAD_HALF_AFTER_X,
    LOAD_WORD,
    RETURN,
    X_IS_IPV4_HEADER,
    Line,
    assemble,
)

OWN4 = IPv4Address("192.0.0.8")
"""What a program's packets to elsewhere come from: the IPv4 dummy address (RFC 7600), which nothing else ever has."""
OWN6 = IPv6Address("fd6f:7574:6761:7465::1")
"""The same, for IPv6: a unique local address (RFC 4193) of nobody."""
BACKLOG = 1024

_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 20, 24
_REQUEST, _ACK, _CREATE = 1, 4, 0x400
_IFF_UP = 1
_IFA_ADDRESS, _IFA_LOCAL, _RTA_OIF, _RTA_PREFSRC = 1, 2, 4, 7
_MAIN_TABLE, _STATIC, _UNICAST, _LOCAL = 254, 4, 1, 2
_NODAD = 0x02
_ETH_ALL, _SO_ATTACH_FILTER = 3, 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the fence made inside its network namespace, to be served from outside."""

    listener: socket.socket
    directs: dict[int, tuple[socket.socket, ...]]
    watch: socket.socket


def lay_network(port: int, directs: tuple[int, ...]) -> Network:
    """Bring up `lo` in this (new) namespace and listen. Raises OSError."""
    lo = socket.if_nametoindex("lo")
    with _Netlink() as netlink:
        netlink.ask(_NEW_LINK, struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, lo, _IFF_UP, _IFF_UP))
        _lead_nowhere(netlink, lo, OWN4)
        if _has_ipv6():
            _lead_nowhere(netlink, lo, OWN6)
    return Network(
        listener=_listen(socket.AF_INET, "127.0.0.1", port),
        directs={direct: _both_loopbacks(direct) for direct in directs},
        watch=_watch(),
    )


def _lead_nowhere(netlink: _Netlink, lo: int, own: IPv4Address | IPv6Address) -> None:
    """Route everything out on `lo`, where we see it pass by and nobody takes it.

    IPv4: it comes back, belongs to nobody, and is dropped; `Watch` answers, having looked who asked. IPv6 knows no such
    route on a loopback device (it would be a reject route), so all addresses are ours there, and the kernel refuses.
    """
    family = socket.AF_INET if own.version == 4 else socket.AF_INET6
    address = struct.pack("=BBBBI", family, own.max_prefixlen, _NODAD, 0, lo)
    netlink.ask(_NEW_ADDRESS, address + _attribute(_IFA_LOCAL, own.packed) + _attribute(_IFA_ADDRESS, own.packed))
    kind = _UNICAST if own.version == 4 else _LOCAL
    route = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _MAIN_TABLE, _STATIC, 0, kind, 0)
    netlink.ask(_NEW_ROUTE, route + _attribute(_RTA_OIF, struct.pack("=I", lo)) + _attribute(_RTA_PREFSRC, own.packed))


def _has_ipv6() -> bool:
    """Whether `lo` got ::1 when it came up: a kernel without IPv6, or one with it turned off, has no way out there."""
    probe = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) if socket.has_ipv6 else None
    if probe is None:
        return False
    with probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


def _both_loopbacks(port: int) -> tuple[socket.socket, ...]:
    first = _listen(socket.AF_INET, "127.0.0.1", port)
    return (first, _listen(socket.AF_INET6, "::1", port)) if _has_ipv6() else (first,)


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family is socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


@dataclass(slots=True)
class _Netlink:
    """One route socket; every question is answered before the next (rtnetlink(7))."""

    _socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, body: bytes) -> None:
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACK | _CREATE, 1, 0) + body)
        answer = self._socket.recv(65536)
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise OSError(-error, os.strerror(-error), f"rtnetlink request {kind}")


def _watch() -> socket.socket:
    """A packet socket on `lo` that gets what goes elsewhere, and name questions to a resolver on loopback."""
    watch = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    steps = elsewhere()
    held = ctypes.create_string_buffer(steps, len(steps))
    watch.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(steps) // 8, ctypes.addressof(held)))
    watch.bind(("lo", _ETH_ALL))
    watch.setblocking(False)
    return watch


_PACKET_TYPE, _ETHERTYPE, _OUTGOING = 0xFFFFF004, 0xFFFFF000, 4
_UDP, _DNS, _SNAP = 17, 53, 2048


def elsewhere() -> bytes:
    """The filter, over the IP packet: keep what goes neither to loopback nor to our own address, and questions of names.

    Those that go to a resolver on loopback are refused by the kernel, as nobody listens there; they are kept to be shown.
    """
    own = struct.unpack("!IIII", OWN6.packed)
    return assemble(
        Line(LOAD_WORD, _PACKET_TYPE),
        Line(EQUAL, _OUTGOING, yes="drop"),  # each packet passes lo twice
        Line(LOAD_WORD, _ETHERTYPE),
        Line(EQUAL, 0x0800, yes="v4"),
        Line(EQUAL, 0x86DD, yes="v6", no="drop"),
        "v4",
        Line(LOAD_WORD, 16),
        Line(EQUAL, int(OWN4), yes="drop"),
        Line(AND, 0xFF000000),
        Line(EQUAL, 0x7F000000, no="keep"),
        Line(LOAD_BYTE, 9),
        Line(EQUAL, _UDP, no="drop"),
        Line(X_IS_IPV4_HEADER, 0),
        Line(LOAD_HALF_AFTER_X, 2),
        Line(EQUAL, _DNS, yes="keep", no="drop"),
        "v6",
        Line(LOAD_WORD, 24),
        Line(EQUAL, own[0], yes="own"),
        Line(EQUAL, 0, no="keep"),
        Line(LOAD_WORD, 28),
        Line(EQUAL, 0, no="keep"),
        Line(LOAD_WORD, 32),
        Line(EQUAL, 0, no="keep"),
        Line(LOAD_WORD, 36),
        Line(EQUAL, 1, no="keep"),
        Line(LOAD_BYTE, 6),
        Line(EQUAL, _UDP, no="drop"),
        Line(LOAD_HALF, 42),
        Line(EQUAL, _DNS, yes="keep", no="drop"),
        "own",
        Line(LOAD_WORD, 28),
        Line(EQUAL, own[1], no="keep"),
        Line(LOAD_WORD, 32),
        Line(EQUAL, own[2], no="keep"),
        Line(LOAD_WORD, 36),
        Line(EQUAL, own[3], yes="drop"),
        "keep",
        Line(RETURN, _SNAP),
        "drop",
        Line(RETURN, 0),
    )
