"""Upstreams on loopback that write down exactly what they saw: HTTP/1.1 and HTTP/2, plain and TLS, one step at a time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h11
import hyperframe.frame

from outgate.digest import sent_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


LATEST = ssl.TLSVersion.TLSv1_3
"""The version of TLS that upstreams go up to."""


@dataclass(kw_only=True)
class Seen:
    """A request as this upstream parsed it. `body` grows while it comes in; `whole` when its end did."""

    scheme: str
    version: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    @property
    def digest(self) -> str:
        authority = self.header("host") or ""
        host, colon, port = authority.rpartition(":")
        if not colon or authority.endswith("]"):
            host, port = authority, "443" if self.scheme == "https" else "80"
        return sent_digest(method=self.method, scheme=self.scheme, host=host.strip("[]"), port=int(port), target=self.target)


class Turn:
    """One request, to be answered by a test's own coroutine."""

    def __init__(
        self,
        seen: Seen,
        send_head: Callable[..., Awaitable[None]],
        send: Callable[[bytes], Awaitable[None]],
        end: Callable[..., Awaitable[None]],
    ) -> None:
        self.seen = seen
        self.head = send_head
        self.send = send
        self.end = end
        self.raw: Callable[[bytes], Awaitable[None]] | None = None
        """HTTP/1.1 only: bytes as they are."""
        self.reader: asyncio.StreamReader | None = None
        """HTTP/1.1 only: what comes after the head, nothing parsed."""

    async def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        await self.head(status, [*named, ("content-length", str(len(body)))])
        if body and self.seen.method != "HEAD":
            await self.send(body)
        await self.end()


async def ok(turn: Turn) -> None:
    await turn.answer(200, b"ok")


