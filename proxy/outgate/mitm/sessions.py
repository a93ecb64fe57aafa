"""TLS sessions with upstreams: kept for the one agent that made them, for the very same way and trust, each used once."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from OpenSSL import SSL

    from outgate.mitm.enforce import Way

LIFE: Final = 3600.0
"""Seconds. Whoever is connected to after that proves its name again, also where its tickets would be good for days."""
EACH: Final = 8
"""So many for one key: what one agent has open at once."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a certificate was verified with, and what we showed: files, as they were when they were read."""

    ca: str
    ca_as_of: tuple[int, int, int]
    client_cert: str | None
    client_cert_as_of: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Resumable:
    """Whose session it is. A resumed handshake proves nothing anew, so all that was proven and decided is in here."""

    agent: str
    name: str
    way: Way
    trusted: Trusted
    offers: tuple[bytes, ...]


class Sessions:
    """The latest, of each key. Used once, as RFC 8446, C.4 has it: whoever watches the line can't tell that two are one's."""

    def __init__(self, *, cap: int = 1024, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cap = cap
        self._monotonic = monotonic
        self._kept: OrderedDict[Resumable, deque[tuple[float, SSL.Session]]] = OrderedDict()

    def take(self, key: Resumable) -> SSL.Session | None:
        """Give the latest that is still good, to whom it belongs, and forget it."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        at, session = kept.pop()
        if not kept or self._monotonic() - at > LIFE:  # the others are older
            del self._kept[key]
        return session if self._monotonic() - at <= LIFE else None

    def keep(self, key: Resumable, session: SSL.Session) -> None:
        """Have it for the next connection; what has been there unused for longest makes room."""
        self._kept.setdefault(key, deque(maxlen=EACH)).append((self._monotonic(), session))
        self._kept.move_to_end(key)
        if len(self._kept) > self._cap:
            self._kept.popitem(last=False)
