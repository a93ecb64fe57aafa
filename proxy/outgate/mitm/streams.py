"""What passes through: counted, hashed, and never an empty chunk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash


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
