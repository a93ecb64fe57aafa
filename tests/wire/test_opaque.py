"""TLS that is an agent's own: nobody reads it, so it is decided whole, goes to one host, is counted, and can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from OpenSSL import SSL
from signed import Signer, people
from wire.gateway import NOWHERE, POLICY, READS_BODIES
from wire.test_halt import CODER, halt
from wire.test_https_listener import Issuer
from wire.test_upstreams import CorporateProxy, proxied

from outgate.halt import Halt, Scope
from outgate.mitm.link import MIB
from outgate.policy.decision import Reason

ALERT_REFUSED, ALERT_FAILED, ALERT_NAME = (
    b"\x15\x03\x03\x00\x02\x02\x31",
    b"\x15\x03\x03\x00\x02\x02\x50",
    b"\x15\x03\x03\x00\x02\x02\x70",
)
RULES = """
    outgate: policy/v1alpha
    policy: opaque
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: block, T3: block, unmapped: {read: allow, other: allow}, to: ops}
    approvers:
      ops: {need: 1, of: ["group:ops"]}
    rules:
"""
NO_RULES = RULES + "      - {id: other, match: {resource: '*/forbidden*'}, effect: block}\n"
ALLOWED = RULES + "      - {id: pinned, match: {action: http.tunnel, resource: 'pinned.test:443'}, effect: allow}\n"


class Pinned:
    """An upstream that only speaks to whoever trusts its own CA, and shows a certificate of it where that is asked for."""

    def __init__(self, gateway, *, host="pinned.test", asks=""):
        self.gateway, self.host, self.asks = gateway, host, asks
        self.accepted, self.got, self.names = 0, b"", []
        self.writers = []
        self.speak = self.echo

    async def start(self):
        self.tls = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = self.gateway.folder / f"{self.host}.pem"
        file.write_bytes(self.gateway.pki.ca.leaf(self.host, datetime.now(UTC)).pem)
        context.load_cert_chain(file)
        context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        if self.asks:
            context.load_verify_locations(self.asks)
            context.verify_mode = ssl.CERT_REQUIRED
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.leads(self.server.sockets[0].getsockname()[1])
        return self

    def leads(self, port, **said):
        self.gateway.leads(self.host, port)
        self.gateway.destinations[self.host] = replace(self.gateway.destinations[self.host], opaque=True, **said)

    async def _serve(self, reader, writer):
        self.accepted += 1
        self.writers.append(writer)
        self.peer = writer.get_extra_info("peercert")
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.speak(reader, writer)
        writer.close()

    async def echo(self, reader, writer):
        while data := await reader.read(65536):
            self.got += data
            writer.write(data)
            await writer.drain()

    async def stop(self):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()


@pytest.fixture
async def start(make):
    """Start a gate, and an upstream whose TLS is passed on unread."""
    started = []

    async def one(policy=ALLOWED, asks="", **said):
        gateway = await make(policy_text=policy, people=people(Signer("alice")), **said)
        pinned = await Pinned(gateway, asks=asks).start()
        started.append(pinned)
        return gateway, pinned

    yield one
    for pinned in started:
        await pinned.stop()


def trusts(gateway):
    """A client that trusts the upstream's CA and no other, as one that pins it does."""
    return ssl.create_default_context(cafile=str(gateway.pki.ca_file))


async def inside(gateway, *, context=None, name="pinned.test", host="pinned.test"):
    wire = await gateway.plain()
    assert (await wire.tunnel(host, 443)).status == 200
    await wire.tls(context or trusts(gateway), name)
    return wire


