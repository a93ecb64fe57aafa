"""Questions about this machine that the kernel answers without sending a packet."""

from __future__ import annotations

import errno
import socket
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

type Address = IPv4Address | IPv6Address

_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL})
_NO_WAY_THERE = frozenset({*_NOT_HERE, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM})
_LASTING = timedelta(seconds=10)
_REMEMBERED = 4096


class Machine:
    """The same questions, each asked of the kernel once in a while: they stand in the path of every request."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: dict[tuple[Callable[[Address], bool], Address], tuple[bool, float]] = {}

    def has(self, address: Address) -> bool:
        """As `is_local`."""
        return self._asked(is_local, address)

    def reaches(self, address: Address) -> bool:
        """As `is_routable`."""
        return self._asked(is_routable, address)

    def _asked(self, question: Callable[[Address], bool], address: Address) -> bool:
        now = self._monotonic()
        answer, until = self._known.get((question, address), (False, now))
        if until > now:
            return answer
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        answer = question(address)
        self._known[question, address] = (answer, now + _LASTING.total_seconds())
        return answer


def is_local(address: Address) -> bool:
    """Whether what is sent to this address stays on this machine: then it is as good as loopback.

    Raises OSError where the kernel can't say, for want of file descriptors for example: not knowing is no permission.
    """
    if address.is_loopback:
        return True
    # where the machine lets programs bind any address (ip_nonlocal_bind), binding tells nothing
    return _binds(address) and (not _binds(_nobodys(address)) or _source(address) == address)


def is_routable(address: Address) -> bool:
    """Whether there is any route to it."""
    return _source(address) is not None


def _nobodys(address: Address) -> Address:
    """A documentation address (RFC 5737, RFC 3849): no machine has it."""
    return IPv4Address("192.0.2.1") if isinstance(address, IPv4Address) else IPv6Address("2001:db8::1")


def _binds(address: Address) -> bool:
    try:
        with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def _source(address: Address) -> Address | None:
    """The address that this machine would send from."""
    try:
        with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            text = str(probe.getsockname()[0]).partition("%")[0]
    except OSError as error:
        if error.errno in _NO_WAY_THERE:
            return None
        raise
    return IPv4Address(text) if isinstance(address, IPv4Address) else IPv6Address(text)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
