"""CBOR (RFC 8949) as AWS's RPC sends it, read strictly: what has two readings, or is not one whole value, is none."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from outgate.intake.bodies import JSON_DEPTH, JSON_THINGS, Undecodable, UndecodableError

if TYPE_CHECKING:
    from outgate.intake.bodies import JsonValue

_BAD: Final = "The body is not valid CBOR."
_BREAK: Final = 0xFF
_INDEFINITE: Final = 31
_SIMPLE: Final = {20: False, 21: True, 22: None, 23: None}
_FLOATS: Final = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}


def read(content: bytes) -> JsonValue | Undecodable:
    """Give the one value; bytes come as text where they are UTF-8, else as nothing. No body is no value: None."""
    if not content:
        return None
    reading = _Reading(content)
    try:
        value = reading.value(0)
    except (UndecodableError, IndexError, UnicodeDecodeError, struct.error, OverflowError) as error:
        return Undecodable(str(error) if isinstance(error, UndecodableError) else _BAD)
    return value if reading.at == len(content) else Undecodable("The body goes on after its CBOR.")


class _Reading:
    """Where in the bytes it is, and how many things may still come."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0
        self._left = JSON_THINGS

    def value(self, depth: int) -> JsonValue:
        self._left -= 1
        if depth > JSON_DEPTH or self._left < 0:
            raise UndecodableError("The CBOR is too deep or has too many things in it.")
        kind, size = self._head()
        match kind:
            case 0 | 1:
                return self._size(size) if kind == 0 else -1 - self._size(size)
            case 2 | 3:  # bytes stand for themselves where they are text
                return self._bytes(kind, size).decode("utf-8", "replace" if kind == 2 else "strict")
            case 4 | 5:
                return self._list(size, depth) if kind == 4 else self._map(size, depth)
            case 6:
                self._size(size)
                return self.value(depth + 1)
            case _:
                return self._simple(size)

    def _head(self) -> tuple[int, int]:
        first = self.content[self.at]
        self.at += 1
        return first >> 5, first & 31

    def _take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.content):
            raise UndecodableError(_BAD)
        taken, self.at = self.content[self.at : end], end
        return taken

    def _size(self, size: int) -> int:
        if size < 24:
            return size
        if size > 27:
            raise UndecodableError(_BAD)
        return int.from_bytes(self._take(1 << (size - 24)))

    def _bytes(self, kind: int, size: int) -> bytes:
        if size != _INDEFINITE:
            return self._take(self._size(size))
        pieces: list[bytes] = []
        while not self._ended():
            inner, length = self._head()
            if inner != kind or length == _INDEFINITE:
                raise UndecodableError(_BAD)
            pieces.append(self._take(self._size(length)))
        return b"".join(pieces)

    def _ended(self) -> bool:
        if self.content[self.at] != _BREAK:
            return False
        self.at += 1
        return True

    def _list(self, size: int, depth: int) -> JsonValue:
        if size != _INDEFINITE:
            return [self.value(depth + 1) for _ in range(min(self._size(size), JSON_THINGS + 1))]
        made: list[JsonValue] = []
        while not self._ended():
            made.append(self.value(depth + 1))
        return made

    def _map(self, size: int, depth: int) -> JsonValue:
        made: dict[str, JsonValue] = {}
        left = None if size == _INDEFINITE else self._size(size)
        while left != 0 and not (left is None and self._ended()):
            kind, length = self._head()
            name = self._bytes(kind, length).decode("utf-8") if kind == 3 else ""
            if kind != 3 or name in made:
                raise UndecodableError("The CBOR has a key twice, or one that is no text.")
            made[name] = self.value(depth + 1)
            left = None if left is None else left - 1
        return made

    def _simple(self, size: int) -> JsonValue:
        if size in _SIMPLE:
            return _SIMPLE[size]
        if size not in _FLOATS:
            raise UndecodableError(_BAD)
        form, length = _FLOATS[size]
        number: float = struct.unpack(form, self._take(length))[0]
        return number if math.isfinite(number) else None
