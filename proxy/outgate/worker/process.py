"""One process that reads bodies, as the gate has it: started clean, given one thing to do at a time, ended when in doubt."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from outgate.errors import UnavailableError
from outgate.worker.frames import HEAD, LONGEST_ANSWER, Done, Failed, Learn, answered, packed

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from datetime import timedelta

    from outgate.actions.catalog import Catalog
    from outgate.worker.tasks import Found, Task

_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[2:]; from outgate.worker.child import main; main(int(sys.argv[1]))"


class Worker:
    """Does one task at a time. After an error it is of no use: `end` it."""

    def __init__(self, process: Process, link: socket.socket) -> None:
        self._process = process
        self._link = link
        self._catalog: Catalog | None = None

    @classmethod
    async def start(cls) -> Worker:
        """Start one: no environment, no file of ours but its socket, no folder of anybody's. Raises UnavailableError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        paths = [path for path in sys.path if Path(path).is_absolute()]
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _PROGRAM, str(os.getpid()), *paths),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise UnavailableError(f"no process can be started to read a body: {error.strerror or error}") from error
        finally:
            theirs.close()
        return cls(process, ours)

    @property
    def alive(self) -> bool:
        """Whether it is there, as far as anybody knows."""
        return self._process.returncode is None

    async def do(self, task: Task, catalog: Catalog | None, file: int | None, within: timedelta) -> Found:
        """Have it done. `file` is open on its spooled body. Raises UnavailableError where it is not done, or not in time."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                if catalog is not None and catalog is not self._catalog:
                    await self._send(packed(Learn(catalog)), None)
                    self._catalog = catalog
                await self._send(packed(task), file)
                said = answered(await self._frame())
        except TimeoutError as error:
            raise UnavailableError(f"a body was not read within {within.total_seconds():g} seconds") from error
        except (OSError, EOFError) as error:
            raise UnavailableError("the process that read a body ended in the middle of it") from error
        except (pickle.UnpicklingError, ValueError, TypeError, AttributeError) as error:
            raise UnavailableError("the process that read a body gave no answer that is one") from error
        match said:
            case Done(found):
                return found
            case Failed(why):
                raise UnavailableError(f"a body could not be read: {why}")

    async def end(self) -> None:
        """End it now, whatever it does."""
        self._link.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _send(self, frame: bytes, file: int | None) -> None:
        head = HEAD.pack(len(frame))
        if file is None:
            await asyncio.get_running_loop().sock_sendall(self._link, head)
        elif socket.send_fds(self._link, [head], [file]) != len(head):  # nothing waits in the socket: there is room
            raise EOFError
        await asyncio.get_running_loop().sock_sendall(self._link, frame)

    async def _frame(self) -> bytes:
        (size,) = HEAD.unpack(await self._receive(HEAD.size))
        if size > LONGEST_ANSWER:
            raise ValueError("too long")
        return await self._receive(size)

    async def _receive(self, size: int) -> bytes:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            came = await asyncio.get_running_loop().sock_recv_into(self._link, rest)
            if not came:
                raise EOFError
            rest = rest[came:]
        return bytes(data)
