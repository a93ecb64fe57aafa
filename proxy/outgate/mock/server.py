"""The built-in mock's port: HTTP/1.1 on loopback, in a thread of its own, for the gate alone."""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote

import h11

from outgate.inspect.provenance import AGENT, MOCKED
from outgate.mock.exchange import Answer, Asked, in_json

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Callable, Iterator
    from datetime import datetime

    from outgate.mock.answers import Answers
    from outgate.mock.openapi import Document

ADDRESS = "127.0.0.1"
KEY, SERVICE, DOCUMENT = "outgate-mock-key", "outgate-mock-service", "outgate-mock-document"
"""Headers of the gate's, which never come from outside: who asks, for which service, and what describes it."""

BODY_LIMIT = 8 * 2**20
"""Bytes of one body that are kept. The rest is read and forgotten, so that the client gets its answer."""
HELD_LIMIT, AGENT_LIMIT = 256 * 2**20, 32 * 2**20
"""Bytes of all bodies and answers that are held at a time, and of one agent's: nobody takes the sandbox from the others."""
_CONNECTIONS = 4096
_IDLE, _SLOW = 600.0, 60.0
"""Seconds between requests, and for the next piece of one: the gate closes first, so that it never sends into a closed one."""
_HEAD = 256 * 2**10
_PAUSE = 0.2
_BODILESS = frozenset({204, 304})


class MockServer:
    """Starts when it is first needed. `key` is what the gate alone knows; whoever comes without it gets 403, and is counted.

    What goes wrong in it goes to `alarm`, and the connection ends: the gate tells its client that the sandbox failed.
    """

    def __init__(
        self,
        answers: Answers,
        *,
        key: str,
        now: Callable[[], datetime],
        alarm: Callable[[BaseException], None],
    ) -> None:
        self._answers = answers
        self._key = key.encode()
        self._now = now
        self._alarm = alarm
        self._documents: dict[str, Document] = {}
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._held: Counter[str] = Counter()
        self._port = 0
        self._connections: set[asyncio.Task[None]] = set()
        self.strangers = 0

    def start(self) -> int:
        """Open the port where it is not open, and give its number. Raises OSError where none can be had."""
        if self._thread is None:
            listener = socket.create_server((ADDRESS, 0), backlog=1024)
            self._port = listener.getsockname()[1]
            ready = Event()
            self._thread = Thread(target=self._run, args=(listener, ready), name="outgate-mock", daemon=True)
            self._thread.start()
            ready.wait()
        return self._port

    def describe(self, name: str, document: Document) -> None:
        """What answers to a request that names it in its `outgate-mock-document`."""
        self._documents[name] = document

    def close(self) -> None:
        """End every connection and the thread."""
        thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # its loop ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join(timeout=5)

    def _run(self, listener: socket.socket, ready: Event) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        except OSError as error:
            self._alarm(error)
        finally:
            ready.set()

    async def _serve(self, listener: socket.socket, ready: Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        listener.setblocking(False)  # as sockets have it
        with listener:
            accepting = asyncio.create_task(self._accept(listener))
            ready.set()
            await self._stopping.wait()
            ending = {accepting, *self._connections}
            for task in ending:
                task.cancel()
            await asyncio.wait(ending)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, _ = await loop.sock_accept(listener)
            except OSError as error:  # out of file descriptors, most likely: others may give some back
                self._alarm(error)
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._connections) >= _CONNECTIONS:
                link.close()
                continue
            task = asyncio.Task(
                self._connection(link), loop=loop, eager_start=True
            )  # so that one cancelled at once is closed too
            self._connections.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._alarm(error)

    async def _connection(self, link: socket.socket) -> None:
        with link:
            reader, writer = await asyncio.open_connection(sock=link, limit=_HEAD)
            talk = _Talk(reader=reader, writer=writer)
            try:
                while await self._turn(talk):
                    pass
                writer.close()
                await writer.wait_closed()
            except (OSError, TimeoutError, h11.RemoteProtocolError):
                pass  # who asked is gone, is too slow, or speaks something else
            finally:
                writer.transport.abort()

    async def _turn(self, talk: _Talk) -> bool:
        """One request and its answer. False where the connection ends with it."""
        head = await talk.head()
        if head is None:
            return False
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
        said = dict(headers)
        if not hmac.compare_digest(said.get(KEY, "").encode("latin-1"), self._key):
            self.strangers += 1
            await talk.send(in_json({"message": "This port is the gate's own."}, 403), head.method, last=True)
            return False
        return await self._answer(talk, head, headers, said)

    async def _answer(self, talk: _Talk, head: h11.Request, headers: tuple[tuple[str, str], ...], said: dict[str, str]) -> bool:
        body, whole = bytearray(), True
        with self._holding(said.get(AGENT, "")) as hold:
            async for piece in talk.body():
                whole = whole and len(body) + len(piece) <= BODY_LIMIT and hold(len(piece))
                body += piece[: BODY_LIMIT - len(body)] if whole or not body else b""
            asked = self._asked(head, headers, said, bytes(body))
            answer = self._answers.answer(asked, self._documents.get(unquote(said.get(DOCUMENT, ""))), whole=whole)
            if not hold(answer.size):
                answer = in_json({"message": "The sandbox has too much to do. Try again later."}, 503)
            await talk.send(answer, head.method)
        return talk.goes_on()

    @contextmanager
    def _holding(self, agent: str) -> Iterator[Callable[[int], bool]]:
        """Count what is held for an agent; the function says whether so much more fits."""
        mine = 0

        def hold(size: int) -> bool:
            nonlocal mine
            if self._held.total() + size > HELD_LIMIT or self._held[agent] + size > AGENT_LIMIT:
                return False
            mine += size
            self._held[agent] += size
            return True

        try:
            yield hold
        finally:
            self._held[agent] -= mine
            if not self._held[agent]:
                del self._held[agent]

    def _asked(self, head: h11.Request, headers: tuple[tuple[str, str], ...], said: dict[str, str], body: bytes) -> Asked:
        path, _, query = head.target.decode("latin-1").partition("?")
        return Asked(
            service=said.get(SERVICE, ""),
            agent=said.get(AGENT, ""),
            origin=said.get(MOCKED, ""),
            method=head.method.decode("ascii"),
            path=path,
            query=query,
            headers=tuple((name, value) for name, value in headers if not name.startswith("outgate-")),
            body=body,
            now=self._now(),
        )


