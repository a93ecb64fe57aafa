"""Server-sent events: a text of events with a blank line after each (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

import re
from typing import Final

from outgate.intake.message import Message
from outgate.intake.pieces import Piece

_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
"""An end of a line, and a line with nothing in it."""
_ENDS: Final = re.compile(_END.pattern + rb"\Z")
_LONGEST_END: Final = 4
TOO_LARGE: Final = "An event is larger than this gate reads."


def speaks(content_type: str) -> bool:
    """Whether a body of this type is events."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


class Events:
    """A Cutter of one answer. `limit` is what one event may have."""

    def __init__(self, limit: int) -> None:
        self.broken = ""
        self._limit = limit
        self._whole = False
        self._kept = bytearray()
        self._seen = 0
        """Up to where in it there is no end, nor the beginning of one."""
        self._half = False
        """Whether the last event ended with a CR, to which a LF that comes next belongs."""
        self._tail = b""
        """Of what was passed on: enough to tell whether an event ended with it."""

    @property
    def kept(self) -> int:
        return len(self._kept)

    def feed(self, data: bytes, *, whole: bool) -> list[bytes | Piece]:
        if self.broken:
            return [] if whole else [data]
        found: list[bytes | Piece] = []
        if not self._whole and whole:
            data = self._pass_what_began(data, found)
        if not self._whole:
            self._tail = (self._tail + data)[-_LONGEST_END:]
            return [*found, data] if data else found
        self._cut(data, found)
        if not whole and not self._kept:
            self._whole, self._tail = False, b""
        return found

    def _pass_what_began(self, data: bytes, found: list[bytes | Piece]) -> bytes:
        """What began before is passed on to its end; from there on events are kept. Gives what is to be kept."""
        before = self._tail
        if before and _ENDS.search(before) is None:
            end = next((m.end() - len(before) for m in _END.finditer(before + data) if m.end() > len(before)), None)
            if end is None:
                return data
            found.append(data[:end])
            data = data[end:]
        self._whole = True
        return data

    def _cut(self, data: bytes, found: list[bytes | Piece]) -> None:
        if self._half and data:
            self._half = False
            if data.startswith(b"\n"):
                found.append(b"\n")
                data = data[1:]
        self._kept += data  # in its place: an event may come byte by byte
        if (end := _END.search(self._kept, self._seen)) is not None:
            self._take(bytes(self._kept), end, found)
        self._seen = max(0, len(self._kept) - _LONGEST_END)
        if len(self._kept) > self._limit:
            self.broken = TOO_LARGE

    def _take(self, text: bytes, end: re.Match[bytes] | None, found: list[bytes | Piece]) -> None:
        """Take the events that are whole, from the end of the first one on."""
        at = 0
        while end is not None:
            found.append(Piece(text[at : end.end()], text[at : end.start()]))
            at = end.end()
            end = _END.search(text, at)
        self._half = at == len(text) and text.endswith(b"\r")
        self._kept = bytearray(text[at:])

    def end(self) -> Piece | None:
        """What has no blank line after it is no event, but who reads loosely takes it for one."""
        kept, self._kept = bytes(self._kept), bytearray()
        return Piece(kept, kept) if kept else None

    def message(self, piece: Piece, *, sent: bool) -> Message:
        return Message(sent=sent, over="sse", text=True, content=piece.content)
