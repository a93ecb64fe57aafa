"""What passes through: counted, hashed, and never an empty chunk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

    from outgate.mitm.link import Link


class Upload:
    """The request body as it goes out. An empty chunk would end a chunked request early: there is none."""

    __slots__ = ("_hash", "count")

    def __init__(self) -> None:
        self.count = 0
        self._hash: _Hash | None = None

    def __call__(self, data: bytes) -> list[bytes]:
        """Take what may go on. Give the chunks to send, now, in order."""
        if not data:
            return []
        if self._hash is None:
            self._hash = hashlib.sha256()
        self._hash.update(data)
        self.count += len(data)
        return [data]

    @property
    def digest(self) -> str:
        """SHA-256 of what was sent; empty if nothing was."""
        return f"sha256:{self._hash.hexdigest()}" if self._hash else ""


class Download:
    """The response body as it comes in, each chunk passed on at once."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, data: bytes) -> list[bytes]:
        """Take what came. Give the chunks to pass on, now, in order."""
        self.count += len(data)
        return [data] if data else []


@dataclass(slots=True, eq=False)
class Budget:
    """Bytes of request bodies that all connections together may have us hold."""

    left: int

    def take(self, link: Link, size: int) -> bool:
        """Charge a client for more. False: nothing was charged, there is no room."""
        if size > self.left:
            return False
        self.left -= size
        link.gathered += size
        return True

    def give(self, link: Link, size: int) -> None:
        """Take a charge back, as far as it still stands: when a client goes, all that it was charged is taken back."""
        size = min(size, link.gathered)
        self.left += size
        link.gathered -= size


@dataclass(slots=True, eq=False)
class Gathering:
    """A body that is read whole before anything is decided: up to `limit`, and no more than `budget` has left."""

    budget: Budget
    link: Link
    limit: int
    size: int = 0
    _chunks: list[bytes] = field(default_factory=list)

    def add(self, data: bytes) -> bool:
        """Keep a chunk. False: it was kept, and it is one too many, so decide without the rest."""
        self._chunks.append(data)
        if not self.budget.take(self.link, len(data)):
            return False
        self.size += len(data)
        return self.size <= self.limit

    def content(self) -> bytes:
        """Everything so far. It stays charged while it waits to go on: see `over`."""
        content = b"".join(self._chunks)
        self._chunks.clear()
        return content

    def over(self) -> None:
        """Nothing is held any more."""
        self._chunks.clear()
        self.budget.give(self.link, self.size)
        self.size = 0
