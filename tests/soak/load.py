"""What a soak's agents do, again and again: good ones check every answer, hostile ones send what nobody should."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import ssl
import struct
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any

import h2.errors
import wsproto
import wsproto.events as we
from faults.served import GONE, waiting
from soak.world import BOTH, KIB, PIECE, PLAIN, SECURE, SoakWorld
from wire.clients import Wire
from wire.test_websocket import KEY

from outgate.app import switching
from outgate.app.gates import ask
from outgate.halt import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faults.served import Client
    from wire.clients import Streams

type Work = Callable[[], Awaitable[None]]


class Load:
    """All of it. `wrong` is what good agents met that they should not have."""

    def __init__(self, world: SoakWorld, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.ends = 0.0
        self._count = 0
        self._kept: dict[str, Client] = {}
        self._stays: Streams | None = None

    @property
    def works(self) -> dict[Work, float]:
        """What is done, and the seconds between two times."""
        good = {
            self.keeps_alive: 0.02, self.comes_anew: 0.1, self.in_the_clear: 0.05, self.at_once: 0.2, self.both_http2: 0.1, self.stays: 0.1,
            self.reads_events: 0.2, self.talks: 0.2, self.uploads: 0.3, self.downloads: 0.3, self.is_held: 0.5,
            self.may_not: 0.1, self.too_often: 0.3, self.is_halted: 2.0, self.reloads: 3.0,
        }  # fmt: skip
        hostile = {
            self.garbage: 0.2, self.garbage_in_a_tunnel: 0.3, self.half_a_head: 0.2, self.flood: 3.0, self.breaks_off: 0.2,
            self.slow_reader: 1.0, self.resets: 2.0, self.bad_token: 0.5, self.two_readings: 0.2, self.broken_http2: 0.3,
        }  # fmt: skip
        return good | hostile

    async def run(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        await asyncio.gather(*(self._again(work, pause) for work, pause in self.works.items()))

    async def once(self) -> None:
        """Each, once."""
        for work in self.works:
            await self._try(work)

    async def close(self) -> None:
        for client in self._kept.values():
            client.close()
        if self._stays is not None:
            await self._stays.__aexit__()
            self._stays.wire.writer.close()
            self._stays = None

    async def _again(self, work: Work, pause: float) -> None:
        while time.monotonic() < self.ends and len(self.wrong) < 20:
            await self._try(work)
            await asyncio.sleep(pause * self.random.uniform(0.5, 1.5))

    async def _try(self, work: Work) -> None:
        name = work.__name__
        try:
            async with asyncio.timeout(60):
                await work()
        except Exception:
            self.wrong.append(f"{name}: {traceback.format_exc(limit=-3)}")
        else:
            self.done[name] += 1

    def _next(self, kind: str) -> str:
        self._count += 1
        return f"/{kind}/{self._count}"

    def _client(self, work: str, agent: str) -> Client:
        """One that keeps its connections, for each thing that is done."""
        return self._kept.setdefault(work, self.world.servers[0].client(agent))

    # good

    async def keeps_alive(self) -> None:
        path = self._next("ok")
        answer = await self._client("keeps_alive", "steady").ask(path, secure=True)
        assert (answer.status, answer.body) == (200, path.encode()), (path, answer)

    async def in_the_clear(self) -> None:
        path = self._next("ok")
        answer = await self._client("in_the_clear", "second").ask(path)
        assert (answer.status, answer.body) == (200, path.encode()), (path, answer)

    async def comes_anew(self) -> None:
        path = self._next("ok")
        async with await self.world.tunnel("steady", SECURE) as wire:
            await wire.request("GET", path, SECURE)
            assert (await wire.answer()).body == path.encode()

    async def at_once(self) -> None:
        """HTTP/2 to an upstream of HTTP/1.1."""
        await self._together(SECURE, 8)

    async def both_http2(self) -> None:
        await self._together(BOTH, 12)

    async def stays(self) -> None:
        """One connection of HTTP/2, for as long as the soak lasts."""
        if self._stays is None:
            self._stays = await (await self.world.h2("steady", BOTH)).__aenter__()
        await self._ask_all(self._stays, BOTH, 10)

    async def _together(self, host: str, count: int) -> None:
        async with await self.world.h2("second", host) as streams:
            await self._ask_all(streams, host, count)
        streams.wire.writer.close()

    async def _ask_all(self, streams: Streams, host: str, count: int) -> None:
        paths = [self._next("ok") for _ in range(count)]
        sent = [await streams.request("GET", path, host) for path in paths]
        assert [(await streams.answer(stream)).body.decode() for stream in sent] == paths

    async def reads_events(self) -> None:
        """Each event comes before the next is sent."""
        path = self._next("events")
        async with await self.world.tunnel("steady", SECURE) as wire:
            await wire.send(f"GET {path} HTTP/1.1\r\nHost: {SECURE}\r\n\r\n")
            assert (await wire.head()).status == 200
            for number in range(5):
                assert await wire.chunk() == b"data: event %d\n\n" % number
                self.world.acks[path.rpartition("/")[2]].release()

    async def talks(self) -> None:
        async with await self.world.tunnel("second", SECURE) as wire:
            upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13"
            await wire.send(f"GET /ws?{self._next('n')} HTTP/1.1\r\nHost: {SECURE}\r\n{upgrade}\r\n\r\n")
            assert (await wire.head()).status == 101
            ws = wsproto.Connection(wsproto.ConnectionType.CLIENT)
            for said in ("one", "two" * 10_000, "three"):
                await wire.send(ws.send(we.TextMessage(said)))
                heard = ""
                while len(heard) < len(said):
                    ws.receive_data(await asyncio.wait_for(wire.reader.read(65536), 20) or None)
                    heard += "".join(event.data for event in ws.events() if isinstance(event, we.TextMessage))
                assert heard == said
            await wire.send(ws.send(we.CloseConnection(1000)))
            await wire.rest()

    async def uploads(self) -> None:
        body = PIECE * self.random.randrange(1, 40)
        answer = await self._client("uploads", "steady").ask(self._next("up"), secure=True, method="POST", body=body)
        assert answer.body.decode() == hashlib.sha256(body).hexdigest()

    async def downloads(self) -> None:
        pieces = self.random.randrange(1, 40)
        answer = await self._client("downloads", "second").ask(f"/down/{pieces}{self._next('n')}", secure=True)
        assert answer.body == PIECE * pieces

    async def is_held(self) -> None:
        """People approve it while it waits."""
        path = self._next("hold")
        async with self.world.servers[0].client("steady") as client:
            try:
                answer = await client.ask(path, secure=True, method="POST", body=b"x", wait=15)
            except TimeoutError as error:
                raise AssertionError(f"{path} is held, and these wait: {await waiting(self.world)}") from error
        assert (answer.status, answer.body) == (200, path.encode()), (path, answer)

    async def may_not(self) -> None:
        assert await self._client("may_not", "second").status(self._next("forbidden"), secure=True) == 403

    async def too_often(self) -> None:
        assert await self._client("too_often", "steady").status(self._next("rare"), secure=True) in {200, 429}

    async def is_halted(self) -> None:
        """Whatever it has open, and whatever it begins, until it is resumed."""
        asking = asyncio.create_task(self._as_victim())
        await asyncio.to_thread(switching.halt, self.world.state, Scope.AGENT, "victim", "soak")
        try:
            assert await self._as_victim() in {403, None}
        finally:
            await asyncio.to_thread(switching.resume, self.world.state, Scope.AGENT, "victim", "soak")
        assert await asking in {200, 403, None}
        assert await self._as_victim() == 200

    async def _as_victim(self) -> int | None:
        try:
            async with self.world.servers[0].client("victim") as client:
                return await client.status(self._next("ok"), secure=True)
        except GONE:
            return None

    async def reloads(self) -> None:
        self._count += 1
        self.world.says(self._count)
        (answer,) = await asyncio.to_thread(ask, self.world.state, "POST", "/reload", 60.0)
        assert answer.wrong == ""

    # hostile

    async def garbage(self) -> None:
        async with await self.world.plain_wire() as wire:
            await self._send(wire, os.urandom(self.random.randrange(1, 4096)))
            _reset(wire)

    async def garbage_in_a_tunnel(self) -> None:
        async with await self.world.plain_wire() as wire:
            shown = self._client("garbage_in_a_tunnel", "mess")._shown()
            await wire.send(f"CONNECT {SECURE}:443 HTTP/1.1\r\nHost: {SECURE}:443\r\nProxy-Authorization: {shown}\r\n\r\n")
            await self._send(wire, self.random.choice([b"SSH-2.0-x\r\n", b"\x16\x03\x01" + os.urandom(600), os.urandom(100)]))
            _reset(wire)

    async def half_a_head(self) -> None:
        async with await self.world.plain_wire() as wire:
            await self._send(wire, b"GET http://up.test/ HTTP/1.1\r\nX: " + b"a" * self.random.randrange(100_000))

    async def flood(self) -> None:
        """Many who come and say nothing."""
        many = await asyncio.gather(*(self.world.plain_wire() for _ in range(100)), return_exceptions=True)
        for wire in many:
            if isinstance(wire, Wire):
                _reset(wire)

    async def breaks_off(self) -> None:
        """In the middle of an upload, or of an answer."""
        async with await self.world.tunnel("mess", SECURE) as wire:
            if self.random.random() < 0.5:
                await wire.send(f"POST {self._next('up')} HTTP/1.1\r\nHost: {SECURE}\r\nContent-Length: 1000000\r\n\r\n")
                await self._send(wire, PIECE)
            else:
                await wire.request("GET", f"/down/100{self._next('n')}", SECURE)
                await self._read(wire, 100_000)
            _reset(wire)

    async def slow_reader(self) -> None:
        async with await self.world.tunnel("mess", SECURE) as wire:
            await wire.request("GET", f"/down/200{self._next('n')}", SECURE)
            for _ in range(10):
                await self._read(wire, 4096)
                await asyncio.sleep(0.1)
            _reset(wire)

    async def resets(self) -> None:
        """HTTP/2 streams that are opened and given up at once."""
        async with await self.world.h2("mess", BOTH) as streams:
            with contextlib.suppress(*GONE):
                for _ in range(self.random.choice((20, 20, 20, 250))):
                    if streams.gone:
                        break
                    stream = await streams.request("GET", self._next("ok"), BOTH)
                    streams.conn.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                    await streams.flush()
        streams.wire.writer.close()

    async def bad_token(self) -> None:
        async with await self.world.plain_wire() as wire:
            await wire.request("GET", f"http://{PLAIN}/ok", PLAIN, Proxy_Authorization="Basic c3RlYWR5Om5vcGU=")
            assert (await wire.answer()).status == 407

    async def two_readings(self) -> None:
        async with await self.world.tunnel("mess", SECURE) as wire:
            framing = "Content-Length: 4\r\nTransfer-Encoding: chunked"
            await wire.send(
                f"POST {self._next('ok')} HTTP/1.1\r\nHost: {SECURE}\r\n{framing}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1"
            )
            assert (await wire.answer()).status in {400, 429}

    async def broken_http2(self) -> None:
        async with await self.world.tunnel("mess", BOTH, "h2") as wire:
            await self._send(wire, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(500))
            await self._read(wire, 64 * KIB)

    async def _send(self, wire: Wire, data: bytes) -> None:
        with contextlib.suppress(*GONE):
            await wire.send(data)

    async def _read(self, wire: Wire, most: int) -> None:
        with contextlib.suppress(*GONE, TimeoutError):
            await asyncio.wait_for(wire.reader.read(most), 5)


def _reset(wire: Wire) -> None:
    """Leave with a reset."""
    plain: Any = wire.writer.get_extra_info("socket")
    with contextlib.suppress(OSError, ssl.SSLError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.writer.transport.abort()
