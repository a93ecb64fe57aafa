"""Where a fenced program's own connections are turned to the gate: another network namespace, one wire away, with every address.

In the program's own, TCP to the policed ports goes over that wire, whatever its address; so do questions for names. At the
other end all addresses are local, and the gate listens. The program's loopback, its servers and all other ports are as before.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from outgate.fence.netlink import HERE, LOCAL, Netlink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN4 = IPv4Address("192.0.0.8")
"""What a program's packets to elsewhere come from: the IPv4 dummy address (RFC 7600), which nothing else ever has."""
OWN6 = IPv6Address("fd6f:7574:6761:7465::1")
"""The same, for IPv6: a unique local address (RFC 4193) of nobody."""
RESOLVER = IPv4Address("198.18.0.1")
"""Who answers questions for names: the first of the addresses that are made up (RFC 2544)."""
BACKLOG = 1024
DNS = 53

_PROGRAMS, _GATES = "gate0", "gate1"
_TURNED = 100
"""The table of routes over the wire."""
_IP_TRANSPARENT, _IPV6_TRANSPARENT = 19, 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Listeners at the wire's other end: by port, and those that are asked for names (UDP, TCP)."""

    turned: dict[int, tuple[socket.socket, ...]]
    names: tuple[socket.socket, socket.socket]

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Each of them. The other namespace is there as long as one is open."""
        return (*self.names, *(one for both in self.turned.values() for one in both))


def lay_crossing(ports: tuple[int, ...], *, ipv6: bool) -> Crossing:
    """Lay the wire from this namespace, which has its addresses. Raises OSError; then there is none, and no way out either."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with ExitStack() as undone:
        undone.callback(os.close, own)
        os.unshare(os.CLONE_NEWNET)
        try:
            laid = _other_end(own, ports, ipv6=ipv6)
        finally:
            _return_to(own)
        closing = undone.enter_context(ExitStack())
        for one in laid.sockets:
            closing.callback(one.close)
        _own_end(ports, ipv6=ipv6)
        closing.pop_all()
    return laid


def _return_to(namespace: int) -> None:
    try:
        os.setns(namespace, os.CLONE_NEWNET)
    except OSError as error:  # not one that can be lived with: nothing may be built in the wrong place
        raise RuntimeError("the program's network namespace can't be entered again") from error


def _other_end(programs: int, ports: tuple[int, ...], *, ipv6: bool) -> Crossing:
    with Netlink() as netlink:
        lo = netlink.bring_up("lo")
        netlink.pair(_GATES, _PROGRAMS, programs)
        wire = netlink.bring_up(_GATES, asks=False)
        for address in _addresses(ipv6=ipv6):
            netlink.route(address.version, lo, table=LOCAL, kind=HERE)
            netlink.route(address.version, wire, to=address, table=LOCAL)  # the longer prefix wins, also in there
    turned = {port: tuple(_listeners(port, ipv6=ipv6)) for port in ports}
    return Crossing(turned=turned, names=(_asked(socket.SOCK_DGRAM), _asked(socket.SOCK_STREAM)))


def _own_end(ports: tuple[int, ...], *, ipv6: bool) -> None:
    with Netlink() as netlink:
        wire = netlink.bring_up(_PROGRAMS, asks=False)
        netlink.route(4, wire, to=RESOLVER, source=OWN4)
        for address in _addresses(ipv6=ipv6):
            netlink.route(address.version, wire, source=address, table=_TURNED)
            for port in ports:
                netlink.rule(address.version, port, _TURNED)


def _addresses(*, ipv6: bool) -> tuple[IPv4Address | IPv6Address, ...]:
    return (OWN4, OWN6) if ipv6 else (OWN4,)


def _listeners(port: int, *, ipv6: bool) -> Iterator[socket.socket]:
    """On every address. That a socket is transparent says that where a connection was accepted at is where it was going."""
    four = socket.socket(socket.AF_INET)
    four.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    four.bind(("0.0.0.0", port))  # noqa: S104  # of a namespace of its own
    four.listen(BACKLOG)
    yield four
    if ipv6:
        six = socket.socket(socket.AF_INET6)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        six.bind(("::", port))
        six.listen(BACKLOG)
        yield six


def _asked(kind: socket.SocketKind) -> socket.socket:
    one = socket.socket(socket.AF_INET, kind)
    one.bind((str(RESOLVER), DNS))
    if kind is socket.SOCK_STREAM:
        one.listen(BACKLOG)
    return one


def resolver_file(folder: Path) -> Path:
    """Write how a program finds who answers (resolv.conf(5))."""
    path = folder / "resolv.conf"
    path.write_text(f"nameserver {RESOLVER}\n", encoding="utf-8")
    path.chmod(0o444)
    return path
