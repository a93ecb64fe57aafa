"""A content coding undone as it comes in, piece by piece, and never more than a bound."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol

import brotli  # type: ignore[import-untyped]  # has no stubs
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE: Final = 1 << 16
_ZSTD_STEP: Final = 256
"""A run of four bytes gives 128 KiB at most (RFC 8878, section 3.1.1.2): one step gives no more than 8 MiB."""
_ZSTD_WINDOW: Final = 8 * 2**20
"""RFC 9659."""


class CodingError(ValueError):
    """What came is not in the coding that was named, or more than the bound once it is undone."""


class _Coding(Protocol):
    def undo(self, data: bytes) -> Iterator[bytes]: ...


class Undoing:
    """One body's coding. `encoding` is its Content-Encoding, empty where it has none. Raises CodingError for an unknown one."""

    __slots__ = ("_coding", "_left")

    def __init__(self, encoding: str, limit: int) -> None:
        self._coding = _coding(encoding.strip().lower())
        self._left = limit

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what these bytes decode to, in pieces. Raises CodingError; then there is nothing more to be had."""
        try:
            for piece in self._coding.undo(data):
                self._left -= len(piece)
                if self._left < 0:
                    raise CodingError("too large once decoded")
                if piece:
                    yield piece
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise CodingError("not valid in its coding") from error


def _coding(name: str) -> _Coding:
    match name:
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Inflated(31)
        case "deflate":
            return _Inflated(15)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            raise CodingError("a coding that is not read here")


class _Identity:
    def undo(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Inflated:
    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inflater = zlib.decompressobj(wbits)

    def undo(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflater.eof:  # another member follows
                self._inflater = zlib.decompressobj(self._wbits)
            yield self._inflater.decompress(data, _PIECE)
            while not self._inflater.eof and (piece := self._inflater.decompress(self._inflater.unconsumed_tail, _PIECE)):
                yield piece
            data = self._inflater.unused_data if self._inflater.eof else b""


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    def undo(self, data: bytes) -> Iterator[bytes]:
        if self._decoder.is_finished():
            raise CodingError("goes on after its end")
        yield self._decoder.process(data, output_buffer_limit=_PIECE)
        while not self._decoder.is_finished() and (piece := self._decoder.process(b"", output_buffer_limit=_PIECE)):
            yield piece


class _Zstd:
    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._context.decompressobj()

    def undo(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_STEP):
            rest = data[start : start + _ZSTD_STEP]
            while rest:
                if self._frame.eof:
                    self._frame = self._context.decompressobj()
                yield self._frame.decompress(rest)
                rest = self._frame.unused_data if self._frame.eof else b""
