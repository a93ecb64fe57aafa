"""Connections that were not addressed to a proxy: of where they were going only the port counts, and the name decides."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from wire.clients import Streams, Wire
from wire.gateway import AGENT

from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Enrolled
from outgate.intake.listening import peers_of
from outgate.mitm.hello import Hello, Unnamed, Wants
from outgate.mitm.link import Limits
from outgate.mitm.original import Original, original_destination

EVIL = "203.0.113.66"
"""Where connections were going: nobody's, and never connected to."""


@pytest.fixture
async def turned(gateway):
    """A gate to which connections to an attacker's address are turned, whatever their port; gives a way to make one."""

    async def turn(port: int = 443, address: str = EVIL, door=AGENT) -> Wire:
        gateway.engine._original = lambda _sock: Original(address, port)
        return await Wire.to(await gateway.engine.listen("127.0.0.1", 0, door, "transparent"))

    return turn


async def tls(wire: Wire, gateway, name: str, *alpn: str) -> Wire:
    await wire.tls(gateway.context(*(alpn or ("http/1.1",))), name)
    return wire


async def test_tls_goes_to_the_name_that_it_is_started_for_and_not_to_the_address(gateway, turned):
    upstream = await gateway.upstream("api.test")
    async with await tls(await turned(), gateway, "api.test") as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
    await gateway.stop()
    assert [seen.target for seen in upstream.seen] == ["/a"]
    (decision,) = gateway.decisions()
    assert (decision["request"]["host"], decision["request"]["port"]) == ("api.test", 443)
    assert decision["pin"]["address"] == "127.0.0.1"


async def test_http2_is_spoken_too(gateway, turned):
    upstream = await gateway.upstream("api.test", alpn=("h2", "http/1.1"))
    async with await tls(await turned(), gateway, "api.test", "h2") as client, Streams(client) as streams:
        stream = await streams.request("GET", "/a", "api.test")
        await streams.until(lambda: stream in streams.ended)
        assert streams.answers[stream].status == 200
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_http_goes_to_the_host_that_each_request_names(gateway, turned):
    one, other = await gateway.upstream("one.test", tls=False), await gateway.upstream("other.test", tls=False)
    async with await turned(80) as client:
        for host in ("one.test", "other.test", "one.test"):
            await client.request("GET", f"/for-{host}", host)
            assert (await client.answer()).status == 200
    assert [seen.target for seen in one.seen] == ["/for-one.test"] * 2
    assert [seen.target for seen in other.seen] == ["/for-other.test"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /a HTTP/1.1\r\nHost: api.test:81\r\n", 421),
        ("GET http://api.test/a HTTP/1.1\r\nHost: api.test\r\n", 400),
        ("GET https://api.test/a HTTP/1.1\r\nHost: api.test\r\n", 400),
        ("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n", 400),
        ("GET /a HTTP/1.1\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost:\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: api.test\r\nHost: evil.test\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: api.test\r\n : evil.test\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: api.test/\r\n", 400),
        ("PRI * HTTP/2.0\r\n", 400),
    ],
    ids=["port", "absolute", "absolute-https", "connect", "no-host", "empty", "two-hosts", "bad-line", "slash", "h2c"],
)
async def test_what_a_server_would_not_be_asked_is_refused_with_a_receipt(gateway, turned, head, status):
    upstream = await gateway.upstream("api.test", tls=False)
    async with await turned(80) as client:
        await client.send(head + "\r\n")
        assert (await client.answer()).status == status
    await gateway.stop()
    assert upstream.accepted == 0
    assert [d["reason"] for d in gateway.decisions()] == ["unreadable"]


async def test_a_request_for_another_host_than_tls_was_started_for_is_refused(gateway, turned):
    api, evil = await gateway.upstream("api.test"), await gateway.upstream("evil.test")
    async with await tls(await turned(), gateway, "api.test") as client:
        await client.request("GET", "/a", "evil.test")
        assert (await client.answer()).status == 421
    assert (api.accepted, evil.accepted) == (0, 0)


