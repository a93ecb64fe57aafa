"""A connection that was a proxy's and becomes a tunnel: what it led to before has no word in it."""

from __future__ import annotations

import asyncio

import pytest

INJECTED = b"GET /injected HTTP/1.1\r\nHost: api.test\r\n\r\n"


class Kept:
    """An upstream that answers once, and can speak later of its own accord."""

    def __init__(self):
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.writers.append(writer)


@pytest.fixture
async def between(gateway):
    """A client that asked for something in the clear and then opened a tunnel, with what it led to before still there."""
    gateway.check = lambda: None  # one of the upstreams keeps no record
    upstream, kept = await gateway.upstream(tls=False), Kept()
    gateway.leads("kept.test", await kept.start())
    client = await gateway.plain()
    await client.request("GET", "http://kept.test/a", "kept.test")
    assert (await client.answer()).status == 200
    assert (await client.tunnel("api.test", 80)).status == 200
    yield client, upstream, kept.writers[0]
    client.writer.close()
    kept.server.close()


async def test_what_an_upstream_says_later_is_not_taken_for_the_clients_words(between, gateway):
    client, upstream, before = between
    before.write(INJECTED)
    await before.drain()
    await asyncio.sleep(0.2)
    await client.request("GET", "/a", "api.test")
    assert (await client.answer()).status == 200
    assert [seen.target for seen in upstream.seen] == ["/a"]
    assert not any(decision["request"].get("path") == "/injected" for decision in gateway.decisions())


async def test_an_upstream_that_hangs_up_later_does_not_end_the_tunnel(between):
    client, upstream, before = between
    before.transport.abort()
    await asyncio.sleep(0.2)
    await client.request("GET", "/a", "api.test")
    assert (await client.answer()).status == 200
    assert [seen.target for seen in upstream.seen] == ["/a"]
