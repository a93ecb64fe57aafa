"""Where a gate can be asked about itself: Unix sockets that only their owner opens, and TCP addresses."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, UnavailableError
from outgate.intake.destination import canonical_authority

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 64
_LONGEST = 107
"""Bytes of a socket's path (unix(7): sun_path)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A TCP address, by number or name."""

    host: str
    port: int

    @property
    def is_near(self) -> bool:
        """Only this machine reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place_of(text: str, what: str = "metrics") -> Path | Endpoint:
    """Read a place: a path with a `/` in it, `host:port`, or `:port` for this machine alone. Raises ConfigError."""
    if "/" in text:
        return Path(text).expanduser().absolute()
    try:
        host, port = canonical_authority(text if not text.startswith(":") else f"127.0.0.1{text}", 0)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no place for {what}: {error}", source=what) from error
    if not port:
        raise ConfigError(f"'{text}' is no place for {what}, write host:port or the path of a socket", source=what)
    return Endpoint(host=host, port=port)


async def bound(place: Path | Endpoint, what: str) -> socket.socket:
    """Listen there. Raises UnavailableError where the place can't be had; `what` says what for."""
    return unix_socket(place, what) if isinstance(place, Path) else await _tcp_socket(place, what)


def unix_socket(path: Path, what: str) -> socket.socket:
    """Listen on a path that is free, or that only a dead process still holds. Raises UnavailableError."""
    _free(path, what)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # from the first moment on, nobody else can connect
    try:
        _at(path, listening.bind)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise UnavailableError(f"can't serve {what} on {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    listening.setblocking(False)
    return listening


def is_served(path: Path) -> bool:
    """Whether somebody listens on a socket. Raises OSError where there is none, or it can't be reached."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            _at(path, probe.connect)
        except BlockingIOError:  # somebody does, and is busy
            return True
        except ConnectionRefusedError:
            return False
        return True


def connected(path: Path) -> socket.socket:
    """Connect to a Unix socket, however long its path is. Raises OSError."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _at(path, one.connect)
    except OSError:
        one.close()
        raise
    return one


def _at(path: Path, call: Callable[[str], None]) -> None:
    """Bind or connect by path; a path that is too long for a socket, through its folder (Linux)."""
    if len(os.fsencode(path)) <= _LONGEST:
        call(str(path))
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        call(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _free(path: Path, what: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = path.lstat().st_mode
        if not stat.S_ISSOCK(mode):
            raise UnavailableError(f"can't serve {what} on {path}: there is something else of that name, choose another")
        if is_served(path):
            raise UnavailableError(f"can't serve {what} on {path}: it is in use, choose another")
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnavailableError(f"can't serve {what} on {path}: {error.strerror or error}") from error


async def _tcp_socket(place: Endpoint, what: str) -> socket.socket:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnavailableError(f"can't serve {what} on {place}: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        said = "the port is in use, choose another" if error.errno == errno.EADDRINUSE else error.strerror
        raise UnavailableError(f"can't serve {what} on {place}: {said or error}") from error
    listening.setblocking(False)
    return listening
