"""Connections that are closed while something still waits to be written: they stay for as long as some of it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final

from outgate.mitm.pace import Pace, over

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

_LOOK: Final = 0.25


class Parting:
    """Those of one client. A transport that is closed waits without end for a peer that reads nothing: these do not."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._writers: set[asyncio.StreamWriter] = set()

    def close(self, writer: asyncio.StreamWriter) -> bool:
        """Close one. True: something waits, and it must be seen off."""
        with contextlib.suppress(OSError):
            writer.close()
        if writer in self._writers or not writer.transport.get_write_buffer_size():
            return False
        self._writers.add(writer)
        return True

    async def see_off(self, writer: asyncio.StreamWriter, patience: timedelta) -> None:
        """Wait until all of it was taken, or, for so long, nothing."""
        pace, transport = Pace(), writer.transport
        while left := transport.get_write_buffer_size():
            if over(pace.still(left, self._monotonic()), patience):
                transport.abort()
                break
            await asyncio.sleep(_LOOK)
        self._writers.discard(writer)

    def abort(self) -> None:
        """Wait for none of them."""
        for writer in self._writers:
            writer.transport.abort()


def take_back(writer: asyncio.StreamWriter) -> None:
    """Have the socket's end be a reset (SO_LINGER, zero seconds): what waits in it is thrown away."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
        with contextlib.suppress(OSError):  # it is closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
