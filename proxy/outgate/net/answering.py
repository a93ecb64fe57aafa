"""Where programs ask for names: datagrams and streams on sockets that were made elsewhere, answered at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from outgate.net.questions import LONGEST, answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from outgate.net.names import Names

IDLE = 10.0
"""Seconds that a stream may ask nothing."""
MOST_STREAMS = 64


class Answering:
    """Answers until it is closed. Nothing is asked of anybody, and nothing is kept but the names."""

    def __init__(self, names: Names, *, ipv6: bool = True) -> None:
        self._names = names
        self._ipv6 = ipv6
        self._streams = 0
        self._closing: list[Callable[[], None]] = []

    async def serve(self, datagrams: socket.socket, streams: socket.socket) -> None:
        """Answer on these, which are closed with it."""
        datagrams.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._answer), sock=datagrams)
        self._closing.append(transport.close)
        server = await asyncio.start_server(self._stream, sock=streams, limit=LONGEST)
        self._closing.append(server.close)

    def close(self) -> None:
        """Answer nothing more."""
        for close in self._closing:
            close()
        self._closing.clear()

    def _answer(self, question: bytes) -> bytes | None:
        return answer(question, self._names, ipv6=self._ipv6)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One after the other, each with its length before it (RFC 1035, section 4.2.2)."""
        if self._streams >= MOST_STREAMS:
            writer.close()
            return
        self._streams += 1
        try:
            while said := await self._asked(reader):
                writer.write(len(said).to_bytes(2) + said)
                await writer.drain()
        except OSError:
            pass  # the program has left
        finally:
            self._streams -= 1
            writer.close()

    async def _asked(self, reader: asyncio.StreamReader) -> bytes | None:
        with suppress(asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(IDLE):
                size = int.from_bytes(await reader.readexactly(2))
                return self._answer(await reader.readexactly(size)) if size <= LONGEST else None
        return None


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answered: Callable[[bytes], bytes | None]) -> None:
        self._answered = answered
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        said = None if self._full else self._answered(data)  # who doesn't take answers gets none, and asks again
        if said is not None:
            self._transport.sendto(said, addr)
