"""What peers have a gate keep for them: it is counted, it is its agent's, and it is not without end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest
import wsproto.events as we
from hyperframe.frame import PingFrame
from signed import Signer, people
from wire.test_websocket import echo, opened, switch

from outgate.mitm.keeping import EACH
from outgate.mitm.link import KIB, MIB, Limits

if TYPE_CHECKING:
    from wire.clients import Streams
    from wire.gateway import Gateway

ALICE = Signer("alice")
HOLDS = """
    outgate: policy/v1alpha
    policy: held
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    approvers:
      ops: {need: 1, of: [alice], within: 2h}
    rules:
      - {id: long, phase: stream, when: message.size > 1000, effect: escalate, to: ops}
"""


def frame(kind: int, payload: bytes, *, last: bool = True) -> bytes:
    """A client's frame (RFC 6455, section 5.2), masked with zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
    return bytes([kind | (0x80 if last else 0)]) + size + bytes(4) + payload


async def until(check):
    async with asyncio.timeout(20):
        while not (found := check()):
            await asyncio.sleep(0.01)
    return found


def narrow(handler) -> None:
    """Have the kernel take little for whoever does not read."""
    for connection, io in handler.transports.items():
        if connection is not handler.client:
            io.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


async def test_messages_that_say_nothing_are_not_kept_without_end_while_one_is_held(make):
    gateway = await make(policy_text=HOLDS, people=people(ALICE), limits=Limits(waiting=64 * KIB))
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    client = await opened(gateway)
    await client.send(we.Message(data="x" * 2000))
    (handler,) = gateway.engine._all()
    flood = asyncio.ensure_future(client.wire.send(frame(1, b"") * 2_000_000))
    await until(lambda: handler._link.waiting > 64 * KIB)
    await asyncio.sleep(0.2)
    assert handler._link.waiting < 64 * KIB + 64 * KIB // 6 * EACH
    await until(lambda: gateway.addon._budget._held["coder"] == handler._link.waiting)  # all that came was heard
    flood.cancel()
    handler.abort()


async def test_messages_without_an_end_are_their_agents_and_more_than_its_part_ends_one(make):
    gateway = await make(limits=Limits(agent_bodies=MIB))
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    part = frame(2, b"a" * 60_000, last=False) + frame(0, b"a" * 60_000, last=False) * 9
    first, second = await opened(gateway), await opened(gateway)
    await first.wire.send(part)
    await until(lambda: gateway.addon._budget._held.get("coder") == 600_000)
    await second.wire.send(part)
    assert (await second.receive()).code == 1008
    await first.wire.send(frame(0, b"!"))
    assert len(await first.receive()) == 600_001
    first.wire.writer.transport.abort()
    await until(lambda: not gateway.addon._budget._held)
    await gateway.stop()
    assert "no room for what was said" in [outcome.get("error") for outcome in gateway.outcomes()]


async def test_an_upstream_that_pings_and_reads_no_pongs_has_none_kept_for_it(make):
    gateway = await make(limits=Limits(unsent=128 * KIB))
    upstream = await gateway.upstream()
    ready = asyncio.Event()

    async def pings(turn):
        await switch(turn)
        await ready.wait()
        for _ in range(100):
            await turn.raw((b"\x89\x7d" + bytes(125)) * 300)
        await turn.raw(b"\x81\x04done")
        await asyncio.sleep(60)

    upstream.answers["/ws"] = pings
    client = await opened(gateway)
    (handler,) = gateway.engine._all()
    narrow(handler)
    ready.set()
    assert await client.receive() == b"done"
    assert all(handler._backlog(connection) < 192 * KIB for connection in handler.transports)
    handler.abort()


