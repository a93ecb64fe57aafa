"""SOCKS 5 as a client says it (RFC 1928, RFC 1929): three messages, each whole, not yet whole, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from outgate.intake.destination import canonical_host

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 5
LOGIN_VERSION: Final = 1
NO_LOGIN: Final = 0
BY_LOGIN: Final = 2
NO_METHOD: Final = 0xFF
_CONNECT: Final = 1
_OTHER_VERSIONS: Final = {4: "socks4", ord("G"): "http", ord("P"): "http", ord("C"): "http", 0x16: "tls"}


class Answer(IntEnum):
    """What a request is answered with (RFC 1928, section 6)."""

    GRANTED = 0
    FAILED = 1
    NOT_ALLOWED = 2
    NO_SUCH_COMMAND = 7
    NO_SUCH_ADDRESS = 8


class _Kind(IntEnum):
    IPV4 = 1
    NAME = 3
    IPV6 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """Not a message, or none that may be followed. `what` is for the record, in our words: no byte of what came."""

    what: str
    answer: Answer = Answer.FAILED


_BAD_REQUEST: Final = Bad(what="a malformed socks5 request")
_LENGTHS: Final[Mapping[int, int]] = {_Kind.IPV4: 4, _Kind.IPV6: 16, _Kind.NAME: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """The ways in which a client can say who it is. `size`: bytes that the message took."""

    methods: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who a client says to be."""

    name: bytes
    token: bytes = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where it wants to go: a canonical host, and a port."""

    host: str
    port: int
    size: int


def greeting(data: bytes) -> Greeting | Bad | None:
    """Read the first message. None: more is to come."""
    if not data:
        return None
    if data[0] != VERSION:
        return Bad(what=f"{_OTHER_VERSIONS.get(data[0], 'something')} instead of socks5")
    if len(data) < 2 or len(data) < 2 + data[1]:
        return None
    return Greeting(methods=data[2 : 2 + data[1]], size=2 + data[1])


def login(data: bytes) -> Login | Bad | None:
    """Read a name and a password."""
    if data and data[0] != LOGIN_VERSION:
        return Bad(what="a malformed login")
    if len(data) < 2 or len(data) < 3 + data[1]:
        return None
    named = 2 + data[1]
    end = named + 1 + data[named]
    return Login(name=data[2:named], token=data[named + 1 : end], size=end) if len(data) >= end else None


def asked(data: bytes) -> Asked | Bad | None:
    """Read a request: to connect, and nothing else; where to is one plain name or an address, or refused."""
    if data and data[0] != VERSION:
        return _BAD_REQUEST
    if len(data) < 5:  # none is shorter than ten
        return None
    _, command, reserved, kind, first = data[:5]
    if command != _CONNECT:
        return Bad(what=f"socks5 command {command}", answer=Answer.NO_SUCH_COMMAND)
    if kind not in _LENGTHS or reserved != 0:
        return _BAD_REQUEST if reserved else Bad(what=f"socks5 address type {kind}", answer=Answer.NO_SUCH_ADDRESS)
    start, end = (5, 5 + first) if kind == _Kind.NAME else (4, 4 + _LENGTHS[kind])
    return _named(kind, data[start:end], data[end : end + 2], end + 2) if len(data) >= end + 2 else None


def _named(kind: int, raw: bytes, number: bytes, size: int) -> Asked | Bad:
    host, port = _host(kind, raw), int.from_bytes(number)
    if host is None or port == 0:
        return Bad(what="a malformed socks5 host" if host is None else "socks5 port 0", answer=Answer.NOT_ALLOWED)
    return Asked(host=host, port=port, size=size)


def _host(kind: int, raw: bytes) -> str | None:
    if kind == _Kind.IPV4:
        return str(IPv4Address(raw))
    if kind == _Kind.IPV6:
        return str(IPv6Address(raw))
    try:
        # a NUL ends a name for some resolvers and not for who compares it: everything but a plain name is refused
        return None if b"[" in raw else canonical_host(raw.decode("latin-1"))
    except ValueError:
        return None
