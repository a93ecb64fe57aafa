"""scratch"""

from __future__ import annotations
import asyncio, os, time, struct, resource
from datetime import UTC, datetime
import pytest
import wsproto.events as we
from signed import Signer, people
from wire.test_websocket import echo, opened, switch
from wire.clients import Wire
from outgate.mitm.link import KIB, MIB, Limits

ALICE = Signer("alice")
POLICY = """
    outgate: policy/v1alpha
    policy: messages
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    approvers:
      ops: {need: 1, of: [alice], within: 2h}
    rules:
      - {id: long, phase: stream, when: message.size > 1000, effect: escalate, to: ops}
      - {id: pay, phase: stream, when: 'message.size == 3', effect: escalate, to: ops}
"""


def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


async def until(told, t=10):
    async with asyncio.timeout(t):
        while not (found := await told()):
            await asyncio.sleep(0.01)
    return found


def frame(op, payload, fin=True):
    head = bytes([(0x80 if fin else 0) | op])
    n = len(payload)
    head += (
        bytes([0x80 | n])
        if n < 126
        else bytes([0x80 | 126]) + struct.pack("!H", n)
        if n < 65536
        else bytes([0x80 | 127]) + struct.pack("!Q", n)
    )
    return head + b"\0\0\0\0" + payload


async def pour(wire, data, seconds):
    wire.writer.transport.set_write_buffer_limits(1 << 20)
    end = time.monotonic() + seconds
    sent = 0
    try:
        async with asyncio.timeout(seconds):
            while time.monotonic() < end:
                wire.writer.write(data)
                sent += len(data)
                await wire.writer.drain()
    except TimeoutError:
        pass
    return sent


async def test_empty_messages_while_held(make):
    gateway = await make(policy_text=POLICY, people=people(ALICE))
    up = await gateway.upstream()
    up.answers["/ws"] = echo
    s = await opened(gateway)
    await s.send(we.Message(data="x" * 2000))
    await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    (h,) = gateway.engine._all()
    before = rss()
    sent = await pour(s.wire, frame(1, b"") * 10000, 5)
    from outgate.mitm.messages import Messages
    import gc

    m = next(o for o in gc.get_objects() if isinstance(o, Messages))
    print("EMPTY: sent", sent, "rss+", (rss() - before) >> 20, "queue", len(m._agent.waiting), "link.waiting", h._link.waiting)
    s.wire.writer.transport.abort()


async def test_tiny_messages_while_held(make):
    gateway = await make(policy_text=POLICY, people=people(ALICE))
    up = await gateway.upstream()
    up.answers["/ws"] = echo
    s = await opened(gateway)
    await s.send(we.Message(data="x" * 2000))
    await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    (h,) = gateway.engine._all()
    before = rss()
    sent = await pour(s.wire, frame(1, b"a") * 10000, 5)
    print("TINY: sent", sent, "rss+", (rss() - before) >> 20, "link.waiting", h._link.waiting)
    s.wire.writer.transport.abort()


async def test_partial_messages(make):
    gateway = await make()
    up = await gateway.upstream()
    up.answers["/ws"] = echo
    before = rss()
    socks = [await opened(gateway) for _ in range(10)]
    for s in socks:
        await s.wire.send(frame(2, b"a" * 65535, fin=False) + frame(0, b"b" * 65535, fin=False) * 240)
    await asyncio.sleep(3)
    print(
        "PARTIAL: rss+",
        (rss() - before) >> 20,
        "budget held",
        gateway.addon._budget._held,
        [h._link.waiting for h in gateway.engine._all()],
    )
    for s in socks:
        s.wire.writer.transport.abort()


async def test_empty_fragments(make):
    gateway = await make()
    up = await gateway.upstream()
    up.answers["/ws"] = echo
    s = await opened(gateway)
    before = rss()
    await s.wire.send(frame(2, b"", fin=False))
    sent = await pour(s.wire, frame(0, b"", fin=False) * 10000, 5)
    from outgate.mitm.messages import Messages
    import gc

    m = next(o for o in gc.get_objects() if isinstance(o, Messages))
    print(
        "FRAGS: sent",
        sent,
        "rss+",
        (rss() - before) >> 20,
        "pieces",
        len(m._agent.pieces) if hasattr(m._agent, "pieces") else None,
    )
    s.wire.writer.transport.abort()


async def test_upstream_pings_and_reads_nothing(make):
    gateway = await make()
    up = await gateway.upstream()

    async def flood(turn):
        await switch(turn)
        data = (bytes([0x89, 125]) + b"p" * 125) * 2000
        for _ in range(400):
            await turn.raw(data)

    up.answers["/ws"] = flood
    before = rss()
    s = await opened(gateway)
    (h,) = gateway.engine._all()
    for _ in range(10):
        await asyncio.sleep(0.5)
        print("UPPING backlog", [h._backlog(c) >> 10 for c in h.transports], "rss+", (rss() - before) >> 20)
    s.wire.writer.transport.abort()


async def test_1xx_flood(make):
    gateway = await make()
    up = await gateway.upstream()

    async def flood(turn):
        await turn.raw(b"HTTP/1.1 100 \r\n\r\n" * 20000)
        await turn.answer(200, b"ok")

    up.answers["/x"] = flood
    longest = 0
    from outgate.mitm.http1 import UpstreamHttp1

    real = UpstreamHttp1._answer_head

    def timed(self):
        nonlocal longest
        b = time.process_time()
        n = len(self.buf)
        try:
            return real(self)
        finally:
            t = time.process_time() - b
            longest = max(longest, t)

    UpstreamHttp1._answer_head = timed
    try:
        async with await gateway.https() as c:
            await c.request("GET", "/x", "api.test")
            print("1XX status", (await c.answer()).status, "longest step", longest)
    finally:
        UpstreamHttp1._answer_head = real


async def test_cross_use(make):
    gateway = await make(policy_text=POLICY, people=people(ALICE))
    up = await gateway.upstream()
    got = []
    say = asyncio.Event()

    async def server(turn):
        await switch(turn)
        import wsproto

        ws = wsproto.Connection(wsproto.ConnectionType.SERVER)

        async def read():
            while data := await turn.reader.read(65536):
                ws.receive_data(data)
                for e in ws.events():
                    got.append(e)

        t = asyncio.ensure_future(read())
        await turn.raw(ws.send(we.Message(data="pay")))
        await t

    up.answers["/ws"] = server
    s = await opened(gateway)
    (asked,) = await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    # people approve that the upstream's word "pay" reaches the agent; meanwhile the agent hangs up, comes again, and says the same, in binary
    s.wire.writer.transport.abort()
    await asyncio.sleep(0.2)
    await gateway.desk.vote(asked.id, ALICE.vote(asked, datetime.now(UTC)))

    async def mute(turn):
        await switch(turn)
        import wsproto

        ws = wsproto.Connection(wsproto.ConnectionType.SERVER)
        while data := await turn.reader.read(65536):
            ws.receive_data(data)
            for e in ws.events():
                got.append(e)

    up.answers["/ws"] = mute
    s2 = await opened(gateway)
    await s2.send(we.Message(data=b"pay"))
    await asyncio.sleep(0.5)
    print("CROSS got", got, [e for e in gateway.events("message-approved")])
    s2.wire.writer.transport.abort()
