"""The network of a fenced program: `lo`, a route that leads nowhere but shows who takes it, and listeners of the gate."""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from outgate.fence.crossing import BACKLOG, OWN4, OWN6, Crossing, lay_crossing
from outgate.fence.netlink import HERE, UNICAST, Netlink

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_ETH_ALL, _SO_ATTACH_FILTER = 3, 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the fence made inside its network namespace, to be served from outside. `crossing`: None, or why there is none."""

    listener: socket.socket
    directs: dict[int, tuple[socket.socket, ...]]
    watch: socket.socket
    crossing: Crossing | str | None


def lay_network(port: int, directs: tuple[int, ...], turned: tuple[int, ...] = ()) -> Network:
    """Bring up `lo` in this (new) namespace and listen; have TCP to `turned` ports come to us, if any. Raises OSError."""
    with Netlink() as netlink:
        lo = netlink.bring_up("lo")
        ipv6 = _has_ipv6()
        for own in (OWN4, OWN6) if ipv6 else (OWN4,):
            _lead_nowhere(netlink, lo, own)
    return Network(
        listener=_listen(socket.AF_INET, "127.0.0.1", port),
        directs={direct: _both_loopbacks(direct) for direct in directs},
        watch=_watch(),
        crossing=_crossed(turned, ipv6=ipv6) if turned else None,
    )


def _crossed(ports: tuple[int, ...], *, ipv6: bool) -> Crossing | str:
    """Not every kernel can: then such a program gets nowhere, as without."""
    try:
        return lay_crossing(ports, ipv6=ipv6)
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _lead_nowhere(netlink: Netlink, lo: int, own: IPv4Address | IPv6Address) -> None:
    """Route everything out on `lo`, where we see it pass by and nobody takes it.

    IPv4: it comes back, belongs to nobody, and is dropped; `Watch` answers, having looked who asked. IPv6 knows no such
    route on a loopback device (it would be a reject route), so all addresses are ours there, and the kernel refuses.
    """
    netlink.give(lo, own)
    netlink.route(own.version, lo, source=own, kind=UNICAST if own.version == 4 else HERE)


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
