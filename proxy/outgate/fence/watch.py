"""Attempts to go around the gate: seen on the route that leads nowhere, refused at once, and told with who made them."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.fence.packets import Seen, read_packet, refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator

MOST_TOLD = 1000
"""Different attempts; all are refused, and counted in `Watch.untold` after that. A port scan fills no memory."""
MOST_AT_ONCE = 64
TO_LO = ("lo", 0x0800, 0, 0, bytes(6))
"""IPv4, and the link address of `lo`: left out, the kernel fills in what was in memory, and drops the packet as not its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way that was tried around the gate. `process` and `pid` as far as they could be found; `name`: what DNS was asked."""

    process: str
    pid: int | None
    protocol: str
    address: str
    port: int | None
    name: str = ""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Reads the packet socket of a fence. `keeper`: a process in the fence's network namespace, as this process counts."""

    _socket: socket.socket
    _keeper: int
    untold: int = 0
    _told: set[Attempt] = field(default_factory=set)
    _places: set[Attempt] = field(default_factory=set)
    """The same without who: of a socket that is closed already, no news."""
    _repeated: set[tuple[str, int | None, object, int | None]] = field(default_factory=set)
    """Who they are was asked before: that takes long where somebody holds sockets by the thousand."""
    _untold: Seen | None = None
    """Who it is was being asked when nobody wanted to know any more."""

    async def attempts(self) -> AsyncIterator[Attempt]:
        """Each different attempt once, as it comes, without end. Attempts are refused only while this is iterated."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        while True:
            loop.add_reader(self._socket, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self._socket)  # or it would wake the loop again and again while names are looked for
            ready.clear()
            for seen in self._come():
                attempt = None
                if not self._is_repeated(seen) and not self._is_too_much():
                    self._untold = seen
                    # beside the loop: everything else goes on, whatever is sent here and by how many
                    found = await asyncio.to_thread(_found, self._keeper, seen)
                    self._untold = None
                    attempt = self._news(found)  # here: who stops listening meanwhile has not been told, and `read` tells it
                self._refuse(seen)
                if attempt:
                    yield attempt

    def read(self) -> list[Attempt]:
        """Refuse what has come, and give what is new of it. Doesn't wait."""
        left, self._untold = self._untold, None
        told = self._news(_found(self._keeper, left)) if left else None
        new = [told] if told else []
        for seen in self._come():
            silent = self._is_repeated(seen) or self._is_too_much()
            attempt = None if silent else self._news(_found(self._keeper, seen))
            self._refuse(seen)
            new += [attempt] if attempt else []
        return new

    def _come(self) -> Iterator[Seen]:
        for _ in range(MOST_AT_ONCE):
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                return
            seen = read_packet(packet)
            if seen is not None:
                yield seen

    def _is_repeated(self, seen: Seen) -> bool:
        key = (seen.protocol, seen.from_port, (seen.to, seen.name), seen.to_port)
        if key in self._repeated:
            return True
        if len(self._repeated) >= MOST_TOLD:
            self._repeated.clear()
        self._repeated.add(key)
        return False

    def close(self) -> None:
        """Stop seeing."""
        self._socket.close()

    def _is_too_much(self) -> bool:
        if len(self._told) < MOST_TOLD:
            return False
        self.untold += 1
        return True

    def _news(self, attempt: Attempt) -> Attempt | None:
        nobodys = replace(attempt, process="", pid=None)
        if attempt in self._told or (attempt.pid is None and nobodys in self._places):
            return None
        self._told.add(attempt)
        self._places.add(nobodys)
        return attempt

    def _refuse(self, seen: Seen) -> None:
        answer = refusal(seen)
        if answer:
            with suppress(OSError):  # a full queue: the sender waits for its own time-out instead
                self._socket.sendto(answer, TO_LO)


def _found(keeper: int, seen: Seen) -> Attempt:
    pid = _owner(keeper, seen)
    return Attempt(
        process=_program(pid) if pid else "",
        pid=pid,
        protocol=seen.protocol,
        address=str(seen.to),
        port=seen.to_port,
        name=seen.name,
    )


def _owner(keeper: int, seen: Seen) -> int | None:
    """Whose socket sent it: the kernel's tables of that network namespace, then the descriptors of its processes."""
    inode = next((found for table in _tables(seen) for found in _inodes(Path(f"/proc/{keeper}/net/{table}"), seen)), None)
    return _holder(keeper, f"socket:[{inode}]") if inode else None


def _tables(seen: Seen) -> tuple[str, ...]:
    # a socket for both IP versions stands in the table of the newer one
    return (seen.protocol, f"{seen.protocol}6") if seen.protocol in {"tcp", "udp"} else ()


def _inodes(table: Path, seen: Seen) -> list[str]:
    try:
        lines = table.read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == seen.from_port and row[9] != "0"]


def _holder(keeper: int, link: str) -> int | None:
    try:
        namespace = os.readlink(f"/proc/{keeper}/ns/net")  # noqa: PTH115  # not a path, only shaped like one
    except OSError:
        namespace = ""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal() and _holds(name, link, namespace):
            return int(name)
    return None


def _holds(name: str, link: str, namespace: str) -> bool:
    try:
        if namespace and os.readlink(f"/proc/{name}/ns/net") != namespace:  # noqa: PTH115
            return False
        return any(os.readlink(f"/proc/{name}/fd/{fd}") == link for fd in os.listdir(f"/proc/{name}/fd"))  # noqa: PTH115, PTH208
    except OSError:
        return False  # somebody else's, or gone


def _program(pid: int) -> str:
    """The name of what it runs, by its executable: a process can call itself anything."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name.removesuffix(" (deleted)")[:64]  # noqa: PTH115
    except OSError:
        return ""