@dataclass(slots=True, kw_only=True)
class _Talk:
    """One connection, as h11 reads it."""

    reader: StreamReader
    writer: StreamWriter
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD))

    async def head(self) -> h11.Request | None:
        """The next request; None where there is none any more."""
        event = await self._next(_IDLE)
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> AsyncIterator[bytes]:
        """All of it, in pieces."""
        if self.http.they_are_waiting_for_100_continue:
            await self._write(self.http.send(h11.InformationalResponse(status_code=100, headers=[])))
        while isinstance(event := await self._next(_SLOW), h11.Data):
            yield bytes(event.data)

    async def send(self, answer: Answer, method: bytes, *, last: bool = False) -> None:
        """Send an answer; each piece of a stream by itself."""
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers if value]
        if len(answer.pieces) > 1:
            headers.append((b"transfer-encoding", b"chunked"))
        elif answer.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % answer.size))
        if last:
            headers.append((b"connection", b"close"))
        await self._write(self.http.send(h11.Response(status_code=answer.status, headers=headers, reason=b"")))
        if method != b"HEAD" and answer.status not in _BODILESS:
            for piece in answer.pieces:
                await self._write(self.http.send(h11.Data(data=piece)))
        await self._write(self.http.send(h11.EndOfMessage()))

    def goes_on(self) -> bool:
        """Whether another request may follow."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        return True

    async def _next(self, patience: float) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(patience):
                self.http.receive_data(await self.reader.read(1 << 16))
        return event

    async def _write(self, data: bytes | None) -> None:
        self.writer.write(data or b"")
        async with asyncio.timeout(_SLOW):
            await self.writer.drain()
