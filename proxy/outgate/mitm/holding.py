"""An answer that is held back, whole and within bounds, until the gate has read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.intake.request import UnreadBody
from outgate.mitm.translate import declared_length

if TYPE_CHECKING:
    from mitmproxy import http

    from outgate.intake.request import Body
    from outgate.mitm.keeping import Gathering

_ENDLESS = ("text/event-stream", "multipart/x-mixed-replace", "application/grpc")
"""These may go on for hours: nobody waits for their end."""


@dataclass(slots=True, eq=False)
class Held:
    """An answer of which the client got nothing yet. `ended`: there is no body."""

    response: http.Response
    ended: bool
    gathering: Gathering
    trailers: list[http.Headers] = field(default_factory=list)

    @property
    def hopeless(self) -> bool:
        """Whether its head says already that it can't be had whole."""
        if self.ended or self.response.status_code == 101:
            return self.response.status_code == 101
        length = declared_length(self.response.headers.fields)
        kind = self.response.headers.get("content-type", "").strip().lower()
        return (length or 0) > self.gathering.limit or kind.startswith(_ENDLESS)

    def add(self, data: bytes) -> bool:
        """Keep a piece. False: it was kept, and it is one too many."""
        return self.gathering.add(data)

    def whole(self) -> Body:
        """Everything came."""
        return self.gathering.whole()

    def cut_short(self) -> Body:
        """It can't be had whole."""
        return UnreadBody(too_large=not self.gathering.lost, lost=self.gathering.lost)
