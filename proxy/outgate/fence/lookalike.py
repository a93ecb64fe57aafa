"""Stands in for the gate while programs are looked at: ends every TLS, answers everything, sends nothing on."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

ANSWER = b"outgate doctor answered this; nothing was sent\n"
HEAD_LIMIT = 65536


@dataclass(slots=True, kw_only=True)
class Came:
    """How requests for one host came."""

    tunnels: int = 0
    distrusted: int = 0
    requests: list[str] = field(default_factory=list)
    """Method and target of each that could be read."""


@dataclass(slots=True, kw_only=True)
class LookAlike:
    """Everybody's server, by certificates that `context_for` a host makes."""

    context_for: Callable[[str], ssl.SSLContext]
    came: dict[str, Came] = field(default_factory=dict)

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Take what comes, until the server is closed."""
        return await asyncio.start_server(self._serve, sock=listener, limit=HEAD_LIMIT)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.LimitOverrunError):  # the client left, or sent what no client sends
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = _request_line(head)
            if method == "CONNECT":
                await self._tunnel(target.rpartition(":")[0].strip("[]"), reader, writer)
            else:
                await self._answer(target.split("/")[2].partition(":")[0] if "://" in target else target, head, writer)
        writer.close()

    async def _tunnel(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = self._came(host)
        came.tunnels += 1
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await writer.start_tls(self.context_for(host))
        except (ssl.SSLError, ConnectionError):
            came.distrusted += 1
            return
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (ssl.SSLError, EOFError, ConnectionError):
            came.distrusted += 1  # TLS 1.3: the client says no after our side is done
            return
        await self._answer(host, head, writer)

    async def _answer(self, host: str, head: bytes, writer: asyncio.StreamWriter) -> None:
        self._came(host).requests.append(" ".join(_request_line(head)))
        length = f"Content-Length: {len(ANSWER)}\r\n".encode()
        writer.write(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n" + length + b"\r\n" + ANSWER
        )
        await writer.drain()

    def _came(self, host: str) -> Came:
        return self.came.setdefault(host, Came())


def _request_line(head: bytes) -> tuple[str, str]:
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    return method, rest.rpartition(" ")[0]
