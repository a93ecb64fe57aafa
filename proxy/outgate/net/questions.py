"""Questions for names, answered from nothing (RFC 1035): every good name has an address, and no question goes on to anybody."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from outgate.intake.destination import canonical_host, is_address

if TYPE_CHECKING:
    from outgate.net.names import Names

LONGEST: Final = 4096
"""Bytes of a question, with all that it brings along."""
LASTS: Final = 60
"""Seconds that a program may keep an answer."""

_HEAD: Final = struct.Struct("!HHHHHH")
_ANSWER, _OPCODE, _TRUNCATED, _DESIRED, _AVAILABLE = 0x8000, 0x7800, 0x0200, 0x0100, 0x0080
_GOOD, _MALFORMED, _NO_SUCH_NAME, _NOT_IMPLEMENTED, _REFUSED, _BAD_VERSION = 0, 1, 3, 4, 5, 16
_A, _AAAA, _OPT, _INTERNET = 1, 28, 41, 1
_OURS_AT_ONCE: Final = 1232
"""Bytes of a datagram that we take (RFC 6891, section 6.2.5; DNS flag day 2020)."""
_NEVER: Final = ("invalid", "onion")
"""Names at the end of which nothing is, ever (RFC 6761, section 6.4; RFC 7686)."""


class _MalformedError(Exception):
    pass


def answer(question: bytes, names: Names, *, ipv6: bool = True) -> bytes | None:
    """Answer one question; None where there is none, as in an answer. Never raises, and asks nobody.

    A and AAAA get the name's made-up address, `localhost` its own (RFC 6761, section 6.3). Of every other type there is
    nothing: no HTTPS or SVCB record names other keys, protocols or hosts for a name.
    """
    if len(question) < _HEAD.size or len(question) > LONGEST:
        return None
    number, flags, *counts = _HEAD.unpack_from(question)
    if flags & _ANSWER:
        return None
    said = _ANSWER | _AVAILABLE | flags & (_OPCODE | _DESIRED)
    if flags & _OPCODE:
        return _HEAD.pack(number, said | _NOT_IMPLEMENTED, 0, 0, 0, 0)
    try:
        return _answered(number, said, question, counts, names, ipv6=ipv6)
    except _MalformedError:
        return _HEAD.pack(number, said | _MALFORMED, 0, 0, 0, 0)


def _answered(number: int, said: int, question: bytes, counts: list[int], names: Names, *, ipv6: bool) -> bytes:  # noqa: PLR0913
    if counts[:3] != [1, 0, 0] or counts[3] > 1:
        raise _MalformedError
    name, at = _name(question)
    kind, realm = _numbers(question, at)
    asked = question[_HEAD.size : at + 4]
    extended, version = _extended(question, at + 4, many=counts[3])
    if version > 0:
        code, found = _BAD_VERSION, b""
    elif realm != _INTERNET:
        code, found = _REFUSED, b""
    else:
        code, found = _found(name, kind, names, ipv6=ipv6)
    records = [b"\xc0\x0c" + struct.pack("!HHIH", kind, _INTERNET, LASTS, len(found)) + found] if found else []
    more = b"\0" + struct.pack("!HHIH", _OPT, _OURS_AT_ONCE, code >> 4 << 24, 0) if extended else b""
    head = _HEAD.pack(number, said | code & 0xF, 1, len(records), 0, 1 if extended else 0)
    return head + asked + b"".join(records) + more


def _found(name: str, kind: int, names: Names, *, ipv6: bool) -> tuple[int, bytes]:
    """The code, and the address where there is one. What has no type that we know has no record of it."""
    last = name.rpartition(".")[2]
    if last in _NEVER:
        return _NO_SUCH_NAME, b""
    if kind not in {_A, _AAAA} or not name or (kind == _AAAA and not ipv6):
        return _GOOD, b""
    if last == "localhost":
        return _GOOD, (IPv4Address("127.0.0.1") if kind == _A else IPv6Address("::1")).packed
    try:
        host = canonical_host(name)
    except ValueError:
        return _NO_SUCH_NAME, b""
    if is_address(host):
        return _NO_SUCH_NAME, b""
    return _GOOD, (names.address4(host) if kind == _A else names.address6(host)).packed


def _name(question: bytes) -> tuple[str, int]:
    """The name in lower case, and where it ends. What no host can have in its name is shown as `?`, and is no host's."""
    labels, at = [], _HEAD.size
    while size := _byte(question, at):
        if size > 63 or at + 1 + size > len(question):
            raise _MalformedError  # there is nothing before a question that it could point to
        label = question[at + 1 : at + 1 + size]
        labels.append("".join(chr(b) if 0x21 <= b <= 0x7E and b != 0x2E else "?" for b in label))
        at += 1 + size
        if at - _HEAD.size > 254:
            raise _MalformedError
    return ".".join(labels).lower(), at + 1


def _extended(question: bytes, at: int, *, many: int) -> tuple[bool, int]:
    """Whether it speaks EDNS, and which version of it (RFC 6891, section 6.1). After that nothing may come."""
    version = 0
    if many:
        if _byte(question, at) != 0 or len(question) < at + 11:
            raise _MalformedError
        kind, _, more, size = struct.unpack_from("!HHIH", question, at + 1)
        if kind != _OPT:
            raise _MalformedError
        version, at = more >> 16 & 0xFF, at + 11 + size
    if at != len(question):
        raise _MalformedError
    return bool(many), version


def _byte(question: bytes, at: int) -> int:
    if at >= len(question):
        raise _MalformedError
    return question[at]


def _numbers(question: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(question):
        raise _MalformedError
    kind, realm = struct.unpack_from("!HH", question, at)
    return kind, realm
