"""The server name of a ClientHello, read before TLS begins: where nobody opened a tunnel, nothing else says where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outgate.intake.destination import canonical_host, is_address

LONGEST: Final = 16 * 1024
"""Bytes of a ClientHello with its record headers. With post-quantum keys they are under 3 KiB."""
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0
_HEADER: Final = 5
_RANDOM: Final = 2 + 32
"""The version that stands there for old servers, and the client's random bytes."""


@dataclass(frozen=True, slots=True)
class Wants:
    """Not all of it is there: so many bytes there must be, at least, before it can be read on."""

    size: int


@dataclass(frozen=True, slots=True)
class Unnamed:
    """It names no host that could be decided on. `why` is for the record."""

    why: str


class _MalformedError(Exception):
    pass


class Hello:
    """A ClientHello while it comes in. What was read of it is not read again: it may come byte by byte, a record each."""

    def __init__(self) -> None:
        self._at = 0
        self._message = bytearray()

    def server_name(self, data: bytes | bytearray) -> str | Unnamed | Wants:
        """Read which host TLS is started for, as a canonical name (RFC 8446, section 4.1.2; RFC 6066, section 3). Never raises.

        `data` is all that came so far. OpenSSL reads the same bytes again; where it reads another name than this, the request
        is refused.
        """
        try:
            wants = self._wants(data)
            if wants:
                return Wants(wants) if wants <= LONGEST else Unnamed("client hello too long")
            length = int.from_bytes(self._message[1:4])
            return _canonical(_name(_extensions(bytes(self._message[4 : 4 + length]))))
        except _MalformedError:
            return Unnamed("malformed client hello")

    @property
    def ends_its_record(self) -> bool:
        """Whether nothing more stands in the record in which the message ends. Only once it is whole."""
        return len(self._message) == 4 + int.from_bytes(self._message[1:4])

    def _wants(self, data: bytes | bytearray) -> int:
        """Take the records that are whole (RFC 8446, section 5.1). 0: they have the whole message."""
        while not self._is_whole():
            begin = self._at + _HEADER
            if len(data) < begin:
                return begin
            size = int.from_bytes(data[begin - 2 : begin])
            if data[self._at] != _HANDSHAKE or data[self._at + 1] != 3 or size == 0:
                raise _MalformedError
            if len(data) < begin + size:
                return begin + size
            self._message += data[begin : begin + size]
            self._at = begin + size
            if self._message[0] != _CLIENT_HELLO:
                raise _MalformedError
        return 0

    def _is_whole(self) -> bool:
        return len(self._message) >= 4 and len(self._message) >= 4 + int.from_bytes(self._message[1:4])


def _extensions(hello: bytes) -> bytes:
    at = _RANDOM
    for width in (1, 2, 1):  # the session's id, the ciphers, the compressions
        _, at = _vector(hello, at, width)
    if at == len(hello):
        return b""  # TLS 1.2 without extensions
    extensions, at = _vector(hello, at, 2)
    if at != len(hello):
        raise _MalformedError
    return extensions


def _name(extensions: bytes) -> bytes | None:
    at, seen, found = 0, set[int](), None
    while at < len(extensions):
        if at + 2 > len(extensions):
            raise _MalformedError
        kind = int.from_bytes(extensions[at : at + 2])
        content, at = _vector(extensions, at + 2, 2)
        if kind in seen:
            raise _MalformedError
        seen.add(kind)
        if kind == _SERVER_NAME:
            found = _only_name(content)
    return found


def _only_name(content: bytes) -> bytes:
    names, end = _vector(content, 0, 2)
    if end != len(content) or not names or names[0] != _HOST_NAME:
        raise _MalformedError
    name, end = _vector(names, 1, 2)
    if end != len(names):
        raise _MalformedError  # a second one: which of them counts, every server answers for itself
    return name


def _vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """What stands there after its own length, and where it ends."""
    begin = at + width
    end = begin + int.from_bytes(data[at:begin])
    if begin > len(data) or end > len(data):
        raise _MalformedError
    return data[begin:end], end


def _canonical(name: bytes | None) -> str | Unnamed:
    if name is None:
        return Unnamed("no server name")
    try:
        host = canonical_host(name.decode("latin-1"))
    except ValueError:
        return Unnamed("malformed server name")
    return Unnamed("an address as server name") if is_address(host) else host
