"""Host decided = host connected = host verified = host sent; what can be read two ways is refused."""

from __future__ import annotations

import pytest


async def test_a_host_other_than_the_tunnels_is_refused(gateway):
    upstream, evil = await gateway.upstream(), await gateway.upstream("evil.test")
    async with await gateway.https() as client:
        await client.request("GET", "/a", "evil.test")
        assert (await client.answer()).status == 421
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok", "and the connection is still good"
    assert (len(upstream.seen), evil.accepted) == (1, 0)


async def test_an_authority_other_than_the_tunnels_is_refused(gateway):
    upstream, evil = await gateway.upstream(alpn=("h2",)), await gateway.upstream("evil.test", alpn=("h2",))
    async with await gateway.h2() as client:
        assert (await client.answer(await client.request("GET", "/a", "evil.test"))).status == 421
        assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
    assert (len(upstream.seen), evil.accepted) == (1, 0)


async def test_a_server_name_other_than_the_tunnels_is_refused_where_the_client_can_read_it(gateway):
    upstream, evil = await gateway.upstream(), await gateway.upstream("evil.test")
    async with await gateway.https(sni="evil.test") as client:  # its certificate verifies for evil.test
        assert client.certificate["subjectAltName"] == (("DNS", "evil.test"),)
        for host in ("evil.test", "api.test"):
            await client.request("GET", "/a", host)
            assert (await client.answer()).status == 421
    assert (upstream.accepted, evil.accepted) == (0, 0)


