"""Upstreams: only the pinned address, only a certificate for the decided name, one request at a time, through a proxy if it must."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from wire.upstreams import CorporateProxy, silent

from outgate.ca.authority import make_authority
from outgate.intake.destinations import Destination, Via
from outgate.mitm.link import Limits
from outgate.ports import Pin


async def refused(gateway, host="api.test", path="/a") -> str:
    """Ask, and give what the log says of a request that nobody got."""
    async with await gateway.https(host) as client:
        await client.request("POST", path, host, b"SECRET")
        answer = await client.answer()
    assert answer.status == 502
    assert "nothing was sent" in answer.body.decode() or "nothing reached" in answer.body.decode()
    assert answer.header("outgate-receipt")
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["status"], outcome["sent"]) == ("refused", None, 0)
    return outcome["error"]


async def test_a_certificate_of_an_unknown_authority_is_refused(gateway):
    upstream = await gateway.upstream(ca=make_authority(datetime.now(UTC)))
    assert "certificate does not verify" in await refused(gateway)
    assert upstream.received == b""


async def test_a_certificate_for_another_name_is_refused(gateway):
    upstream = await gateway.upstream(certificate_for="evil.test")
    assert "ostname mismatch" in await refused(gateway)
    assert upstream.received == b""


async def test_a_certificate_that_expired_is_refused(gateway):
    then = datetime.now(UTC) - timedelta(days=60)
    ca = make_authority(then, timedelta(days=30))
    gateway.pki.ca_file.write_bytes(ca.pem)
    await gateway.upstream(ca=ca, at=then)
    assert "expired" in await refused(gateway)


async def test_an_upstream_that_speaks_no_tls_is_refused(gateway):
    upstream = await gateway.upstream(tls=False)
    assert "no TLS" in await refused(gateway)
    assert upstream.seen == []


async def test_a_port_where_nobody_listens_is_refused_and_the_resolver_is_told(gateway):
    gateway.leads("api.test", 1)
    assert "no connection" in await refused(gateway)
    assert [(pin.name, pin.address_port) for pin in gateway.unreached] == [("api.test", 1)]


async def test_an_upstream_that_never_answers_the_handshake_is_given_up(make):
    gateway = await make(limits=Limits(connect=timedelta(seconds=0.3)))
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    gateway.leads("api.test", server.sockets[0].getsockname()[1])
    assert "no TLS" in await refused(gateway)
    server.close()


async def test_a_failed_upstream_may_be_tried_again_on_the_same_connection(gateway):
    gateway.leads("api.test", 1)
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 502
        await gateway.upstream()
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_a_plain_request_to_nobody_is_refused_too(gateway):
    gateway.leads("api.test", 1)
    async with await gateway.plain() as client:
        await client.request("PUT", "http://api.test/a", "api.test", b"SECRET")
        assert (await client.answer()).status == 502


async def test_another_pin_means_another_connection(gateway):
    one = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"
        two = await gateway.upstream()
        await client.request("GET", "/b", "api.test")
        assert (await client.answer()).body == b"ok"
    assert ([seen.target for seen in one.seen], [seen.target for seen in two.seen]) == (["/a"], ["/b"])


async def test_a_connection_to_another_address_than_the_pin_is_dropped_before_a_byte(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream(tls=False)
    original = asyncio.open_connection

    async def elsewhere(host, port, **said):
        return await original(host, upstream.port if port == 1 else port, **said)

    gateway.leads("api.test", 1)
    client = await gateway.plain()
    monkeypatch.setattr(asyncio, "open_connection", elsewhere)
    async with client:
        await client.request("GET", "http://api.test/a", "api.test")
        assert await client.rest() == b""
    assert upstream.received == b""


async def test_a_pin_for_another_name_than_was_decided_is_never_used(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream()

    async def other(host, port):
        return Pin(name="evil.test", port=port, address="127.0.0.1", address_port=upstream.port)

    monkeypatch.setattr(gateway.resolver, "pin", other)
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert await client.rest() == b""
    assert upstream.accepted == 0
    gateway.check = lambda: None  # the decision stands in the log; nobody was let out on it


async def test_an_address_is_pinned_like_a_name(gateway):
    upstream = await gateway.upstream("192.0.2.7")
    async with await gateway.https("192.0.2.7") as client:
        await client.request("GET", "/a", "192.0.2.7")
        assert (await client.answer()).body == b"ok"
    assert upstream.client_names == [None], "an address is no server name (RFC 6066)"


async def test_an_ipv6_address_is_pinned_like_a_name(gateway):
    upstream = await gateway.upstream("2001:db8::7")
    wire = await gateway.plain()
    async with wire:
        assert (await wire.tunnel("[2001:db8::7]", 443)).status == 200
        await wire.tls(gateway.context("http/1.1"), "2001:db8::7")
        await wire.request("GET", "/a", "[2001:db8::7]")
        assert (await wire.answer()).body == b"ok"
    assert upstream.seen[0].header("host") == "[2001:db8::7]"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"hello\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\nanything goes",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"",
    ],
    ids=[
        "two-lengths",
        "length-and-chunks",
        "coding",
        "length",
        "bare-cr",
        "name",
        "status",
        "noise",
        "switch",
        "head",
        "nothing",
    ],
)
async def test_an_answer_that_is_none_becomes_a_502_that_says_so(gateway, raw):
    upstream = await gateway.upstream()

    async def odd(turn):
        await turn.raw(raw)

    upstream.answers["/odd"] = odd
    async with await gateway.https() as client:
        await client.request("POST", "/odd", "api.test", b"done")
        answer = await client.answer()
        assert answer.status == 502
        assert "was sent" in answer.body.decode()
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"
    await gateway.stop()
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["unknown", "executed"]


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
)
async def test_an_answer_that_breaks_off_breaks_off_for_the_client(gateway, raw):
    upstream = await gateway.upstream()

    async def half(turn):
        await turn.raw(raw)

    upstream.answers["/half"] = half
    async with await gateway.https() as client:
        await client.request("GET", "/half", "api.test")
        got = await client.rest()
        assert b"half" in got
        assert not got.endswith(b"0\r\n\r\n")
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["status"], outcome["received"]) == ("unknown", 200, 4)


async def test_an_upstream_that_closed_an_idle_connection_is_connected_again(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        for _ in range(3):
            await client.request("GET", "/a", "api.test")
            assert (await client.answer()).body == b"ok"
            upstream.drop_all()
            async with asyncio.timeout(20):
                while len(next(iter(gateway.engine._all())).transports) > 1:
                    await asyncio.sleep(0)
    assert upstream.accepted == 3


async def test_each_http1_upstream_connection_carries_one_request_at_a_time(gateway):
    upstream, go = await gateway.upstream(), asyncio.Event()

    async def wait(turn):
        await go.wait()
        await turn.answer(200, turn.seen.target.encode())

    upstream.answers["/wait"] = wait
    async with await gateway.h2() as client:
        streams = [await client.request("GET", f"/wait?{n}", "api.test") for n in range(12)]
        await upstream.until(lambda u: len(u.seen) == 12)
        assert upstream.accepted == 12
        go.set()
        bodies = [(await client.answer(stream)).body.decode() for stream in streams]
        assert bodies == [f"/wait?{n}" for n in range(12)]
        for _ in range(12):
            await client.answer(await client.request("GET", "/a", "api.test"))
    assert upstream.accepted == 12


async def test_more_upstream_connections_than_allowed_wait_for_their_turn(make):
    gateway = await make(limits=Limits(upstreams=2))
    upstream, go = await gateway.upstream(), asyncio.Event()

    async def wait(turn):
        await go.wait()
        await turn.answer(200, b"ok", Connection="close")

    upstream.answers["/wait"] = wait
    async with await gateway.h2() as client:
        streams = [await client.request("GET", "/wait", "api.test") for n in range(4)]
        await upstream.until(lambda u: len(u.seen) == 2)
        assert upstream.accepted == 2
        go.set()
        assert [(await client.answer(stream)).status for stream in streams] == [200] * 4


async def proxied(gateway, host="api.test", **said):
    proxy = CorporateProxy({}, **said)
    await proxy.start()
    gateway.upstreams_proxy = proxy
    scheme = "https" if proxy.certificate else "http"
    via = Via(scheme=scheme, host="127.0.0.1", port=proxy.port, credentials="outgate:s3cret")
    gateway.destinations[host] = Destination(pattern=host, route=via, ca=str(gateway.pki.ca_file))
    return proxy


BASIC = b"proxy-authorization: Basic b3V0Z2F0ZTpzM2NyZXQ="


async def test_a_request_goes_through_the_upstream_proxy_and_only_that_learns_our_credentials(gateway):
    upstream = await gateway.upstream()
    proxy = await proxied(gateway)
    proxy.leads["api.test:443"] = upstream.port
    async with await gateway.https() as client:
        for _ in range(2):
            await client.request("GET", "/a", "api.test")
            assert (await client.answer()).body == b"ok"
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n")
    assert BASIC in head
    assert b"roxy" not in upstream.received
    assert upstream.client_names == ["api.test"]
    assert "s3cret" not in str(gateway.receipts)
    await proxy.stop()


async def test_a_plain_request_goes_through_the_upstream_proxy_in_absolute_form(gateway):
    upstream = await gateway.upstream(tls=False)
    proxy = await proxied(gateway)
    proxy.leads["api.test"] = upstream.port
    async with await gateway.plain() as client:
        await client.request("GET", "http://api.test/a?b", "api.test")
        assert (await client.answer()).body == b"ok"
    assert proxy.heads[0].startswith(b"GET http://api.test/a?b HTTP/1.1\r\nhost: api.test\r\n")
    assert BASIC in proxy.heads[0]
    await proxy.stop()


async def test_a_request_goes_through_an_upstream_proxy_that_speaks_tls(gateway):
    upstream = await gateway.upstream()
    certificate = gateway.folder / "proxy.pem"
    certificate.write_bytes(gateway.pki.ca.leaf("127.0.0.1", datetime.now(UTC)).pem)
    proxy = await proxied(gateway, certificate=certificate)
    proxy.leads["api.test:443"] = upstream.port
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"
    assert BASIC in proxy.heads[0]
    await proxy.stop()


async def test_an_upstream_proxy_that_says_no_is_a_refusal(gateway):
    proxy = await proxied(gateway, refuses=407)
    assert "upstream proxy refused" in await refused(gateway)
    await proxy.stop()


async def test_the_certificate_is_verified_behind_a_proxy_too(gateway):
    upstream = await gateway.upstream(certificate_for="evil.test")
    proxy = await proxied(gateway)
    proxy.leads["api.test:443"] = upstream.port
    assert "certificate does not verify" in await refused(gateway)
    await proxy.stop()


async def test_a_client_certificate_is_shown_where_the_table_says(gateway):
    upstream, theirs = await gateway.upstream(), trustme.CA()
    mine = gateway.folder / "client.pem"
    mine.write_bytes(theirs.issue_cert("us@example.test").private_key_and_cert_chain_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(upstream.certificate)
    theirs.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    shown = []

    async def serve(reader, writer):
        shown.append(writer.get_extra_info("ssl_object").getpeercert())
        await upstream._serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    gateway.leads("api.test", server.sockets[0].getsockname()[1], client_cert=str(mine))
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"
    server.close()
    assert shown[0]["subjectAltName"] == (("email", "us@example.test"),)


async def test_an_http2_upstream_that_is_gone_is_a_failure_of_each_request_and_of_no_other(gateway):
    upstream, others = await gateway.upstream(alpn=("h2", "http/1.1")), asyncio.Event()

    async def silent(turn):
        if sum(seen.target == "/silent" for seen in upstream.seen) == 3:
            others.set()
        await asyncio.sleep(3600)

    upstream.answers["/silent"] = silent
    async with await gateway.h2() as client:
        assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
        asked = [await client.request(method, "/silent", "api.test") for method in ("GET", "GET", "DELETE")]
        await others.wait()
        upstream.drop_all()
        assert [(await client.answer(stream)).status for stream in asked] == [502] * 3
        assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
    assert upstream.accepted == 2