def hello(name="pinned.test"):
    """A whole ClientHello."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(into, out, server_hostname=name).do_handshake()
    return out.read()


async def says(gateway, data, *, host="pinned.test"):
    """What a client gets that opens a tunnel and says so, until the end."""
    wire = await gateway.plain()
    assert (await wire.tunnel(host, 443)).status == 200
    await wire.send(data)
    return await wire.rest()


async def settled(gateway):
    await gateway.stop()
    return [f"{decision['answer']} {decision['reason']}" for decision in gateway.decisions()]


async def test_its_own_tls_passes_and_the_record_says_that_nobody_read_it(start):
    gateway, pinned = await start()
    wire = await inside(gateway)
    issuer = {name: value for part in wire.certificate["issuer"] for name, value in part}
    assert f"CN={issuer['commonName']}" in gateway.pki.ca.certificate.subject.rfc4514_string()
    for word in (b"one", b"two"):
        await wire.send(word)
        assert await wire.reader.readexactly(3) == word
    wire.writer.close()
    assert await settled(gateway) == ["allow policy"]
    (decision,), (outcome,) = gateway.decisions(), gateway.outcomes()
    assert decision["request"]["uninspected"] is True
    assert (decision["request"]["host"], decision["request"]["port"]) == ("pinned.test", 443)
    assert [(one["name"], one["resource"], one["tier"]) for one in decision["actions"]] == [("http.tunnel", "pinned.test:443", 2)]
    assert decision["pin"]["address"] == "127.0.0.1"
    assert outcome["result"] == "executed"
    assert outcome["sent"] > 6
    assert outcome["received"] > 6
    assert (pinned.got, pinned.names) == (b"onetwo", ["pinned.test"])


async def test_a_client_shows_its_own_certificate_to_its_upstream(start, tmp_path):
    issuer = Issuer(tmp_path)
    gateway, pinned = await start(asks=str(issuer.file))
    context = trusts(gateway)
    context.load_cert_chain(issuer.issue("client").file)
    wire = await inside(gateway, context=context)
    await wire.send(b"me")
    assert await wire.reader.readexactly(2) == b"me"
    assert {value for part in pinned.peer["subject"] for _, value in part} == {"client"}
    wire.writer.close()


async def test_a_host_that_is_not_listed_is_read_as_ever(start):
    gateway, _ = await start(NO_RULES)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("mode", ["enforce", "observe"])
async def test_what_policy_says_of_it_holds_where_it_is_enforced(start, mode):
    gateway, pinned = await start(NO_RULES.replace("enforce", mode))
    if mode == "observe":
        wire = await inside(gateway)
        await wire.send(b"hi")
        assert await wire.reader.readexactly(2) == b"hi"
        wire.writer.close()
        assert await settled(gateway) == ["allow policy"]
        assert gateway.decisions()[0]["would"] == "block"
    else:
        assert await says(gateway, hello()) == ALERT_REFUSED
        assert await settled(gateway) == ["block policy"]
        assert pinned.accepted == 0


async def test_a_refusal_asks_no_nameserver(start):
    gateway, _ = await start(NO_RULES)
    asked = []
    gateway.resolver.pin = lambda *said: asked.append(said)
    assert await says(gateway, hello()) == ALERT_REFUSED
    assert asked == []


@pytest.mark.parametrize("name", ["evil.test", "sub.pinned.test", "pinned.test.evil.test", "pinned.tes"])
async def test_tls_for_another_host_than_the_tunnels_is_refused_with_a_receipt(start, name):
    gateway, pinned = await start()
    evil = await gateway.upstream("evil.test")
    assert await says(gateway, hello(name)) == ALERT_REFUSED
    assert await settled(gateway) == ["block unreadable"]
    assert (pinned.accepted, evil.accepted) == (0, 0)


def _with(data, old, new):
    assert data.count(old) == 1
    return data.replace(old, new)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (hello(None), "no server name"),
        (hello("127.0.0.1"), "no server name"),
        (_with(hello(), b"pinned.test", b"pinned\0test"), "malformed server name"),
        (_with(hello(), b"pinned.test", b"127.000.0.1"), "malformed server name"),
        (b"\x16\x03\x01\x00\x00", "malformed client hello"),
        (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "malformed client hello"),
        (b"\x16\x03\x01\xff\xff\x01\x00\xff\xff", "client hello too long"),
    ],
)
async def test_tls_that_names_no_host_is_refused_with_a_note(start, data, detail):
    gateway, pinned = await start()
    assert await says(gateway, data) == ALERT_NAME
    await gateway.stop()
    leads_to = NOWHERE if gateway.way == "transparent" else "pinned.test"
    assert gateway.events("tunnel-refused") == [{"host": leads_to, "port": 443, "detail": detail, "count": 1}]
    assert pinned.accepted == 0


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"\x17\x03\x03\x00\x01x", b"\x00\x01"])
async def test_what_is_no_tls_goes_nowhere(start, data):
    gateway, pinned = await start()
    assert await says(gateway, data) == b""
    assert pinned.accepted == 0


async def test_http_in_the_clear_to_a_listed_host_is_read(start):
    gateway, pinned = await start()
    wire = await gateway.plain()
    await wire.tunnel("pinned.test", 443)
    await wire.request("GET", "/a", "pinned.test:443")
    assert (await wire.answer()).status in {400, 421, 502, 403}
    assert pinned.got == b""
    assert all("uninspected" not in decision["request"] for decision in gateway.decisions())


async def test_a_hello_may_come_in_pieces_and_in_several_records(start):
    gateway, pinned = await start()
    whole = hello()
    message = whole[5:]
    parts = [message[at : at + 100] for at in range(0, len(message), 100)]
    wire = await gateway.plain()
    await wire.tunnel("pinned.test", 443)
    for byte in b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts):
        await wire.send(bytes([byte]))
    assert (await asyncio.wait_for(wire.reader.readexactly(3), 20))[:2] == b"\x16\x03"
    assert pinned.names == ["pinned.test"]
    wire.writer.close()


async def test_a_rule_that_looks_for_data_can_not_be_answered_so_it_holds(start):
    gateway, pinned = await start(POLICY.format(mode="enforce") + READS_BODIES)
    assert await says(gateway, hello()) == ALERT_REFUSED
    assert await settled(gateway) == ["block policy"]
    assert pinned.accepted == 0


async def test_a_rule_that_looks_for_data_may_leave_tunnels_out(start):
    secrets = '      - {id: no-secrets, match: {data: [secret]}, unless: action.operation == "tunnel", effect: block}\n'
    gateway, _ = await start(ALLOWED + secrets)
    wire = await inside(gateway)
    await wire.send(b"hi")
    assert await wire.reader.readexactly(2) == b"hi"
    wire.writer.close()


async def test_a_rule_that_reads_answers_lets_nothing_by_that_it_can_not_read(start):
    gateway, pinned = await start(ALLOWED + "      - {id: rows, phase: response, when: response.rows > 1, effect: block}\n")
    assert await says(gateway, hello()) == ALERT_REFUSED
    await settled(gateway)
    assert [(one["result"], one["error"]) for one in gateway.outcomes()] == [
        ("refused", "a rule must read what passes, and here nobody can")
    ]
    assert pinned.accepted == 0


async def test_a_rule_for_messages_lets_nothing_by_that_it_can_not_read(start):
    gateway, pinned = await start(ALLOWED + "      - {id: words, phase: stream, when: message.size > 10, effect: block}\n")
    assert await says(gateway, hello()) == ALERT_REFUSED
    assert pinned.accepted == 0


@pytest.mark.parametrize("rule", ["phase: stream, when: message.size > 10", "phase: response, when: response.rows > 1"])
async def test_where_nothing_is_enforced_no_such_rule_stops_it(start, rule):
    gateway, _ = await start((ALLOWED + f"      - {{id: words, {rule}, effect: block}}\n").replace("enforce", "observe"))
    wire = await inside(gateway)
    await wire.send(b"hi")
    assert await wire.reader.readexactly(2) == b"hi"
    wire.writer.close()


async def test_what_may_only_be_tried_in_a_sandbox_has_none(start):
    sandboxed = RULES + "      - {id: try, match: {action: http.tunnel}, effect: sandbox}\n"
    mocks = "    mocks: {default: {answers: canned}}\n    rules:\n"
    gateway, pinned = await start(sandboxed.replace("T2: block", "T2: allow").replace("    rules:\n", mocks))
    assert await says(gateway, hello()) == ALERT_REFUSED
    assert [answer.split()[0] for answer in await settled(gateway)] == ["block"]
    assert pinned.accepted == 0


async def test_an_upstream_that_speaks_no_tls_is_not_heard(start):
    gateway, _ = await start()

    async def rude(_reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await writer.drain()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    Pinned(gateway).leads(server.sockets[0].getsockname()[1])
    assert await says(gateway, hello()) == b""
    await settled(gateway)
    assert [(one["result"], one["error"], one["received"]) for one in gateway.outcomes()] == [
        ("unknown", "the upstream speaks no TLS", 0)
    ]
    server.close()


async def test_an_upstream_that_is_not_there_is_told_in_tls_and_nothing_left(start):
    gateway, pinned = await start()
    await pinned.stop()
    await pinned.server.wait_closed()
    assert await says(gateway, hello()) == ALERT_FAILED
    await settled(gateway)
    assert [(one["result"], one["sent"]) for one in gateway.outcomes()] == [("refused", 0)]


async def test_more_than_may_pass_is_cut_both_ways_and_said(start):
    gateway, pinned = await start()
    pinned.leads(pinned.server.sockets[0].getsockname()[1], max_bytes=100_000)
    wire = await inside(gateway)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        for _ in range(100):
            await wire.send(b"x" * 10_000)
    assert len(await wire.rest()) < 100_000
    await settled(gateway)
    ((result, error, sent, received),) = [(o["result"], o["error"], o["sent"], o["received"]) for o in gateway.outcomes()]
    assert (result, error) == ("unknown", "over max_bytes")
    assert 100_000 < sent + received < 100_000 + 2 * MIB
    assert gateway.bounded == ["max_bytes"]


@pytest.mark.parametrize("covers", [CODER, Halt(scope=Scope.ALL), Halt(scope=Scope.SERVICE, name="http")])
async def test_a_halt_cuts_it(start, covers):
    gateway, _ = await start()
    wire = await inside(gateway)
    await wire.send(b"hi")
    assert await wire.reader.readexactly(2) == b"hi"
    assert halt(gateway, covers) == 1
    assert await wire.rest() == b""
    await settled(gateway)
    assert [(one["result"], one["error"]) for one in gateway.outcomes()] == [("unknown", "halted")]


async def test_a_client_that_does_not_read_holds_up_its_upstream_and_fills_no_memory(start):
    gateway, pinned = await start()
    sent = 0

    async def endless(reader, writer):
        nonlocal sent
        await reader.read(10)
        while sent < 64 * MIB:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    pinned.speak = endless
    wire = await inside(gateway)
    tracemalloc.start()
    await wire.send(b"go")
    last = -1
    while last != sent or not sent:
        last = sent
        await asyncio.sleep(0.3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent < 32 * MIB
    assert peak < 16 * MIB
    wire.writer.transport.abort()


async def test_a_large_upload_passes_in_little_memory(start):
    gateway, pinned = await start()
    total = 0

    async def swallow(reader, writer):
        nonlocal total
        while data := await reader.read(65536):
            total += len(data)
            if total >= 32 * MIB:
                writer.write(b"done")
                await writer.drain()
                return

    pinned.speak = swallow
    wire = await inside(gateway)
    tracemalloc.start()
    for _ in range(512):
        await wire.send(bytes(65536))
    assert await wire.reader.readexactly(4) == b"done"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MIB
    wire.writer.close()
    await settled(gateway)
    (outcome,) = gateway.outcomes()
    assert outcome["sent"] > 32 * MIB


async def test_who_leaves_while_it_is_decided_is_not_waited_for(make):
    asked = RULES + "      - {id: ask, match: {action: http.tunnel}, effect: escalate, to: ops}\n"
    gateway = await make(
        policy_text=asked.replace("T2: block", "T2: allow"), people=people(Signer("alice")), hold=timedelta(seconds=60)
    )
    pinned = await Pinned(gateway).start()
    wire = await gateway.plain()
    await wire.tunnel("pinned.test", 443)
    await wire.send(hello())
    async with asyncio.timeout(20):
        while not gateway.gate.held:
            await asyncio.sleep(0.01)
        wire.writer.close()
        while gateway.gate.held:
            await asyncio.sleep(0.01)
    assert pinned.accepted == 0
    await pinned.stop()


async def test_it_goes_through_the_upstream_proxy_where_there_is_one(start):
    gateway, pinned = await start()
    port = pinned.server.sockets[0].getsockname()[1]
    proxy: CorporateProxy = await proxied(gateway, "pinned.test")
    gateway.destinations["pinned.test"] = replace(gateway.destinations["pinned.test"], opaque=True)
    proxy.leads["pinned.test:443"] = port
    wire = await inside(gateway)
    await wire.send(b"hi")
    assert await wire.reader.readexactly(2) == b"hi"
    assert len(proxy.heads) == 1
    wire.writer.close()
    await settled(gateway)
    await proxy.stop()


async def test_an_address_that_may_not_be_reached_is_refused(start):
    gateway, pinned = await start()
    gateway.resolver._served = True
    gateway.destinations["pinned.test"] = replace(gateway.destinations["pinned.test"], route=None)
    gateway.resolver._lookup._ask = lambda _name: (__import__("ipaddress").ip_address("127.0.0.1"),)
    assert await says(gateway, hello()) == ALERT_REFUSED
    assert await settled(gateway) == [f"block {Reason.DESTINATION.value}"]
    assert pinned.accepted == 0


class Anew:
    """A client that is asked for its ClientHello anew, because the upstream wants another kind of key; it names who it likes."""

    def __init__(self, wire):
        self.wire, self.tls = wire, SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        self.tls.set_connect_state()

    def hello(self, name):
        self.tls.set_tlsext_host_name(name.encode())
        with contextlib.suppress(SSL.WantReadError):
            self.tls.do_handshake()
        return self.tls.bio_read(65536)

    async def hears(self):
        self.tls.bio_write(await asyncio.wait_for(self.wire.reader.read(65536), 20))

    async def told(self, size):
        while True:
            await self.hears()
            with contextlib.suppress(SSL.WantReadError):  # a ticket, and nothing yet
                return self.tls.recv(size)

    async def first(self):
        """Greet, and be asked again."""
        await self.wire.send(self.hello("pinned.test"))
        await self.hears()


@pytest.fixture
async def anew(start):
    gateway, pinned = await start()
    pinned.tls.set_ecdh_curve("secp384r1")  # for which no client sends a key before it is asked to
    wire = await gateway.plain()
    await wire.tunnel("pinned.test", 443)
    return gateway, pinned, Anew(wire)


async def test_a_hello_that_an_upstream_asks_for_anew_names_the_same_host_and_passes(anew):
    _, pinned, client = anew
    await client.first()
    await client.wire.send(client.hello("pinned.test"))
    await client.hears()
    await client.wire.send(client.hello("pinned.test"))
    client.tls.send(b"hi")
    await client.wire.send(client.tls.bio_read(65536))
    assert await client.told(2) == b"hi"
    assert pinned.names == ["pinned.test", "pinned.test"]
    client.wire.writer.close()


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_hello_that_an_upstream_asks_for_anew_and_that_names_another_host_never_reaches_it(anew, pieces):
    gateway, pinned, client = anew
    await client.first()
    second = client.hello("evil.test")
    for at in range(pieces):
        await client.wire.send(second[at * len(second) // pieces : (at + 1) * len(second) // pieces])
    assert await client.wire.rest() == ALERT_REFUSED
    assert await settled(gateway) == ["allow policy"]
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["unknown"]
    (event,) = gateway.events("tunnel-refused")
    assert (event["host"], event["detail"]) == ("pinned.test", "another client hello than the one decided")
    assert pinned.names == ["pinned.test"]


async def test_a_second_hello_that_nobody_asked_for_yet_is_held_against_the_first_too(anew):
    gateway, pinned, client = anew
    await client.wire.send(hello() + hello("evil.test"))
    assert await client.wire.rest() == ALERT_REFUSED
    assert await settled(gateway) == []
    assert pinned.accepted == 0
