"""What a gate shows of itself and can be told by its operator: a few pages over HTTP/1.1, never a proxy's."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, Problem
from outgate.telemetry.metrics import CONTENT_TYPE
from outgate.telemetry.places import Endpoint, bound

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from outgate.digest import Json
    from outgate.ports import Alarm

_HEAD = 8192
_PATIENCE = 5.0
"""Seconds for a head to come, and for an answer to be taken."""
_DOING = 60.0
"""Seconds that reading everything again may take."""
_AT_ONCE = 32
_SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 4096
_OTHERS = 0o007
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_BROWSERS = frozenset({"origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"})
"""What only browsers send: no page has any business here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is behind the doors of a gate. `unready` says what is wrong; nothing where the gate is ready."""

    metrics: Callable[[], bytes]
    unready: Callable[[], Awaitable[Sequence[str]]]
    status: Callable[[], Awaitable[Json]]
    refresh: Callable[[], Awaitable[Json]]
    reload: Callable[[], Awaitable[Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What may be asked at one door.

    `token` is the SHA-256 of what is asked for; None where whoever can connect may. `everything`: not only how the gate is.
    """

    everything: bool
    token: bytes | None = field(default=None, repr=False)
    tcp: bool = False


class Door:
    """One place where a gate listens for its operator: bound first, so that its address is known, opened when all is there."""

    def __init__(self, place: Path | Endpoint, listening: socket.socket, rights: Rights, alarm: Alarm) -> None:
        """Take over what `bind` made."""
        self.place = place
        self._listening = listening
        self._rights = rights
        self._alarm = alarm
        self._inode = place.lstat().st_ino if isinstance(place, Path) else 0
        self._server: asyncio.Server | None = None

    @classmethod
    async def bind(cls, place: Path | Endpoint, what: str, rights: Rights, alarm: Alarm) -> Door:
        """Listen; nothing is answered yet. Raises UnavailableError where the place can't be had."""
        return cls(place, await bound(place, what), rights, alarm)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The TCP addresses that it listens on: where no request may be sent to."""
        return [] if isinstance(self.place, Path) else [self._listening.getsockname()[:2]]

    async def open(self, pages: Pages) -> None:
        """Answer from now on."""
        desk = _Desk(pages, self._rights, self._alarm)
        self._server = await asyncio.start_server(desk.serve, sock=self._listening, limit=_HEAD)

    def close(self) -> None:
        """Answer no more, and leave nothing behind."""
        if self._server is not None:
            self._server.close()
            self._server.close_clients()
        self._listening.close()
        if isinstance(self.place, Path):
            with suppress(OSError):  # gone, or its folder is
                if self.place.lstat().st_ino == self._inode:
                    self.place.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: str
    body: bytes
    kind: str = _TEXT
    more: str = ""

    def __bytes__(self) -> bytes:
        head = f"HTTP/1.1 {self.status}\r\nContent-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}Cache-Control: no-store\r\n{self.more}Connection: close\r\n\r\n".encode("ascii") + self.body


class _Desk:
    """Answers at one door. A peer that is slow, gone or wrong holds up nobody who comes by another."""

    def __init__(self, pages: Pages, rights: Rights, alarm: Alarm) -> None:
        self._routes = _routes(pages, everything=rights.everything)
        self._rights = rights
        self._alarm = alarm
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, closed."""
        try:
            async with asyncio.timeout(_PATIENCE), self._free:
                head = await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(_DOING):
                answer = await self._answered(head)
            async with asyncio.timeout(_PATIENCE):
                writer.write(bytes(answer))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # TimeoutError is an OSError
            writer.transport.abort()
        finally:
            writer.close()

    async def _answered(self, head: bytes) -> _Answer:
        asked = _read(head)
        if asked is None:
            return _Answer(status="400 Bad Request", body=b"not a request that is answered here\n")
        if (refused := _refused(asked, self._rights)) is not None:
            return refused
        page = self._routes.get((asked.method, asked.path))
        if page is None:
            return self._nothing(asked)
        try:
            return await page()
        except Exception as error:  # noqa: BLE001  # nothing is let out here: who asks is told that it failed, and people are
            self._alarm.raise_for(error, "answering the operator")
            return _Answer(status="500 Internal Server Error", body=b"failed; the log says why\n")

    def _nothing(self, asked: _Asked) -> _Answer:
        allowed = ", ".join(method for method, path in self._routes if path == asked.path)
        if allowed:
            more = f"Allow: {allowed}\r\n"
            return _Answer(status="405 Method Not Allowed", body=f"only {allowed}\n".encode(), more=more)
        known = ", ".join(f"{method} {path}" for method, path in self._routes)
        return _Answer(status="404 Not Found", body=f"{known}\n".encode())


