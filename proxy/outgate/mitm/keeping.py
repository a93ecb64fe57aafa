"""Keeping: bodies that are had whole before anything is decided, in memory while they are small, then in a file of ours."""

from __future__ import annotations

import hashlib
import os
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from outgate.disk import Disk, make_folder
from outgate.errors import UnavailableError
from outgate.intake.request import BODY_HEAD, NoBody, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from hashlib import _Hash
    from pathlib import Path

    from outgate.intake.request import Body
    from outgate.mitm.link import Link

IN_MEMORY: Final = 2**20
"""Bytes of one body that stay in memory; with more, all of it goes to a file."""
PIECE: Final = 256 * 1024
"""What is read of a file at once, to go on."""
EACH: Final = 256
"""Bytes that a message takes besides what it says: it may say nothing, and a million of them wait."""
NO_ROOM: Final = "So much is held for this agent that this can't be read any more. Send less at once."


@dataclass(slots=True, eq=False)
class Budget:
    """Bytes of bodies that all clients together may have us hold, and each agent of them."""

    left: int
    of_one: int
    _held: dict[str, int] = field(default_factory=dict)

    def take(self, agent: str, size: int) -> bool:
        """Charge an agent for more. False: nothing was charged, there is no room."""
        held = self._held.get(agent, 0) + size
        if size > self.left or held > self.of_one:
            return False
        self.left -= size
        self._held[agent] = held
        return True

    def give(self, agent: str, size: int) -> None:
        """Take a charge back."""
        self.left += size
        held = self._held.pop(agent, 0) - size
        if held:
            self._held[agent] = held


@dataclass(slots=True, eq=False, kw_only=True)
class Charged(ABC):
    """Something that holds what one agent, or its upstream, said: charged to the agent while it does."""

    link: Link
    room: Budget
    size: int = 0

    @property
    @abstractmethod
    def holds(self) -> int:
        """Bytes, now."""

    def charge(self) -> bool:
        """Have what it holds now charged to its agent. False: there is no room for that."""
        more = self.holds - self.size
        if more > 0 and not self.room.take(self.link.agent.id, more):
            return False
        if more < 0:
            self.room.give(self.link.agent.id, -more)
        self.size += more
        (self.link.kept.add if self.size else self.link.kept.discard)(self)
        return True

    def over(self) -> None:
        """It holds nothing any more."""
        if self.size:
            self.room.give(self.link.agent.id, self.size)
        self.size = 0
        self.link.kept.discard(self)
        self.forget()

    @abstractmethod
    def forget(self) -> None:
        """Let go of it."""


class Kept:
    """A file without a name: nobody else can open it, and nothing is left of it when we are gone. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        path = folder / secrets.token_hex(16)
        self.size = 0
        self._hash: _Hash = hashlib.sha256()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            path.unlink()
        except OSError:
            os.close(self._file)
            raise

    @property
    def body(self) -> SpooledBody:
        """All that was written."""
        return SpooledBody(f"/dev/fd/{self._file}", self.size, f"sha256:{self._hash.hexdigest()}")

    def write(self, data: bytes) -> None:
        """Add to its end. What fails is as if it had not been tried."""
        rest, at = memoryview(data), self.size
        while rest:
            written = os.pwrite(self._file, rest, at)
            rest, at = rest[written:], at + written
        self._hash.update(data)
        self.size = at

    def read(self, at: int, size: int) -> bytes:
        """Give what stands there."""
        return os.pread(self._file, min(size, self.size - at), at)

    def close(self) -> None:
        os.close(self._file)


def spool_folder(path: Path) -> Path:
    """Make the folder for such files, for its owner alone. Raises UnavailableError.

    What lies there was left by a gate that was ended while it made a file, and is empty.
    """
    try:
        make_folder(Disk(), path)
        path.chmod(0o700)
        for left in path.iterdir():
            left.unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(f"bodies can't be kept in {path}: {error.strerror or error}") from error
    return path


@dataclass(slots=True, eq=False, kw_only=True)
class Shelf:
    """Where bodies are kept, and how much of it there is. Without a folder all of it is memory."""

    memory: Budget
    disk: Budget
    folder: Path | None = None


@dataclass(slots=True, eq=False)
class Gathering:
    """A body that comes in and is kept whole, up to `limit` and within what the shelf has left for this agent.

    `size` is what was kept and charged. `lost`: it could not be kept, and that is our fault.
    """

    shelf: Shelf
    link: Link
    limit: int
    size: int = 0
    lost: bool = False
    _chunks: list[bytes] = field(default_factory=list)
    _file: Kept | None = None
    _sent: int = 0

    _agent: str = field(init=False)

    def __post_init__(self) -> None:
        self._agent = self.link.agent.id
        self.link.kept.add(self)

    @property
    def in_file(self) -> bool:
        """Whether it must go on piece by piece."""
        return self._file is not None

    def add(self, data: bytes) -> bool:
        """Keep a piece. False: it was kept, and it is one too many, so decide without the rest."""
        fits = self._file is not None or self.size + len(data) <= IN_MEMORY or self._spooled()
        self._chunks.append(data)
        if not fits or not self._budget.take(self._agent, len(data)):
            return False
        self.size += len(data)
        if self._file is not None:
            self._write(self._file)
        return not self.lost and self.size <= self.limit

    def whole(self) -> Body:
        """Everything came."""
        if self._file is not None:
            return self._file.body
        content = self._joined()
        return WholeBody(content) if content else NoBody()

    def cut(self, length: int | None) -> UnreadBody:
        """It can't be had whole: of `length` bytes, if that is known, these are the first."""
        first = self._file.read(0, BODY_HEAD) if self._file is not None else b""
        head = first if len(first) == BODY_HEAD else (first + self._joined())[:BODY_HEAD]
        return UnreadBody(length=length, too_large=not self.lost, lost=self.lost, head=head)

    def next(self) -> bytes:
        """Give the next piece of what was kept; nothing when all of it was given. It stays charged: see `over`.

        Raises OSError.
        """
        if self._file is not None and self._sent < self._file.size:
            piece = self._file.read(self._sent, PIECE)
            self._sent += len(piece)
            return piece
        content = self._joined()
        self._chunks.clear()
        return content

    def over(self) -> None:
        """Nothing is held any more."""
        self._chunks.clear()
        self._budget.give(self._agent, self.size)
        self.size = 0
        if self._file is not None:
            self._file.close()
            self._file = None
        self.link.kept.discard(self)

    @property
    def _budget(self) -> Budget:
        return self.shelf.memory if self._file is None else self.shelf.disk

    def _spooled(self) -> bool:
        """Have it in a file from here on, with what is in memory. False: that can't be, and it stays where it is."""
        folder, agent = self.shelf.folder, self._agent
        if folder is None:
            return True
        if not self.shelf.disk.take(agent, self.size):
            return False
        try:
            self._file = Kept(folder)
        except OSError:
            self.lost = True
            self.shelf.disk.give(agent, self.size)
            return False
        self.shelf.memory.give(agent, self.size)
        self._write(self._file)
        return not self.lost

    def _write(self, file: Kept) -> None:
        """What can't be written stays in memory: it is one piece, or as much as was in memory before."""
        content = self._joined()
        try:
            file.write(content)
        except OSError:
            self.lost = True
        else:
            self._chunks.clear()

    def _joined(self) -> bytes:
        if len(self._chunks) != 1:
            self._chunks[:] = [b"".join(self._chunks)]
        return self._chunks[0]
