"""Pieces: a body cut into the messages in it, as it comes: kept whole to be decided, or passed on as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from outgate.intake.message import Message


@dataclass(frozen=True, slots=True)
class Piece:
    """One message as it came. `packed`: its content is compressed."""

    raw: bytes = field(repr=False)
    content: bytes = field(repr=False)
    packed: bool = False


class Cutter(Protocol):
    """Cuts one body. Whether a message is kept whole is asked where it begins, so a body may be cut from any message on.

    `broken` says why no message can be told from the next any more; what comes then is passed on, or given as nothing where it
    was to be kept: who decides on messages ends it.
    """

    broken: str

    @property
    def kept(self) -> int:
        """Bytes of a message that is not whole yet."""
        ...

    def feed(self, data: bytes, *, whole: bool) -> list[bytes | Piece]:
        """Take what came. Give what may go on, in its order: messages that were kept, and bytes of those that were not."""
        ...

    def end(self) -> Piece | None:
        """Nothing more comes. Give what was kept of a message that has no end; or it is broken."""
        ...

    def message(self, piece: Piece, *, sent: bool) -> Message:
        """Read one. What is packed takes a while."""
        ...