async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take a connection, and say nothing on it. It is held here: one that nobody holds is hung up on, when memory is tidied."""
    await asyncio.sleep(3600)


@dataclass
class Upstream:
    """A server. `answers` by path (without query); anything else gets 200 ok once its body is whole.

    A path in `early` is answered as soon as its head is there.
    """

    certificate: Path | None = None
    alpn: tuple[str, ...] = ("http/1.1",)
    answers: dict[str, Callable[[Turn], Awaitable[None]]] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)
    accepted: int = 0
    received: bytes = b""
    client_names: list[str | None] = field(default_factory=list)
    resumed: list[bool] = field(default_factory=list)
    """Of each connection with TLS: whether it went on with a session that was begun before."""
    port: int = 0
    gives_window: bool = True
    """HTTP/2 only: whether bodies that come in make room for more."""
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    closed: int = 0
    _server: Any = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _http2: list[_H2] = field(default_factory=list)

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"

    async def start(self) -> Upstream:
        context = None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            context.set_alpn_protocols(list(self.alpn))
            context.maximum_version = LATEST
            context.sni_callback = lambda _sock, name, _context: self.client_names.append(name)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    def drop_all(self) -> None:
        """Hang up on everybody, now."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def goes_away(self, last: int | None = None) -> None:
        """Say on every HTTP/2 connection that there will be no more of it. `last`: the last stream that still counts."""
        for connection in tuple(self._http2):
            await connection.go_away(last)

    async def until(self, check: Callable[[Upstream], bool]) -> None:
        """Wait until this upstream saw what a test waits for."""
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: check(self))

    async def _changed(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        tls = writer.get_extra_info("ssl_object")
        if tls is not None:
            self.resumed.append(tls.session_reused)
        try:
            if tls is not None and tls.selected_alpn_protocol() == "h2":
                await _H2(self, reader, writer).run()
            else:
                await self._serve_h1(reader, writer)
        except (ConnectionError, ssl.SSLError, h11.RemoteProtocolError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            self.closed += 1
            await self._changed()
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()

    async def _serve_h1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if len(self.received) < 1 << 20:
                    self.received += data
                connection.receive_data(data)
                continue
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return
            assert isinstance(event, h11.Request), event
            seen = Seen(
                scheme=self.scheme,
                version=f"HTTP/{event.http_version.decode()}",
                method=event.method.decode(),
                target=event.target.decode("latin-1"),
                headers=[(name.decode(), value.decode("latin-1")) for name, value in event.headers],
            )
            self.seen.append(seen)
            await self._changed()
            turn = self._h1_turn(seen, connection, reader, writer)
            answer = self.answers.get(seen.target.partition("?")[0], ok)
            if seen.target.partition("?")[0] in self.early:
                await answer(turn)
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return
            else:
                await self._h1_body(seen, connection, reader)
                await answer(turn)
            if connection.our_state in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR} or connection.their_state is h11.MUST_CLOSE:
                return
            if connection.our_state is h11.SEND_RESPONSE:  # the answer was written raw
                return
            connection.start_next_cycle()

    async def _h1_body(self, seen: Seen, connection: h11.Connection, reader: asyncio.StreamReader) -> None:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Data):
                seen.body += bytes(event.data)
                await self._changed()
            elif isinstance(event, h11.EndOfMessage):
                seen.whole = True
                await self._changed()
                return
            else:
                raise ConnectionError(f"{event!r} in a body")

    def _h1_turn(
        self, seen: Seen, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Turn:
        async def write(data: bytes | None) -> None:
            if data:
                writer.write(data)
                await writer.drain()

        async def head(status: int, headers: list[tuple[str, str]]) -> None:
            await write(connection.send(h11.Response(status_code=status, headers=headers)))

        async def send(data: bytes) -> None:
            await write(connection.send(h11.Data(data=data)))

        async def end(trailers: list[tuple[str, str]] | None = None) -> None:
            await write(connection.send(h11.EndOfMessage(headers=trailers or [])))

        turn = Turn(seen, head, send, end)
        turn.raw, turn.reader = write, reader
        return turn


class _H2:
    def __init__(self, upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.upstream, self.reader, self.writer = upstream, reader, writer
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self.streams: dict[int, Seen] = {}
        self.room = asyncio.Condition()
        self.tasks: set[asyncio.Task[None]] = set()
        self.last: int | None = None
        upstream._http2.append(self)

    async def go_away(self, last: int | None) -> None:
        """Written by hand: h2 takes its own GOAWAY for the end of everything."""
        self.last = max(self.streams, default=0) if last is None else last
        frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=self.last, error_code=0)
        self.writer.write(frame.serialize())
        await self.writer.drain()

    async def run(self) -> None:
        self.conn.initiate_connection()
        await self._flush()
        try:
            while data := await self.reader.read(65536):
                for event in self.conn.receive_data(data):
                    if self.last is None or (getattr(event, "stream_id", None) or 0) <= self.last:  # else it is not taken
                        await self._event(event)
                await self._flush()
        except h2.exceptions.ProtocolError as error:
            raise ConnectionError(str(error)) from error
        finally:
            for task in self.tasks:
                task.cancel()

    async def _event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=stream, headers=headers):
                fields = dict(headers)
                seen = Seen(
                    scheme=fields[":scheme"],
                    version="HTTP/2",
                    method=fields[":method"],
                    target=fields[":path"],
                    headers=[("host", fields[":authority"]), *((n, v) for n, v in headers if not n.startswith(":"))],
                )
                self.streams[stream] = seen
                self.upstream.seen.append(seen)
                if seen.target.partition("?")[0] in self.upstream.early:
                    self._answer(stream, seen)
            case h2.events.DataReceived(stream_id=stream, data=data):
                self.streams[stream].body += data
                if self.upstream.gives_window:
                    self.conn.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.StreamEnded(stream_id=stream):
                seen = self.streams[stream]
                seen.whole = True
                if seen.target.partition("?")[0] not in self.upstream.early:
                    self._answer(stream, seen)
            case h2.events.StreamReset():
                self.upstream.closed += 1
            case _:
                pass
        async with self.room:
            self.room.notify_all()
        await self.upstream._changed()

    def _answer(self, stream: int, seen: Seen) -> None:
        answer = self.upstream.answers.get(seen.target.partition("?")[0], ok)
        task = asyncio.create_task(answer(self._turn(stream, seen)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _turn(self, stream: int, seen: Seen) -> Turn:
        async def head(status: int, headers: list[tuple[str, str]]) -> None:
            self.conn.send_headers(stream, [(":status", str(status)), *headers])
            await self._flush()

        async def send(data: bytes) -> None:
            while data:
                size = min(len(data), self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
                if size <= 0:
                    async with self.room:
                        await self.room.wait()
                    continue
                self.conn.send_data(stream, data[:size])
                data = data[size:]
                await self._flush()

        async def end(trailers: list[tuple[str, str]] | None = None) -> None:
            if trailers:
                self.conn.send_headers(stream, trailers, end_stream=True)
            else:
                self.conn.end_stream(stream)
            await self._flush()

        return Turn(seen, head, send, end)

    async def _flush(self) -> None:
        if data := self.conn.data_to_send():
            self.writer.write(data)
            await self.writer.drain()


@dataclass
class CorporateProxy:
    """An HTTP proxy as companies have them: CONNECT for TLS, absolute targets for the rest. Keeps every head it got."""

    leads: dict[str, int]
    """By `host:port` as a client names it: the port of the upstream on loopback."""
    refuses: int | None = None
    certificate: Path | None = None
    heads: list[bytes] = field(default_factory=list)
    port: int = 0
    _server: Any = None

    async def start(self) -> CorporateProxy:
        context = None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if self.refuses:
                writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.refuses)
                return
            method, target, _ = head.split(b" ", 2)
            if method == b"CONNECT":
                there = await asyncio.open_connection("127.0.0.1", self.leads[target.decode()])
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                host, _, path = target.removeprefix(b"http://").partition(b"/")
                there = await asyncio.open_connection("127.0.0.1", self.leads[host.decode()])
                lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"proxy-")]
                lines[0] = method + b" /" + path + b" HTTP/1.1"
                there[1].write(b"\r\n".join(lines))
            await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        writer.close()
