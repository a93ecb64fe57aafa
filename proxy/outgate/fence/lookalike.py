"""Stands in for the gate while programs are looked at: ends every TLS, answers everything, sends nothing on."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

TLS_PORT = 443
"""What is turned there is expected to begin TLS, elsewhere HTTP."""

ANSWER = b"outgate doctor answered this; nothing was sent\n"
HEAD_LIMIT = 65536


@dataclass(slots=True, kw_only=True)
class Came:
    """How requests for one host came."""

    tunnels: int = 0
    turned: int = 0
    """Connections that were not addressed to the gate, and named this host."""
    distrusted: int = 0
    requests: list[str] = field(default_factory=list)
    """Method and target of each that could be read."""


class Answers(Protocol):
    """Who answers questions for names."""

    async def serve(self, datagrams: socket.socket, streams: socket.socket) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class LookAlike:
    """Everybody's server, by certificates that `context_for` a host makes."""

    context_for: Callable[[str], ssl.SSLContext]
    came: dict[str, Came] = field(default_factory=dict)
    names: Answers | None = None
    nameless: list[str] = field(default_factory=list)
    """Where connections were going that named nobody."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Take what comes, until the server is closed."""
        return await asyncio.start_server(self._serve, sock=listener, limit=HEAD_LIMIT)

    async def serve_turned(self, listeners: Iterable[socket.socket], asked: tuple[socket.socket, ...]) -> None:
        """Take what is turned to us, and questions for names, until `close`."""
        for listener in listeners:
            listener.setblocking(False)
            self._keep(asyncio.create_task(self._accept(listener)))
        if asked and self.names:
            await self.names.serve(*asked)

    def close(self) -> None:
        """Take nothing more."""
        for task in self._tasks:
            task.cancel()
        if self.names:
            self.names.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                self._keep(asyncio.create_task(self._turned(sock)))

    async def _turned(self, sock: socket.socket) -> None:
        """One connection, from the start: who it is for is what TLS says first, or Host."""
        address, port = sock.getsockname()[:2]
        named: list[str] = []
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(HEAD_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        with suppress(OSError, EOFError, asyncio.LimitOverrunError):
            context = self._named_context(named) if port == TLS_PORT else None
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            try:
                await self._answer_turned(named, reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()
        if not named:
            self.nameless.append(f"{address}:{port}")
        elif not self.came[named[0]].requests:
            self.came[named[0]].distrusted += 1

    async def _answer_turned(self, named: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not named and (host := _host(head)):
            self._came(host).turned += 1
            named.append(host)
        if named:
            await self._answer(named[0], head, writer)

    def _named_context(self, named: list[str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def begin(tls: ssl.SSLObject, host: str | None, _: ssl.SSLContext) -> int | None:
            if host is None:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            named.append(host)
            self._came(host).turned += 1
            tls.context = self.context_for(host)
            return None

        context.sni_callback = begin
        return context

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


def _host(head: bytes) -> str:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip().decode("latin-1") for name, _, value in lines if name.lower() == b"host"), "")


def _request_line(head: bytes) -> tuple[str, str]:
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    return method, rest.rpartition(" ")[0]
