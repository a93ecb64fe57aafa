"""Journal and ledger in memory: the same contract, gone with the process. For tests, `explain` and the policy's cases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.keys.ed25519 import SigningKey
from outgate.ports import Stamp
from outgate.receipts.chain import Chain, Receipt, parse
from outgate.receipts.checkpoint import Checkpoint, line_of, origin_of, sign
from outgate.receipts.merkle import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from outgate.digest import Json


class MemoryJournal:
    """Keeps receipts and the checkpoint after each. It proves nothing to others; it is signed so that the same checks run."""

    def __init__(self, *, writer: str = "memory", key: SigningKey | None = None) -> None:
        self.writer = writer
        self.key = key or SigningKey.from_seed(bytes(32))
        self.lines: list[bytes] = []
        """The log as a file would have it: receipts and checkpoints, a line each."""
        self._chain = Chain(writer)
        self._tree = Tree()
        self._failed: str | None = None

    @property
    def receipts(self) -> Sequence[Receipt]:
        """What was written, oldest first."""
        return [parse(line[:-1]) for line in self.lines[::2]]

    def append(self, body: dict[str, Json]) -> asyncio.Future[Stamp]:
        if self._failed is not None:
            raise UnavailableError(self._failed)
        seq, line = self._chain.seal(body)
        self._tree.add(line)
        checkpoint = Checkpoint(origin=origin_of(self.key.public, self.writer), size=seq + 1, root=self._tree.root())
        self.lines += [line + b"\n", line_of(sign(checkpoint, self.key)) + b"\n"]
        done: asyncio.Future[Stamp] = asyncio.get_running_loop().create_future()
        done.set_result(Stamp(writer=self.writer, seq=seq))
        return done

    async def close(self) -> None:
        """Refuse all that follows."""
        self.fail("the log is closed")

    def fail(self, why: str) -> None:
        """Behave as a log whose disk failed: from now on every call raises."""
        self._failed = why


class MemoryLedger:
    """Remembers while the process lives."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}
        self._failed: str | None = None

    async def first_seen(self, agent: str, now: datetime) -> datetime:
        if self._failed is not None:
            raise UnavailableError(self._failed)
        return self._seen.setdefault(agent, now)

    def fail(self, why: str) -> None:
        """Behave as a store that is lost: from now on every call raises."""
        self._failed = why
