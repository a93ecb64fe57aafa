"""A look-alike WebSocket service (RFC 6455): it says back what it hears."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from clients.lookalikes import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from clients.lookalikes import Ask

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = 8
_PING = 9


def service(ask: Ask) -> Answer:
    """Agree to the upgrade, then echo."""
    if ask.headers.get("upgrade", "").lower() != "websocket":
        return Answer(426)
    accept = base64.b64encode(hashlib.sha1(ask.headers["sec-websocket-key"].encode() + _GUID).digest()).decode()
    headers = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept))
    return Answer(101, headers=headers, body=b"", talk=_echo)


def _echo(heard: BinaryIO, say: BinaryIO) -> None:
    while True:
        first, second = heard.read(2)
        if first & 15 == _PING:
            first += 1  # a pong
        size = second & 127
        if size > 125:
            (size,) = struct.unpack("!H" if size == 126 else "!Q", heard.read(2 if size == 126 else 8))
        mask = heard.read(4)
        data = _unmasked(heard.read(size), mask)
        say.write(bytes((first,)) + _length(size) + data)
        say.flush()
        if first & 15 == _CLOSE:
            return


def _length(size: int) -> bytes:
    if size < 126:
        return bytes((size,))
    return b"\x7e" + struct.pack("!H", size) if size < 1 << 16 else b"\x7f" + struct.pack("!Q", size)


def _unmasked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    return (int.from_bytes(data) ^ int.from_bytes((mask * (size // 4 + 1))[:size])).to_bytes(size)


def says(ask: Ask, messages: Iterable[bytes], protocol: str) -> Answer:
    """Agree to the upgrade, say these binary messages unasked, and close."""

    def talk(_: BinaryIO, say: BinaryIO) -> None:
        say.writelines(b"\x82" + _length(len(data)) + data for data in messages)
        say.write(b"\x88\x02\x03\xe8")
        say.flush()

    return replace(service(ask), headers=(*service(ask).headers, ("Sec-WebSocket-Protocol", protocol)), talk=talk)
