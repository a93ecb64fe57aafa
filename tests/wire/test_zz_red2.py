from __future__ import annotations
import asyncio, socket, time, ssl
import pytest
import wsproto.events as we
from wire.test_websocket import echo, opened, switch
from outgate.mitm.link import KIB, MIB, Limits
import h2.connection, h2.config, h2.events


async def test_upstream_pings_and_reads_nothing(make):
    gateway = await make()
    up = await gateway.upstream()

    async def flood(turn):
        await switch(turn)
        await asyncio.sleep(0.3)
        data = (bytes([0x89, 125]) + b"p" * 125) * 500
        for _ in range(400):
            await turn.raw(data)

    up.answers["/ws"] = flood
    s = await opened(gateway)
    (h,) = gateway.engine._all()
    for c in h.transports:
        h.transports[c].writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for _ in range(12):
        await asyncio.sleep(0.5)
        print("UPPING backlog", [h._backlog(c) >> 10 for c in h.transports])
    s.wire.writer.transport.abort()


async def h2_server(gateway, host, serve):
    from datetime import datetime, UTC

    pem = gateway.folder / "h2.pem"
    pem.write_bytes(gateway.pki.ca.leaf(host, datetime.now(UTC)).pem)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(pem)
    ctx.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ctx)
    gateway.leads(host, server.sockets[0].getsockname()[1])
    return server


@pytest.mark.parametrize("kind", ["upload", "ping", "settings"])
async def test_h2_upstream_with_windows_and_no_reading(make, kind):
    gateway = await make()
    gateway.check = lambda: None

    async def serve(r, w):
        c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        c.local_settings.initial_window_size = 2**31 - 1
        c.initiate_connection()
        c.update_settings({4: 2**31 - 1})
        c.increment_flow_control_window(2**31 - 1 - 65535)
        w.write(c.data_to_send())
        while True:
            data = await r.read(4096)
            if not data:
                return
            ev = c.receive_data(data)
            w.write(c.data_to_send())
            if any(isinstance(e, h2.events.RequestReceived) for e in ev):
                break
        w.transport.pause_reading()
        if kind == "upload":
            await asyncio.sleep(30)
        import hyperframe.frame as hf

        one = (
            hf.PingFrame(0, opaque_data=b"12345678").serialize()
            if kind == "ping"
            else hf.SettingsFrame(0, settings={}).serialize()
        )
        data = one * 2000
        try:
            for _ in range(500):
                w.write(data)
                await w.drain()
        except Exception as e:
            print("upstream cut", e)
        await asyncio.sleep(30)

    server = await h2_server(gateway, "h2.test", serve)
    streams = await (await gateway.h2("h2.test")).__aenter__()
    st = await streams.request("POST", "/x", "h2.test", end=False)
    (h,) = gateway.engine._all()
    await asyncio.sleep(0.3)

    async def up():
        n = 0
        while True:
            await asyncio.wait_for(streams.data(st, b"x" * 16000, end=False), 3)
            n += 1

    t = asyncio.ensure_future(up()) if kind == "upload" else None
    longest = 0
    for _ in range(12):
        for c in h.transports:
            if c is not h.client:
                h.transports[c].writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await asyncio.sleep(0.4)
        if not h.transports:
            print(str(gateway.alarm)[-600:], gateway.outcomes())
            break
        print(kind, "backlog", [h._backlog(c) >> 10 for c in h.transports], t and t.done())
    if t:
        t.cancel()
    server.close()
    streams.wire.writer.transport.abort()
