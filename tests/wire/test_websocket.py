"""WebSocket: the handshake is decided, and only its own 101 switches; messages are relayed and none is kept."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

import pytest
import wsproto
import wsproto.events as we
from wire.gateway import http_of

from outgate.mitm.link import KIB, Limits

if TYPE_CHECKING:
    from wire.gateway import Gateway

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


async def switch(turn):
    """Agree to the handshake."""
    await turn.raw(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept(turn.seen.header('sec-websocket-key'))}\r\n\r\n".encode()
    )
    turn.seen.whole = True


async def echo(turn):
    """An upstream that sends every message back, and keeps what it saw."""
    await switch(turn)
    ws = wsproto.Connection(wsproto.ConnectionType.SERVER)
    while data := await turn.reader.read(65536):
        ws.receive_data(data)
        for event in ws.events():
            if isinstance(event, we.Message):
                turn.seen.body += event.data.encode() if isinstance(event.data, str) else event.data
                await turn.raw(ws.send(we.Message(data=event.data, message_finished=event.message_finished)))
            elif isinstance(event, we.Ping):
                await turn.raw(ws.send(event.response()))
            elif isinstance(event, we.CloseConnection):
                await turn.raw(ws.send(event.response()))
                return


class Socket:
    def __init__(self, wire):
        self.wire, self.ws = wire, wsproto.Connection(wsproto.ConnectionType.CLIENT)

    async def send(self, event):
        await self.wire.send(self.ws.send(event))

    async def receive(self):
        """Read one whole message, or how it ended."""
        got = b""
        while True:
            for event in self.ws.events():
                if isinstance(event, we.Message):
                    got += event.data.encode() if isinstance(event.data, str) else event.data
                    if event.message_finished:
                        return got
                elif isinstance(event, we.CloseConnection):
                    return event
            data = await self.wire.reader.read(65536)
            self.ws.receive_data(data or None)


def handshake(path: str, *, host: str = "api.test", **more: str) -> str:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, *(f"{name.replace('_', '-')}: {value}" for name, value in more.items())]) + "\r\n\r\n"


async def opened(gateway: Gateway, path: str = "/ws"):
    client = await gateway.https()
    await client.send(handshake(path, Sec_WebSocket_Extensions="permessage-deflate"))
    head = await client.head()
    assert (head.status, head.header("sec-websocket-accept")) == (101, accept(KEY))
    return Socket(client)


@pytest.mark.parametrize("mode", ["enforce", "observe"])
async def test_messages_of_an_admitted_websocket_pass_both_ways(make, mode):
    gateway = await make(mode=mode)
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    socket = await opened(gateway)
    for message in ("hello", b"\x00\x01", "x" * 100_000):
        await socket.send(we.Message(data=message))
        assert await socket.receive() == (message.encode() if isinstance(message, str) else message)
    await socket.send(we.CloseConnection(code=1000))
    assert isinstance(await socket.receive(), we.CloseConnection)
    await gateway.stop()
    (seen,) = upstream.seen
    assert (seen.header("upgrade"), seen.header("connection"), seen.header("sec-websocket-extensions")) == (
        "websocket",
        "Upgrade",
        None,
    )
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["status"]) == ("executed", 101)
    assert outcome["sent"] > 100_000
    (decision,) = gateway.decisions()
    assert decision["request"]["websocket"] is True


async def test_a_blocked_handshake_is_answered_and_switches_nothing(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/forbidden"] = echo
    async with await gateway.https() as client:
        await client.send(handshake("/forbidden"))
        assert (await client.answer()).status == 403
    assert upstream.accepted == 0


async def test_plain_websockets_through_a_tunnel_are_decided_too(gateway):
    upstream = await gateway.upstream(tls=False)
    upstream.answers["/ws"] = echo
    async with await gateway.plain() as client:
        await client.tunnel("api.test", 80)
        await client.send(handshake("/ws"))
        assert (await client.head()).status == 101
        socket = Socket(client)
        await socket.send(we.Message(data="hello"))
        assert await socket.receive() == b"hello"


@pytest.mark.parametrize(
    "head",
    [
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "Upgrade: raw\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}",
        "Connection: Upgrade",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate",
    ],
)
async def test_only_the_right_answer_to_the_handshake_switches(gateway, head):
    upstream = await gateway.upstream()

    async def odd(turn):
        await turn.raw(f"HTTP/1.1 101 Switching Protocols\r\n{head.format(accept=accept(KEY))}\r\n\r\nanything".encode())
        await turn.reader.read(1000)

    upstream.answers["/ws"] = odd
    async with await gateway.https() as client:
        await client.send(handshake("/ws"))
        assert (await client.answer()).status == 502


async def test_an_upgrade_to_something_else_is_an_ordinary_request(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request(
            "GET",
            "/a",
            "api.test",
            Upgrade="h2c",
            Connection="Upgrade, HTTP2-Settings",
            HTTP2_Settings="AAMAAABkAAQCAAAAAAIAAAAA",
        )
        assert (await client.answer()).body == b"ok"
    assert [upstream.seen[0].header(name) for name in ("upgrade", "connection", "http2-settings")] == [None, None, None]


async def test_an_upstream_may_answer_a_handshake_with_an_ordinary_answer(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = lambda turn: turn.answer(403, b"no")
    async with await gateway.https() as client:
        await client.send(handshake("/ws"))
        assert (await client.answer()).body == b"no"


async def test_no_message_is_kept(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    socket = await opened(gateway)
    for _ in range(50):
        await socket.send(we.Message(data=os.urandom(10 * KIB)))
        await socket.receive()
    (handler,) = gateway.engine._all()
    (stream,) = http_of(handler).streams.values()
    assert not any(side.begun or side.waiting or side.size for side in (stream.child_layer._agent, stream.child_layer._upstream))


async def test_a_message_over_the_limit_ends_it(make):
    gateway = await make(limits=Limits(message=64 * KIB))
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    socket = await opened(gateway)
    await socket.send(we.Message(data=b"x" * 40 * KIB, message_finished=False))
    await socket.send(we.Message(data=b"x" * 40 * KIB, message_finished=True))
    assert (await socket.receive()).code == 1009
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b""


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_a_websocket_that_breaks_off_has_one_outcome(gateway, who):
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    socket = await opened(gateway)
    await socket.send(we.Message(data="hello"))
    assert await socket.receive() == b"hello"
    if who == "client":
        socket.wire.writer.transport.abort()
        await upstream.until(lambda u: u.closed)
    else:
        upstream.drop_all()
        assert isinstance(await socket.receive(), we.CloseConnection)
    await gateway.stop()
    assert [outcome["status"] for outcome in gateway.outcomes()] == [101]


@pytest.mark.parametrize("point", ["websocket_start", "websocket_message", "websocket_end"])
async def test_a_raise_in_a_websocket_ends_it_on_both_sides(make, monkeypatch, point):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo

    def boom(*_):
        raise RuntimeError

    monkeypatch.setattr(gateway.addon, point, boom)
    async with await gateway.https() as client:
        await client.send(handshake("/ws"))
        if point != "websocket_start":
            assert (await client.head()).status == 101
            socket = Socket(client)
            await socket.send(we.Message(data="SECRET") if point == "websocket_message" else we.CloseConnection(code=1000))
        assert await client.rest() == b""
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b""
