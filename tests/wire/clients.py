"""Clients that say exactly what a test wants said, over raw sockets and HTTP/2 streams."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20.0
_OPEN = asyncio.open_connection
"""As it is, though a test has ours go elsewhere."""


@dataclass
class Answer:
    """A parsed answer."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None


class Wire:
    """A client's connection: bytes out, bytes or answers in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)
        await self.writer.drain()

    async def request(self, method: str, target: str, host: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def line(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\n"), PATIENCE)

    async def head(self) -> Answer:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        lines = raw.decode("latin-1").split("\r\n")[:-2]
        _, status, reason = lines[0].split(" ", 2)
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        return Answer(int(status), reason, headers)

    async def answer(self, *, head: bool = False) -> Answer:
        """Read one answer, whole."""
        got = await self.head()
        length, coding = got.header("content-length"), got.header("transfer-encoding")
        if head or got.status in {204, 304} or got.status < 200:
            return got
        if coding == "chunked":
            while size := int((await self.line()).strip(), 16):
                got.body += await asyncio.wait_for(self.reader.readexactly(size), PATIENCE)
                assert await self.reader.readexactly(2) == b"\r\n"
            while line := (await self.line()).decode().strip():
                got.trailers.append(tuple(line.split(": ", 1)))
        elif length is not None:
            got.body = await asyncio.wait_for(self.reader.readexactly(int(length)), PATIENCE)
        else:
            got.body = await asyncio.wait_for(self.reader.read(), PATIENCE)
        return got

    async def chunk(self) -> bytes:
        size = int((await self.line()).strip(), 16)
        data = await asyncio.wait_for(self.reader.readexactly(size + 2), PATIENCE)
        return data[:-2]

    async def rest(self) -> bytes:
        """Read to the end, however it comes."""
        got = b""
        try:
            while data := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                got += data
        except (ConnectionError, ssl.SSLError):
            pass
        return got

    async def tunnel(self, host: str, port: int) -> Answer:
        await self.send(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n")
        return await self.head()

    async def tls(self, context: ssl.SSLContext, name: str | None) -> None:
        await asyncio.wait_for(self.writer.start_tls(context, server_hostname=name), PATIENCE)

    @property
    def certificate(self) -> dict[str, object]:
        return self.writer.get_extra_info("ssl_object").getpeercert()

    @property
    def alpn(self) -> str | None:
        return self.writer.get_extra_info("ssl_object").selected_alpn_protocol()


class _Inside(Wire):
    """A client by a way that knows no requests outside of tunnels: what it asks a proxy for in the clear, it asks in one."""

    tunnelled = False
    asked = ""

    async def request(self, method: str, target: str, host: str, body: bytes = b"", **headers: str) -> None:
        to = urlsplit(target)
        if to.scheme == "http" and (not self.tunnelled or self.asked == to.netloc):
            if not self.tunnelled:
                self.asked = to.netloc
                assert (await self.tunnel(to.hostname or "", to.port or 80)).status == 200
            target = target.removeprefix(f"http://{to.netloc}")
        await super().request(method, target, host, body, **headers)


class SocksWire(_Inside):
    """A client that opens its tunnels by SOCKS 5. It needs no login where it is told that none is needed."""

    async def tunnel(self, host: str, port: int) -> Answer:
        self.tunnelled = True
        host = host.strip("[]")
        await self.send(b"\x05\x01\x00")
        assert await asyncio.wait_for(self.reader.readexactly(2), PATIENCE) == b"\x05\x00"
        await self.send(b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2))
        got = await asyncio.wait_for(self.reader.readexactly(10), PATIENCE)
        return Answer(200 if got[1] == 0 else 400, f"socks5 {got[1]}", [])


def _socks_address(host: str) -> bytes:
    if ":" in host:
        return b"\x04" + ip_address(host).packed
    return b"\x03" + bytes([len(host)]) + host.encode("latin-1")


class TurnedWire(_Inside):
    """A client that knows of no proxy: it connects to an address somewhere, and is turned to the gate.

    `turned` is told by which port of its own it comes and to which port it was going, before it connects.
    """

    def __init__(self, gate: int, turned: Callable[[int, int], None]) -> None:
        self.gate, self.turned = gate, turned

    async def __aexit__(self, *_: object) -> None:
        if self.tunnelled:
            self.writer.close()

    async def tunnel(self, host: str, port: int) -> Answer:
        """Connect. Where to, nobody is told: the name stands in what is sent then."""
        self.tunnelled = True
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        self.turned(sock.getsockname()[1], port)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.gate))
        self.reader, self.writer = await _OPEN(sock=sock)
        return Answer(200, f"to {host}", [])

    async def rest(self) -> bytes:
        if not self.tunnelled:
            await self.tunnel("", 443)
        return await super().rest()


class Streams:
    """An HTTP/2 client on an open connection. It may send what no well-behaved one would."""

    def __init__(self, wire: Wire, *, window: int | None = None) -> None:
        self.wire = wire
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.conn = h2.connection.H2Connection(config)
        self.answers: dict[int, Answer] = {}
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.informed: set[int] = set()
        self.gone = False
        self.read_data = True
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.conn.initiate_connection()
        await self.flush()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def flush(self) -> None:
        await self.wire.send(self.conn.data_to_send())

    async def request(
        self,
        method: str,
        path: str,
        authority: str,
        *,
        end: bool = True,
        body: bytes = b"",
        headers: list[tuple[str, str]] | None = None,
        pseudo: list[tuple[str, str]] | None = None,
    ) -> int:
        stream = self.conn.get_next_available_stream_id()
        first = pseudo or [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        self.conn.send_headers(stream, [*first, *(headers or [])], end_stream=end and not body)
        await self.flush()
        if body:
            await self.data(stream, body, end=end)
        return stream

    async def data(self, stream: int, body: bytes, *, end: bool = False) -> None:
        while body:
            size = min(len(body), self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
            if size <= 0:
                await self.until(lambda: self.conn.local_flow_control_window(stream) > 0 or stream in self.ended)
                if stream in self.ended:
                    return
                continue
            self.conn.send_data(stream, body[:size], end_stream=end and size == len(body))
            body = body[size:]
            await self.flush()

    async def until(self, check) -> None:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: check() or self.gone)

    async def answer(self, stream: int) -> Answer:
        await self.until(lambda: stream in self.ended or stream in self.reset)
        assert stream in self.ended, f"reset with {self.reset.get(stream)}"
        return self.answers[stream]

    async def _read(self) -> None:
        try:
            while data := await self.wire.reader.read(65536):
                for event in self.conn.receive_data(data):
                    self._event(event)
                await self.flush()
                await self._tell()
        except (ConnectionError, ssl.SSLError):
            pass
        self.gone = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=stream, headers=headers):
                self.answers[stream] = Answer(int(dict(headers)[":status"]), "", [(n, v) for n, v in headers if n != ":status"])
            case h2.events.InformationalResponseReceived(stream_id=stream):
                self.informed.add(stream)
            case h2.events.DataReceived(stream_id=stream, data=data):
                self.answers[stream].body += data
                if self.read_data:
                    self.conn.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.TrailersReceived(stream_id=stream, headers=headers):
                self.answers[stream].trailers = [tuple(h) for h in headers]
            case h2.events.StreamEnded(stream_id=stream):
                self.ended.add(stream)
            case h2.events.StreamReset(stream_id=stream, error_code=code):
                self.reset[stream] = code
            case h2.events.ConnectionTerminated():
                self.gone = True
            case _:
                pass
