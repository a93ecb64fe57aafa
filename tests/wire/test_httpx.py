"""An ordinary client library, with both protocols, pools and redirects of its own."""

from __future__ import annotations

import asyncio

import httpx
import pytest


def client(gateway, *, http1: bool = True, http2: bool = False) -> httpx.AsyncClient:
    proxy = httpx.Proxy(
        f"{gateway.way}://localhost:{gateway.port}", ssl_context=gateway.context() if gateway.way == "https" else None
    )
    return httpx.AsyncClient(proxy=proxy, verify=gateway.context(), http1=http1, http2=http2, trust_env=False, timeout=20)


@pytest.mark.parametrize(
    ("http1", "http2", "spoken"), [(True, False, "HTTP/1.1"), (False, True, "HTTP/2"), (True, True, "HTTP/1.1")]
)
async def test_it_works_and_reads_its_refusals(gateway, http1, http2, spoken):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with client(gateway, http1=http1, http2=http2) as asks:
        first = await asks.post("https://api.test/a", json={"a": 1})
        refused = await asks.delete("https://api.test/forbidden")
        again = await asks.get("https://api.test/b")
    assert [(answer.status_code, answer.http_version) for answer in (first, refused, again)] == [
        (200, spoken),
        (403, spoken),
        (200, spoken),
    ]
    assert "Forbidden things stay here." in refused.text
    assert [(seen.target, bytes(seen.body)) for seen in upstream.seen] == [("/a", b'{"a":1}'), ("/b", b"")]


@pytest.mark.parametrize("http2", [False, True])
async def test_it_asks_many_things_at_once(gateway, http2):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with client(gateway, http1=not http2, http2=http2) as asks:
        answers = await asyncio.gather(
            *(asks.get(f"https://api.test/{'forbidden' if n % 3 == 0 else 'a'}/{n}") for n in range(30))
        )
    assert [answer.status_code for answer in answers] == [403 if n % 3 == 0 else 200 for n in range(30)]
    assert len(upstream.seen) == 20


async def test_its_redirect_is_a_request_of_its_own(gateway):
    upstream, other = await gateway.upstream(), await gateway.upstream("other.test")

    async def away(turn):
        await turn.answer(302, b"", Location="https://other.test/forbidden")

    upstream.answers["/away"] = away
    async with client(gateway) as asks:
        answer = await asks.get("https://api.test/away", follow_redirects=True)
    assert (answer.status_code, other.accepted) == (403, 0)


async def test_it_streams_what_comes(gateway):
    upstream, more = await gateway.upstream(), asyncio.Event()

    async def events(turn):
        await turn.head(200, [("content-type", "text/event-stream")])
        await turn.send(b"data: one\n\n")
        await asyncio.wait_for(more.wait(), 20)
        await turn.send(b"data: two\n\n")
        await turn.end()

    upstream.answers["/events"] = events
    got = []
    async with client(gateway) as asks, asks.stream("GET", "https://api.test/events") as answer:
        async for line in answer.aiter_lines():
            got.append(line)
            more.set()
    assert [line for line in got if line] == ["data: one", "data: two"]
