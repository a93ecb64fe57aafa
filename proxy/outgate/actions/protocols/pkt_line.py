"""pkt-lines, git's framing: four hexadecimal digits of length that count themselves, then content (gitprotocol-common)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FLUSH = b"0000"
_HEAD = 4
_IN_A_BAND = 60_000
"""Bytes; a line of side-band-64k has room for 65,515 besides the band's number."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One line, or the flush that ends a list of them."""

    content: bytes
    flush: bool = False


def packet(body: bytes, at: int) -> Packet | None:
    """Give the one that starts there; None for what is none, is empty, or is cut."""
    size = body[at : at + _HEAD]
    if not re.fullmatch(rb"[0-9a-fA-F]{4}", size):
        return None
    length = int(size, 16)
    if length == 0:
        return Packet(b"", flush=True)
    content = body[at + _HEAD : at + length]
    return Packet(content) if length > _HEAD and len(content) == length - _HEAD else None


def section(body: bytes) -> tuple[tuple[bytes, ...], bytes] | None:
    """Give the lines up to a flush, and what follows; None where no flush ends them."""
    lines: list[bytes] = []
    at = 0
    while found := packet(body, at):
        at += _HEAD + len(found.content)
        if found.flush:
            return tuple(lines), body[at:]
        lines.append(found.content)
    return None


def texts(body: bytes) -> Iterator[bytes]:
    """Give the lines without their line feeds, up to the first flush or to what is no line."""
    at = 0
    while (found := packet(body, at)) and not found.flush:
        yield found.content.rstrip(b"\n")
        at += _HEAD + len(found.content)


def line(content: bytes) -> bytes:
    """Frame one."""
    return b"%04x%s" % (len(content) + _HEAD, content)


def band(number: int, content: bytes) -> bytes:
    """Frame what is said in a band of side-band-64k, in as many lines as it takes (gitprotocol-pack, "Packfile Data")."""
    pieces = (content[at : at + _IN_A_BAND] for at in range(0, len(content), _IN_A_BAND))
    return b"".join(line(bytes((number,)) + piece) for piece in pieces)
