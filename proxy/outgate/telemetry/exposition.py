"""Serve the metrics: on a Unix socket that only its owner opens, or where the operator says; nowhere unless asked."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, UnavailableError
from outgate.intake.destination import canonical_authority
from outgate.telemetry.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from outgate.telemetry.metrics import Metrics

_HEAD = 8192
_PATIENCE = 5.0
_AT_ONCE = 32
_LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A TCP address, by number or name."""

    host: str
    port: int


def place_of(text: str) -> Path | Endpoint:
    """Read what `--metrics` says: a path with a `/` in it, `host:port`, or `:port` for this machine alone. Raises ConfigError."""
    if "/" in text:
        return Path(text).expanduser().absolute()
    try:
        host, port = canonical_authority(text if not text.startswith(":") else f"127.0.0.1{text}", 0)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no place for metrics: {error}", source="metrics") from error
    if not port:
        raise ConfigError(f"'{text}' is no place for metrics, write host:port or the path of a socket", source="metrics")
    return Endpoint(host=host, port=port)


@asynccontextmanager
async def exposed(place: Path | Endpoint, metrics: Metrics, ready: Callable[[], bool]) -> AsyncIterator[list[tuple[str, int]]]:
    """Serve GET /metrics, /healthz and /readyz until the block ends; give the TCP addresses listened on, if any.

    Raises UnavailableError where the place can't be had.
    """
    page = _Page(metrics, ready)
    listening = _unix_socket(place) if isinstance(place, Path) else await _tcp_socket(place)
    server = await asyncio.start_server(page.serve, sock=listening, limit=_HEAD)
    try:
        yield [] if isinstance(place, Path) else [bound.getsockname()[:2] for bound in server.sockets]
    finally:
        server.close()
        server.close_clients()
        _leave(place)


class _Page:
    def __init__(self, metrics: Metrics, ready: Callable[[], bool]) -> None:
        self._metrics = metrics
        self._ready = ready
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, closed. A peer that is slow, gone or wrong gets nothing."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE), self._free:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head.partition(b"\r\n")[0]))
                await writer.drain()
        writer.close()

    def _answer(self, line: bytes) -> bytes:
        match line.split(b" "):
            case [b"GET", target, b"HTTP/1.1" | b"HTTP/1.0"]:
                return self._page(target.partition(b"?")[0])
            case _:
                return _response("405 Method Not Allowed", b"only GET\n")

    def _page(self, path: bytes) -> bytes:
        match path:
            case b"/metrics":
                return _response("200 OK", self._metrics.text(), CONTENT_TYPE)
            case b"/healthz":
                return _response("200 OK", b"ok\n")
            case b"/readyz" if self._ready():
                return _response("200 OK", b"ready\n")
            case b"/readyz":
                return _response("503 Service Unavailable", b"not ready\n")
            case _:
                return _response("404 Not Found", b"/metrics, /healthz, /readyz\n")


def _response(status: str, body: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + body


def _unix_socket(path: Path) -> socket.socket:
    """Listen on a path that is free, or that only a dead process still holds."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise UnavailableError(f"can't serve metrics on {path}: a socket's path has at most {_LONGEST_SOCKET_PATH} bytes")
    _free(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # from the first moment on, nobody else can connect
    try:
        listening.bind(str(path))
        listening.listen(_AT_ONCE)
    except OSError as error:
        listening.close()
        raise UnavailableError(f"can't serve metrics on {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    return listening


def _free(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnavailableError(f"can't serve metrics on {path}: {error.strerror or error}") from error
    if not stat.S_ISSOCK(mode):
        raise UnavailableError(f"can't serve metrics on {path}: there is something else of that name, choose another")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise UnavailableError(f"can't serve metrics on {path}: it is in use, choose another")
    path.unlink(missing_ok=True)


def _leave(place: Path | Endpoint) -> None:
    if isinstance(place, Path):
        place.unlink(missing_ok=True)


async def _tcp_socket(place: Endpoint) -> socket.socket:
    where = f"{place.host}:{place.port}"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnavailableError(f"can't serve metrics on {where}: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_AT_ONCE)
    except OSError as error:
        listening.close()
        said = "the port is in use, choose another" if error.errno == errno.EADDRINUSE else error.strerror
        raise UnavailableError(f"can't serve metrics on {where}: {said or error}") from error
    return listening