async def h2_that_stops_reading(gateway: Gateway, then: bytes = b"", times: int = 0) -> asyncio.Server:
    """An upstream that promises to take 2 GiB, takes a head, and then only says something so many times."""
    certificate = gateway.folder / "deaf.pem"
    certificate.write_bytes(gateway.pki.ca.leaf("deaf.test", datetime.now(UTC)).pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        here.initiate_connection()
        here.update_settings({4: 2**31 - 1})
        here.increment_flow_control_window(2**31 - 1 - 65535)
        asked = False
        while not asked:
            asked = any(isinstance(event, h2.events.RequestReceived) for event in here.receive_data(await reader.read(4096)))
            writer.write(here.data_to_send())
        writer.transport.pause_reading()
        try:
            for _ in range(times):
                writer.write(then)
                await writer.drain()
        except ConnectionError:
            return
        await asyncio.sleep(60)

    sock = socket.create_server(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what its kernel takes for it, it does not have to be sent
    server = await asyncio.start_server(serve, sock=sock, ssl=context)
    gateway.leads("deaf.test", sock.getsockname()[1])
    return server


async def pour(client: Streams, stream: int) -> None:
    """Send as much as there is room for, up to 64 MB."""
    try:
        async with asyncio.timeout(3):
            for _ in range(4000):
                await client.data(stream, bytes(16_000))
    except TimeoutError:
        return
    pytest.fail("all of it was taken")


async def test_an_upload_to_an_upstream_that_promises_room_and_reads_nothing_is_not_kept_here(make):
    gateway = await make(limits=Limits(unsent=128 * KIB))
    server = await h2_that_stops_reading(gateway)
    async with await gateway.h2("deaf.test") as client:
        stream = await client.request("POST", "/", "deaf.test", end=False)
        await pour(client, stream)
        (handler,) = gateway.engine._all()
        assert all(handler._backlog(connection) < 4 * MIB for connection in handler.transports)
        handler.abort()
    server.close()
    gateway.check = lambda: None  # that upstream writes nothing down


async def test_what_an_upstream_does_not_take_is_thrown_away_when_its_client_is_gone(make):
    gateway = await make(limits=Limits(unsent=128 * KIB, connect=timedelta(seconds=1)))
    server = await h2_that_stops_reading(gateway)
    client = await (await gateway.h2("deaf.test")).__aenter__()
    await pour(client, await client.request("POST", "/", "deaf.test", end=False))
    client.wire.writer.transport.abort()
    (handler,) = gateway.engine._all()
    await until(lambda: handler._link.gone)
    assert gateway.addon.doors.count("coder") == 1, "what is left of it is still its agent's"
    await until(lambda: not gateway.engine._all())
    assert gateway.addon.doors.count("coder") == 0
    server.close()
    gateway.check = lambda: None  # as above


async def test_an_answer_that_its_client_does_not_take_ends_with_the_time_for_it(make):
    gateway = await make(limits=Limits(idle=timedelta(seconds=1)))
    upstream = await gateway.upstream()
    handlers = []
    for size in range(3, 9):  # some of these leave what neither kernel takes any more

        async def much(turn, size=size):
            handlers[:] = gateway.engine._all()
            await turn.answer(200, bytes(size * MIB))

        upstream.answers["/much"] = much
        client = await gateway.https()
        client.writer.transport.pause_reading()
        await client.send("GET /much HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
        await until(lambda: handlers)
        await until(lambda: not gateway.engine._all())
        client.writer.transport.abort()


async def test_an_upstream_of_http2_that_pings_and_reads_nothing_is_hung_up_on(make):
    gateway = await make(limits=Limits(unsent=128 * KIB))
    server = await h2_that_stops_reading(gateway, PingFrame(0, opaque_data=bytes(8)).serialize() * 500, 2000)
    async with await gateway.h2("deaf.test") as client:
        stream = await client.request("POST", "/", "deaf.test", end=False)
        (handler,) = gateway.engine._all()
        await until(lambda: handler.upstreams and all(io.writer is not None for io in handler.transports.values()))
        narrow(handler)
        await client.data(stream, bytes(60_000))
        assert (await client.answer(stream)).status == 502
        handler.abort()
    server.close()
    gateway.check = lambda: None  # as above


async def test_an_upstream_that_says_wait_without_end_is_not_listened_to(gateway):
    upstream = await gateway.upstream()

    async def waits(turn):
        await turn.raw(b"HTTP/1.1 102 \r\n\r\n" * 100)
        if turn.seen.target == "/ends":
            await turn.answer(200, b"ok")
        else:
            await turn.raw(b"HTTP/1.1 102 \r\n\r\n" * 4000)

    upstream.answers |= {"/ends": waits, "/never": waits}
    async with await gateway.https() as client:
        await client.request("GET", "/ends", "api.test")
        assert (await client.answer()).status == 200
        await client.request("GET", "/never", "api.test")
        assert (await client.answer()).status == 502