def _routes(pages: Pages, *, everything: bool) -> Mapping[tuple[str, str], Callable[[], Awaitable[_Answer]]]:
    async def metrics() -> _Answer:
        return _Answer(status="200 OK", body=pages.metrics(), kind=CONTENT_TYPE)

    async def healthz() -> _Answer:
        return _Answer(status="200 OK", body=b"ok\n")

    async def readyz() -> _Answer:
        return _ready(await pages.unready())

    shown = {("GET", "/metrics"): metrics, ("GET", "/healthz"): healthz, ("GET", "/readyz"): readyz}
    told = {("GET", "/status"): pages.status, ("POST", "/refresh"): pages.refresh, ("POST", "/reload"): pages.reload}
    return {**shown, **({at: _as_json(page) for at, page in told.items()} if everything else {})}


def _as_json(page: Callable[[], Awaitable[Json]]) -> Callable[[], Awaitable[_Answer]]:
    async def answer() -> _Answer:
        return _Answer(status="200 OK", body=json.dumps(await page()).encode() + b"\n", kind=_JSON)

    return answer


def token_of(path: Path) -> bytes:
    """The SHA-256 of the token in a file that only its owner and group read. Raises ConfigError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            mode = os.fstat(fd).st_mode
            token = file.read(_LONGEST_TOKEN + 1).strip()
    except OSError as error:
        raise ConfigError(Problem(source=str(path), message=f"can't be read: {error.strerror or error}")) from error
    if mode & _OTHERS:
        raise ConfigError(Problem(source=str(path), message="others may read or write this token, run chmod o= on it"))
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN or not token.isascii() or any(byte <= 32 for byte in token):
        said = f"holds no token: one word of {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} ASCII characters, drawn at random"
        raise ConfigError(Problem(source=str(path), message=said))
    return hashlib.sha256(token).digest()


def _read(head: bytes) -> _Asked | None:
    """One request without a body, each header once; None for anything else."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"} or not words[1].startswith("/"):
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or name in headers:
            return None
        headers[name] = value.strip()
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return None
    return _Asked(method=words[0], path=words[1].partition("?")[0], headers=headers)


def _refused(asked: _Asked, rights: Rights) -> _Answer | None:
    """Why somebody who could connect is not answered.

    1. A browser sends what others don't; what a page on the web asks for is never answered.
    2. Without a token, the host that is asked for is this machine by number: a name may be anybody's, and lead here.
    3. The token, compared in constant time. Whether the gate is alive and ready is told without.
    """
    if not _BROWSERS.isdisjoint(asked.headers):
        return _Answer(status="403 Forbidden", body=b"not for browsers\n")
    if rights.tcp and rights.token is None and not _is_number(asked.headers.get("host")):
        return _Answer(status="403 Forbidden", body=b"ask by address, not by name\n")
    if rights.token is None or (asked.path in {"/healthz", "/readyz"} and asked.method == "GET"):
        return None
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    given = hashlib.sha256(token.strip().encode("latin-1")).digest()
    if scheme.lower() == "bearer" and hmac.compare_digest(given, rights.token):
        return None
    return _Answer(status="401 Unauthorized", body=b"the token, please\n", more="WWW-Authenticate: Bearer\r\n")


def _is_number(host: str | None) -> bool:
    """What was asked for, if anything, is an address or localhost."""
    if host is None:
        return True
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(name)
    except ValueError:
        return name.lower() == "localhost"
    return True


def _ready(wrong: Sequence[str]) -> _Answer:
    if not wrong:
        return _Answer(status="200 OK", body=b"ready\n")
    return _Answer(status="503 Service Unavailable", body="".join(f"not ready: {one}\n" for one in wrong).encode())
