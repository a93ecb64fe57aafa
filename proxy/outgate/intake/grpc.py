"""gRPC: a body of messages, each after five bytes that say how long it is ("gRPC over HTTP/2", Length-Prefixed-Message)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from outgate.intake.bodies import DECODED_LIMIT, Undecodable, decode
from outgate.intake.message import Message
from outgate.intake.pieces import Piece

if TYPE_CHECKING:
    from outgate.intake.request import Request

_KINDS: Final = ("application/grpc", "application/grpc-web")
_PREFIX: Final = 5
_PACKED: Final = 0x01
_TRAILERS: Final = 0x80
"""In gRPC-Web, what HTTP/2 has trailers for is a last message."""
_CODINGS: Final = frozenset({"gzip", "deflate"})
NO_FRAME: Final = "What was sent is not cut into messages as gRPC cuts them."
TOO_LARGE: Final = "A message is larger than this gate reads."
NO_END: Final = "The last message has no end."


def speaks(content_type: str) -> bool:
    """Whether a body of this type is cut into messages. gRPC-Web in base64 is not: it is a text, and read as one."""
    kind = content_type.partition(";")[0].strip().lower()
    return any(kind == known or kind.startswith(f"{known}+") for known in _KINDS)


def is_cut(request: Request) -> bool:
    """Whether a request's body is one: nothing else is done to it."""
    kinds = [value for name, value in request.headers if name == "content-type"]
    return len(kinds) == 1 and speaks(kinds[0]) and not any(name == "content-encoding" for name, _ in request.headers)


class Frames:
    """A Cutter of one direction of a call. `coding` is its `grpc-encoding`; `limit` what one message may have."""

    def __init__(self, coding: str, limit: int) -> None:
        self.broken = ""
        self._coding = coding.strip().lower()
        self._limit = limit
        self._prefix = b""
        self._left = 0
        self._kept = bytearray()
        self._whole = False

    @property
    def kept(self) -> int:
        return len(self._kept)

    def feed(self, data: bytes, *, whole: bool) -> list[bytes | Piece]:
        found: list[bytes | Piece] = []
        at = passed = 0
        while at < len(data) and not self.broken:
            if not self._prefix:
                if whole and passed < at:
                    found.append(data[passed:at])
                self._whole, passed = whole, at if whole else passed
            at = self._take(data, at, found)
            passed = at if self._whole else passed
        rest = data[passed:] if self.broken else data[passed:at]
        return [*found, rest] if rest and not (self.broken and whole) else found

    def _take(self, data: bytes, at: int, found: list[bytes | Piece]) -> int:
        """Take what there is of one message, from a place on. Gives up to where."""
        if len(self._prefix) < _PREFIX:
            taken = data[at : at + _PREFIX - len(self._prefix)]
            self._prefix += taken
            at += len(taken)
            self._begin()
        if len(self._prefix) < _PREFIX or self.broken:
            return at
        to = min(len(data), at + self._left)
        if self._whole:
            self._kept += data[at:to]
        self._left -= to - at
        if not self._left:
            self._finish(found)
        return to

    def _begin(self) -> None:
        if len(self._prefix) < _PREFIX:
            return
        self._left = int.from_bytes(self._prefix[1:])
        if self._prefix[0] & ~(_PACKED | _TRAILERS):
            self.broken = NO_FRAME
        elif self._whole and self._left > self._limit:
            self.broken = TOO_LARGE

    def _finish(self, found: list[bytes | Piece]) -> None:
        if self._whole:
            content = bytes(self._kept)
            found.append(Piece(self._prefix + content, content, bool(self._prefix[0] & _PACKED)))
            self._kept = bytearray()
        self._prefix = b""

    def end(self) -> Piece | None:
        if self._whole and self._prefix:
            self.broken = self.broken or NO_END
        return None

    def message(self, piece: Piece, *, sent: bool) -> Message:
        """One that is compressed is read where its coding is known and it is not too large then."""
        content, plain = piece.content, not piece.packed
        if piece.packed and self._coding in _CODINGS:
            decoded = decode(content, self._coding, limit=min(self._limit, DECODED_LIMIT))
            plain = not isinstance(decoded, Undecodable)
            content = content if isinstance(decoded, Undecodable) else decoded
        return Message(sent=sent, over="grpc", content=content, plain=plain)
