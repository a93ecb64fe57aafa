"""After CONNECT comes TLS or HTTP. Everything else is closed at once, contacts nobody, and is noted once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import partial

import pytest
from OpenSSL import SSL
from wire.clients import Streams
from wire.gateway import NOWHERE

from outgate.mitm import notes


@pytest.mark.parametrize(
    ("kind", "data", "port"),
    [
        ("ssh", b"SSH-2.0-OpenSSH_9.6\r\n", 22),
        ("binary", b"\x00\x01\x02\x03\x04", 4711),
        ("binary", b"\x00\x1d\x12\x34\x01\x00\x00\x01", 53),
        ("binary", b"\x00\x1d\x12\x34\x01\x00\x00\x01", 5353),
        ("socks5", b"\x05\x01\x00", 443),
        ("text", b"\r\n\r\nhello", 25),
        ("text", b"USER;anonymous\r\n", 21),
    ],
)
async def test_what_is_not_http_is_closed_at_once(gateway, kind, data, port):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await client.tunnel("api.test", port)).status == 200
        await client.send(data)
        assert await client.rest() == b""
    await gateway.stop()
    assert upstream.accepted == 0
    leads_to = NOWHERE if gateway.way == "transparent" else "api.test"
    assert gateway.events("tunnel-refused") == [{"host": leads_to, "port": port, "detail": kind, "count": 1}]


async def test_tls_in_the_segment_of_the_connect_is_held_to_the_same(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        await client.send(b"CONNECT api.test:22 HTTP/1.1\r\nHost: api.test:22\r\n\r\nSSH-2.0-x\r\n")
        assert (await client.head()).status == 200
        assert await client.rest() == b""
    assert upstream.accepted == 0


async def test_http_without_tls_in_a_tunnel_is_decided(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await client.tunnel("api.test", 80)).status == 200
        for piece in ("G", "ET /a HT", "TP/1.1\r\nHost: api.te", "st\r\n\r\n"):
            await client.send(piece)
        assert (await client.answer()).body == b"ok"
        await client.request("GET", "/forbidden", "api.test")
        assert (await client.answer()).status == 403
        await client.request("GET", "/a", "evil.test")
        assert (await client.answer()).status == 421
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_dns_over_port_53_is_http_or_nothing(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        assert (await client.tunnel("api.test", 53)).status == 200
        await client.request("GET", "/a", "api.test:53")
        assert (await client.answer()).status == 200
    assert [seen.header("host") for seen in upstream.seen] == ["api.test:53"]


async def test_an_alpn_that_is_not_http_is_not_agreed_on(gateway):
    await gateway.upstream()
    async with await gateway.https("api.test", "spdy/3", "imap") as client:
        assert client.alpn is None
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize(
    ("offers", "upstream_offers", "first", "second"),
    [
        (("h2", "http/1.1"), ("h2", "http/1.1"), "http/1.1", "http/1.1"),
        (("h2",), ("h2", "http/1.1"), "h2", "h2"),
        (("http/1.1",), ("h2", "http/1.1"), "http/1.1", "http/1.1"),
    ],
)
async def test_http2_is_spoken_where_the_client_has_nothing_else(gateway, offers, upstream_offers, first, second):
    await gateway.upstream(alpn=upstream_offers)
    for expected in (first, second):
        async with await gateway.https("api.test", *offers) as client:
            assert client.alpn == expected


async def test_http2_is_spoken_where_the_upstream_is_known_to_have_it(gateway):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client:
        assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
    async with await gateway.https("api.test", "h2", "http/1.1") as client:
        assert client.alpn == "h2"


async def test_http2_is_understood_inside_tls_whatever_was_agreed_on(gateway):
    """httpx does this where it was told to speak nothing else."""
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.https("api.test", "h2", "http/1.1") as wire:
        assert wire.alpn == "http/1.1"
        async with Streams(wire) as client:
            assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
            assert (await client.answer(await client.request("GET", "/forbidden", "api.test"))).status == 403
    assert [(seen.version, seen.target) for seen in upstream.seen] == [("HTTP/2", "/a")]


async def test_http2_is_not_understood_outside_tls(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        await client.tunnel("api.test", 80)
        await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await client.answer()).status == 400
    assert upstream.accepted == 0


async def test_an_upstream_with_nothing_but_http2_is_reached_the_second_time(gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    picky = await asyncio.start_server(partial(_refuse_alpn, upstream.certificate), "127.0.0.1", 0)
    gateway.leads("api.test", picky.sockets[0].getsockname()[1])
    async with await gateway.https("api.test", "h2", "http/1.1") as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 502
    picky.close()
    gateway.leads("api.test", upstream.port)
    async with await gateway.https("api.test", "h2", "http/1.1") as client:
        assert client.alpn == "h2"


async def _refuse_alpn(certificate, reader, writer):
    """What Python's own server does not: say that no protocol is shared."""

    def none_shared(*_):
        raise ValueError

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(certificate))
    context.set_alpn_select_callback(lambda _tls, offers: b"h2" if b"h2" in offers else none_shared())
    tls = SSL.Connection(context)
    tls.set_accept_state()
    tls.bio_write(await reader.read(65536))
    with pytest.raises(ValueError):
        tls.do_handshake()
    writer.write(tls.bio_read(65536))
    writer.close()