async def test_an_address_in_host_is_judged_as_one_and_not_because_the_connection_was_going_there(gateway, turned):
    gateway.resolver._served = True
    async with await turned(80, "169.254.169.254") as client:
        await client.request("GET", "/latest/meta-data/", "169.254.169.254")
        assert (await client.answer()).status == 403
    await gateway.stop()
    assert [d["reason"] for d in gateway.decisions()] == ["destination"]


def hello(server_name: str | None, *, sni: bytes | None = None) -> bytes:
    """A real client's ClientHello; `sni` is put where its name stands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    data = outgoing.read()
    return data.replace(server_name.encode(), sni) if sni is not None and server_name else data


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (hello(None), "no server name"),
        (hello("192.0.2.1.test", sni=b"000000000.1.01"), "malformed server name"),
        (hello("1234567.test", sni=b"203.0.113.66"), "an address as server name"),
        (hello("api.test", sni=b"api\0test"), "malformed server name"),
        (hello("api.test", sni=b"api_test"), "malformed server name"),
        (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "malformed client hello"),
        (b"\x16\x03\x01\x40\x01" + b"\x01\x00\xff\xff" + b"a" * 0x3FFD, "client hello too long"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
        (b"\x05\x01\x00", "socks5"),
        (b"\x00\x01\x02\x03", "binary"),
    ],
    ids=["no-sni", "odd-address", "address", "nul", "underscore", "no-hello", "long", "ssh", "socks", "binary"],
)
async def test_what_names_no_host_is_closed_with_a_note_and_nobody_is_contacted(gateway, turned, sent, why):
    upstream = await gateway.upstream("api.test")
    async with await turned(8443) as client:
        await client.send(sent)
        assert await client.rest() in {b"", b"\x15\x03\x03\x00\x02\x02\x70"}
    await gateway.stop()
    assert upstream.accepted == 0
    assert gateway.decisions() == []
    assert gateway.events("tunnel-refused") == [{"count": 1, "detail": why, "host": EVIL, "port": 8443}]


async def test_a_hello_in_many_pieces_is_waited_for(gateway, turned):
    await gateway.upstream("api.test")
    wire = await turned()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = gateway.context("http/1.1").wrap_bio(incoming, outgoing, server_hostname="api.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sent = outgoing.read()[5:]
    async with wire:
        for byte in sent:  # each byte a record of its own
            await wire.send(b"\x16\x03\x01\x00\x01" + bytes([byte]))
        incoming.write(await wire.reader.read(1 << 16))
        client.do_handshake()  # with TLS 1.3 the client has all that it needs after our first flight
        assert client.getpeercert()["subjectAltName"] == (("DNS", "api.test"),)
    await gateway.stop()
    assert gateway.events("tunnel-refused") == []


@pytest.mark.parametrize("sent", [b"", b"\x16\x03", hello("api.test")[:60]], ids=["nothing", "two bytes", "half a greeting"])
async def test_who_never_says_what_for_is_not_waited_for(make, sent):
    gateway = await make(limits=Limits(stranger=timedelta(milliseconds=50)))
    gateway.engine._original = lambda _sock: Original(EVIL, 443)
    async with await Wire.to(await gateway.engine.listen("127.0.0.1", 0, AGENT, "transparent")) as client:
        await client.send(sent)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            assert not await client.reader.readexactly(1)


def test_a_hello_of_as_many_records_as_bytes_is_read_once():
    records = b"".join(b"\x16\x03\x01\x00\x01" + bytes([byte]) for byte in b"\x01\x00\xff\xff" + b"a" * 2500)
    reading, begun = Hello(), time.process_time()
    for end in range(1, len(records)):
        assert isinstance(reading.server_name(bytearray(records[:end])), Wants)
    assert time.process_time() - begun < 2  # again from the start each time, it would be a minute
    assert reading.server_name(records + records[:6] * 300) == Unnamed("client hello too long")


async def test_a_name_that_was_made_up_for_an_address_stands_in_the_note(gateway, turned):
    gateway.addon._outside = gateway.addon._outside.__class__(
        trust=gateway.addon._outside.trust, called=lambda address: {EVIL: "db.internal"}.get(address, address)
    )
    async with await turned(443) as client:
        await client.send(b"SSH-2.0-x\r\n")
        assert await client.rest() == b""
    await gateway.stop()
    assert [event["host"] for event in gateway.events("tunnel-refused")] == ["db.internal"]


async def test_who_comes_on_purpose_and_was_not_turned_is_refused(gateway):
    await gateway.upstream("api.test", tls=False)
    port = await gateway.engine.listen("127.0.0.1", 0, AGENT, "transparent")
    async with await Wire.to(port) as client:
        assert await client.rest() == b""
    await gateway.stop()
    assert [event["detail"] for event in gateway.events("tunnel-refused")] == ["not redirected"]


async def test_where_a_connection_was_going_is_unknown_without_netfilter_or_a_transparent_socket():
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    there = await accepted
    assert original_destination(there.get_extra_info("socket")) is None
    for one in (writer, there):
        one.close()
    server.close()


# who it is, where nobody can show anything

ANN, BOB = (Agent(id=name, since=datetime(2020, 1, 1, tzinfo=UTC)) for name in ("ann", "bob"))


def here(agent: Agent, block: str = "127.0.0.1", **said) -> Enrolled:
    return Enrolled(agent=agent, peers=(peers_of(block),), **said)


@pytest.mark.parametrize(
    ("agents", "why"),
    [
        ([here(ANN)], "ambiguous-address"),
        ([here(ANN, transparent=True), here(BOB, "127.0.0.0/8")], "ambiguous-address"),
        ([here(ANN, transparent=True), here(BOB, revoked=True)], "ambiguous-address"),
        ([here(ANN, transparent=True, revoked=True)], "revoked"),
        ([here(ANN, "10.0.0.1", transparent=True)], "no-credentials"),
        ([Enrolled(agent=ANN, transparent=True)], "no-credentials"),
        ([], "no-credentials"),
    ],
    ids=["not-said", "two", "ones-old-address", "revoked", "elsewhere", "anywhere", "nobody"],
)
async def test_an_address_that_does_not_say_who_it_is_gets_nothing(gateway, turned, agents, why):
    upstream = await gateway.upstream("api.test", tls=False)
    gateway.engine.adopt(Agents(by_name={one.agent.id: one for one in agents}))
    async with await turned(80, door=None) as client:
        await client.send("GET /a HTTP/1.1\r\nHost: api.test\r\n\r\n")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            assert not await client.reader.readexactly(1)
    await gateway.stop()
    assert upstream.accepted == 0
    assert [event["why"] for event in gateway.events("stranger")] == [why]


async def test_an_address_that_is_one_agents_alone_says_who_it_is_until_it_is_not_any_more(gateway, turned):
    await gateway.upstream("api.test", tls=False)
    gateway.engine.adopt(Agents(by_name={"ann": here(ANN, transparent=True), "bob": here(BOB, "10.0.0.1")}))
    async with await turned(80, door=None) as client:
        await client.request("GET", "/a", "api.test", Proxy_Authorization="Basic Ym9iOnRva2Vu")
        assert (await client.answer()).status == 200
        assert gateway.engine.adopt(Agents(by_name={"ann": here(ANN, transparent=True), "bob": here(BOB)})) == 1
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            assert not await client.reader.readexactly(1)
    await gateway.stop()
    assert [decision["agent"]["id"] for decision in gateway.decisions()] == ["ann"]


async def test_a_listener_that_is_one_agents_says_who_it_is(gateway, turned):
    await gateway.upstream("api.test", tls=False)
    gateway.engine.adopt(Agents(by_name={"ann": Enrolled(agent=ANN), "bob": here(BOB)}))
    async with await turned(80, door="ann") as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
    await gateway.stop()
    assert [decision["agent"]["id"] for decision in gateway.decisions()] == ["ann"]


def test_a_socket_that_may_take_what_is_for_others_says_where_that_was_going():
    with socket.create_server(("127.0.0.1", 0)) as server:
        try:
            server.setsockopt(socket.IPPROTO_IP, 19, 1)
        except PermissionError:
            pytest.skip("IP_TRANSPARENT needs CAP_NET_ADMIN")
        with socket.create_connection(server.getsockname()), server.accept()[0] as there:
            assert original_destination(there) == Original("127.0.0.1", server.getsockname()[1])
