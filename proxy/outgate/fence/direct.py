"""`--direct PORT`: what the command sends to its own loopback, taken to this host's."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

CHUNK = 65536


async def relay(listener: socket.socket, port: int) -> asyncio.Server:
    """Serve a listener of the fence: each connection goes on to 127.0.0.1:port (else ::1) of this host, bytes untouched."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await _connect(port)
        if there is None:
            writer.transport.abort()  # as a closed port would
            return
        async with asyncio.TaskGroup() as both:
            both.create_task(_pour(reader, there[1]))
            both.create_task(_pour(there[0], writer))

    return await asyncio.start_server(serve, sock=listener)


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    for host in ("127.0.0.1", "::1"):
        with suppress(OSError):
            return await asyncio.open_connection(host, port)
    return None


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """One direction, until it ends; then the other end is told, and may still answer."""
    with suppress(ConnectionError):  # one side hung up: the other is closed below
        while chunk := await source.read(CHUNK):
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
            return
    target.close()
