"""A look-alike WebSocket service (RFC 6455): it says back what it hears."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import TYPE_CHECKING

from clients.lookalikes import Answer

if TYPE_CHECKING:
    from typing import BinaryIO

    from clients.lookalikes import Ask

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = 8


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
        size = second & 127
        if size > 125:
            (size,) = struct.unpack("!H" if size == 126 else "!Q", heard.read(2 if size == 126 else 8))
        mask = heard.read(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(heard.read(size)))
        length = bytes((size,)) if size < 126 else b"\x7e" + struct.pack("!H", size)
        say.write(bytes((first,)) + length + data)
        say.flush()
        if first & 15 == _CLOSE:
            return