async def noted(gateway, what):
    async with asyncio.timeout(20):
        while not (events := gateway.events(what)):
            await asyncio.sleep(0.01)
    return events


def greet(client, sock, came, goes):
    while True:
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        sock.sendall(goes.read())
        came.write(sock.recv(65536))


async def test_a_client_that_does_not_trust_us_is_noted(gateway):
    upstream = await gateway.upstream()

    def distrust():
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(came, goes, server_hostname="api.test")
        with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
            sock.sendall(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
            assert b" 200 " in sock.recv(1000)
            with pytest.raises(ssl.SSLCertVerificationError):
                greet(client, sock, came, goes)
            sock.sendall(goes.read())  # the alert; closing with something unread would reset the connection before it
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass

    await asyncio.to_thread(distrust)
    (event,) = await noted(gateway, "trust-failed")
    assert (event["host"], event["port"]) == ("api.test", 443)
    assert "unknown ca" in event["detail"]
    assert upstream.accepted == 0


async def test_a_client_that_leaves_when_it_sees_our_certificate_is_noted(gateway):
    async with await gateway.plain() as wire:
        assert (await wire.tunnel("api.test", 443)).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):  # asyncio's own hangs up without a word
            await wire.tls(ssl.create_default_context(), "api.test")
    assert [event["host"] for event in await noted(gateway, "trust-failed")] == ["api.test"]


async def test_a_client_that_leaves_before_it_said_hello_is_nothing_to_note(gateway):
    async with await gateway.plain() as wire:
        assert (await wire.tunnel("api.test", 443)).status == 200
        await wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    async with asyncio.timeout(20):
        while gateway.engine._all():
            await asyncio.sleep(0)
    await gateway.stop()
    assert gateway.events("trust-failed") == []


async def test_what_is_tried_again_and_again_is_counted_and_not_repeated(gateway):
    for _ in range(20):
        async with await gateway.plain() as client:
            await client.tunnel("api.test", 22)
            await client.send(b"SSH-2.0-x\r\n")
            assert await client.rest() == b""
    await gateway.stop()
    assert [event["count"] for event in gateway.events("tunnel-refused")] == [1, 19]


async def test_what_is_tried_with_ever_new_names_is_counted_under_one(gateway, monkeypatch):
    monkeypatch.setattr(notes, "_DISTINCT", 3)
    for number in range(10):
        async with await gateway.plain() as client:
            await client.tunnel(f"host-{number}.test", 22)
            await client.send(b"SSH-2.0-x\r\n")
            assert await client.rest() == b""
    await gateway.stop()
    noted = {(event["host"], event["count"]) for event in gateway.events("tunnel-refused")}
    assert noted == {("host-0.test", 1), ("host-1.test", 1), ("host-2.test", 1), ("(others)", 1), ("(others)", 6)}


async def test_a_count_is_written_down_when_its_window_closes(gateway):
    gateway.engine._notes.window = 0.01
    for _ in range(3):
        async with await gateway.plain() as client:
            await client.tunnel("api.test", 22)
            await client.send(b"SSH-2.0-x\r\n")
            assert await client.rest() == b""
    async with asyncio.timeout(20):
        while sum(event["count"] for event in gateway.events("tunnel-refused")) < 3:
            await asyncio.sleep(0.01)


async def test_a_raise_where_a_tunnel_is_refused_still_closes_it(make, monkeypatch):
    gateway = await make(expects_alarms=True)

    def boom(*_):
        raise RuntimeError

    monkeypatch.setattr(gateway.addon, "tunnel_refused", boom)
    async with await gateway.plain() as client:
        await client.tunnel("api.test", 22)
        await client.send(b"SSH-2.0-x\r\n")
        assert await client.rest() == b""
    monkeypatch.setattr(gateway.addon, "tls_failed_client", boom)
    async with await gateway.plain() as client:
        await client.tunnel("api.test", 443)
        with pytest.raises(ssl.SSLError):
            await client.tls(ssl.create_default_context(), "api.test")
    assert len(gateway.alarm.told) >= 1


async def test_a_client_hello_without_end_is_bounded(gateway):
    async with await gateway.plain() as client:
        await client.tunnel("api.test", 443)
        await client.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(0x4000 - 4))
        assert len(await client.rest()) < 100, "an alert, and the end"
    ((event),) = await noted(gateway, "tunnel-refused")
    assert event["detail"] in {"malformed tls", "client hello too long"}