async def test_another_port_than_the_tunnels_is_refused(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test:8443")
        assert (await client.answer()).status == 421
    assert upstream.accepted == 0


async def test_a_leaf_has_exactly_one_name(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        assert client.certificate["subjectAltName"] == (("DNS", "api.test"),)
    wire = await gateway.plain()
    async with wire:
        assert (await wire.tunnel("127.0.0.1", 443)).status == 200
        await wire.tls(gateway.context(), "127.0.0.1")
        assert wire.certificate["subjectAltName"] == (("IP Address", "127.0.0.1"),)


async def test_the_upstream_gets_the_decided_name_and_no_other(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https(sni="API.test") as client:
        await client.request("GET", "/a", "api.test.")
        assert (await client.answer()).body == b"ok"
    assert (upstream.client_names, upstream.seen[0].header("host")) == (["api.test"], "api.test")


@pytest.mark.parametrize(
    ("what", "head"),
    [
        ("two hosts", "GET /a HTTP/1.1\r\nHost: api.test\r\nHost: evil.test\r\n\r\n"),
        ("the same host twice", "GET /a HTTP/1.1\r\nHost: api.test\r\nHost: api.test\r\n\r\n"),
        ("no host", "GET /a HTTP/1.1\r\n\r\n"),
        ("absolute form in a tunnel", "GET https://api.test/a HTTP/1.1\r\nHost: api.test\r\n\r\n"),
        ("lower-case method", "get /a HTTP/1.1\r\nHost: api.test\r\n\r\n"),
        ("CONNECT in a tunnel", "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n"),
        ("a version of its own", "GET /a HTTP/3.7\r\nHost: api.test\r\n\r\n"),
        ("HTTP/2.0 by its word", "GET /a HTTP/2.0\r\nHost: api.test\r\n\r\n"),
        ("a tab in the request line", "GET\t/a HTTP/1.1\r\nHost: api.test\r\n\r\n"),
        ("two spaces", "GET  /a HTTP/1.1\r\nHost: api.test\r\n\r\n"),
        ("a space in the target", "GET /a b HTTP/1.1\r\nHost: api.test\r\n\r\n"),
        ("bare LF", "GET /a HTTP/1.1\nHost: api.test\n\n"),
        ("one bare LF", "GET /a HTTP/1.1\r\nHost: api.test\nX: 1\r\n\r\n"),
        ("bare CR", "GET /a HTTP/1.1\r\nHost: api.test\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n"),
        ("NUL", "GET /a HTTP/1.1\r\nHost: api.test\r\nX: a\0b\r\n\r\n"),
        ("a folded line", "GET /a HTTP/1.1\r\nHost: api.test\r\nX: a\r\n b\r\n\r\n"),
        ("a space before the colon", "GET /a HTTP/1.1\r\nHost: api.test\r\nX : a\r\n\r\n"),
        ("a line without a colon", "GET /a HTTP/1.1\r\nHost: api.test\r\nX\r\n\r\n"),
        (
            "length and chunks",
            "POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", "POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        ("a signed length", "POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: +0\r\n\r\n"),
        ("another coding", "POST /a HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("chunks in HTTP/1.0", "POST /a HTTP/1.0\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("not a request at all", "hello there general kenobi\r\n\r\n"),
        ("half a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
    ],
)
async def test_what_can_be_read_two_ways_is_refused_with_a_receipt(gateway, what, head):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send(head + "GET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n")
        answer = await client.answer()
        assert answer.status == 400, what
        assert answer.header("connection") == "close", "where the next request begins is anybody's guess"
        assert await client.rest() == b""
    assert upstream.accepted == 0
    (decision,) = gateway.decisions()
    assert (decision["answer"], decision["request"]["status"]) == ("block", 400)


@pytest.mark.parametrize(
    ("what", "pseudo", "headers"),
    [
        ("a request line in the method", [(":method", "GET /evil HTTP/1.1 x")], []),
        ("a space in the path", [(":path", "/a b")], []),
        ("no slash", [(":path", "a")], []),
        ("an absolute path", [(":path", "https://evil.test/")], []),
        ("another scheme", [(":scheme", "http")], []),
        ("CONNECT", [(":method", "CONNECT")], []),
        ("a second host", [], [("host", "evil.test"), ("host", "api.test")]),
        ("a length and no body", [], [("content-length", "5")]),
    ],
)
async def test_what_http2_lets_through_is_refused_by_the_reading(gateway, what, pseudo, headers):
    upstream = await gateway.upstream()
    first = {":method": "GET", ":scheme": "https", ":authority": "api.test", ":path": "/a", **dict(pseudo)}
    async with await gateway.h2() as client:
        stream = await client.request("", "", "", pseudo=list(first.items()), headers=headers)
        await client.until(lambda: stream in client.ended or stream in client.reset)
        assert client.gone or client.answers[stream].status in {400, 421}, what
    assert upstream.accepted == 0


@pytest.mark.parametrize(
    ("what", "head", "status"),
    [
        ("https without a tunnel", "GET https://api.test/a HTTP/1.1\r\nHost: api.test\r\n\r\n", 400),
        ("another host than the target's", "GET http://api.test/a HTTP/1.1\r\nHost: evil.test\r\n\r\n", 400),
        ("another scheme", "GET ftp://api.test/a HTTP/1.1\r\nHost: api.test\r\n\r\n", 400),
        ("userinfo", "GET http://api.test@evil.test/a HTTP/1.1\r\nHost: api.test\r\n\r\n", 400),
        ("port 0", "GET http://api.test:0/a HTTP/1.1\r\nHost: api.test:0\r\n\r\n", 400),
        ("a number for an address", "GET http://2130706433/a HTTP/1.1\r\nHost: 2130706433\r\n\r\n", 400),
        ("CONNECT without a port", "CONNECT api.test HTTP/1.1\r\nHost: api.test\r\n\r\n", 400),
        ("CONNECT with a body", "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\nContent-Length: 3\r\n\r\nabc", 400),
        ("CONNECT to nonsense", "CONNECT %%%:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("CONNECT to two hosts", "CONNECT api.test,evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        ("not HTTP either", "\x05\x01\x00", 400),
        ("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("SSH", "SSH-2.0-OpenSSH_9.6\r\n", 400),
        ("a head without end", "GET /" + "a" * 70000, 431),
        ("many headers", "GET http://api.test/a HTTP/1.1\r\nHost: api.test\r\n" + "X: 1\r\n" * 1000 + "\r\n", 431),
    ],
)
async def test_what_comes_to_the_gates_own_port_is_held_to_the_same(gateway, what, head, status):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        await client.send(head)
        assert (await client.answer()).status == status, what
        assert await client.rest() == b""
    assert upstream.accepted == 0
    assert [decision["answer"] for decision in gateway.decisions()] == ["block"]


async def test_credentials_for_the_proxy_are_never_passed_on(gateway):
    upstream = await gateway.upstream()
    wire = await gateway.plain()
    async with wire:
        await wire.send(
            "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nProxy-Authorization: Basic c2VjcmV0OnNlY3JldA==\r\n\r\n"
        )
        assert (await wire.head()).status == 200
        await wire.tls(gateway.context("http/1.1"), "api.test")
        await wire.request("GET", "/a", "api.test")
        assert (await wire.answer()).body == b"ok"
    assert b"c2VjcmV0" not in upstream.received


async def test_a_connect_asks_nobody_and_connects_to_nobody(gateway, monkeypatch):
    upstream = await gateway.upstream()
    asked = []
    monkeypatch.setattr(gateway.resolver, "pin", lambda *where: asked.append(where))
    async with await gateway.https():
        pass
    assert (asked, upstream.accepted) == ([], 0)
    assert gateway.decisions() == []


async def test_a_name_is_never_looked_up_by_the_plane(gateway, monkeypatch):
    """The pin is the only way to an address: not even the loop's own look-up is used."""
    import asyncio

    upstream = await gateway.upstream("only.pinned.test")
    loop = asyncio.get_running_loop()
    client = await gateway.https("only.pinned.test")
    asked = []

    async def getaddrinfo(*where, **_):
        asked.append(where)
        raise OSError

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo, raising=False)
    async with client:
        await client.request("GET", "/a", "only.pinned.test")
        assert (await client.answer()).body == b"ok"
    assert asked == []
    assert len(upstream.seen) == 1
