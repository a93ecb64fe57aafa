"""Bodies pass as they come, in both directions, and nobody's memory grows with them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from wire.clients import Streams
from wire.gateway import http_of

from outgate.mitm.link import KIB, MIB, Limits


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def until_it_stalls(send, pieces: int) -> int:
    """Send until nobody takes any more. Gives how many pieces went."""
    for sent in range(pieces):
        try:
            await asyncio.wait_for(send(), 1)
        except TimeoutError:
            return sent + 1
    raise AssertionError("everything was taken")


def stepwise(step: asyncio.Event):
    """Server-sent events: the second is sent only when the client has the first."""

    async def events(turn):
        await turn.head(200, [("content-type", "text/event-stream")])
        await turn.send(b"data: one\n\n")
        await asyncio.wait_for(step.wait(), 20)
        await turn.send(b"data: two\n\n")
        await turn.end()

    return events


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("mode", ["enforce", "observe"])
async def test_server_sent_events_pass_one_by_one(make, tls, mode):
    gateway = await make(mode=mode)
    upstream, acknowledged = await gateway.upstream(tls=tls), asyncio.Event()
    upstream.answers["/events"] = stepwise(acknowledged)
    async with await (gateway.https() if tls else gateway.plain()) as client:
        await client.request("GET", "/events" if tls else "http://api.test/events", "api.test")
        assert (await client.head()).header("content-type") == "text/event-stream"
        assert await client.chunk() == b"data: one\n\n"
        acknowledged.set()
        assert await client.chunk() == b"data: two\n\n"


async def test_blocked_events_are_an_answer_and_no_stream(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/forbidden/events", "api.test", Accept="text/event-stream")
        assert (await client.answer()).status == 403
    assert upstream.accepted == 0


@pytest.mark.parametrize("alpn", [("http/1.1",), ("h2",)])
async def test_eight_streams_of_events_on_one_http2_connection_all_start_at_once(gateway, alpn):
    upstream, all_begun = await gateway.upstream(alpn=alpn), asyncio.Event()
    upstream.answers["/events"] = stepwise(all_begun)
    async with await gateway.h2() as client:
        streams = [await client.request("GET", "/events", "api.test") for _ in range(8)]
        await client.until(lambda: all(s in client.answers and b"one" in client.answers[s].body for s in streams))
        assert not client.ended
        all_begun.set()
        assert {(await client.answer(s)).body for s in streams} == {b"data: one\n\ndata: two\n\n"}


@pytest.mark.parametrize("protocol", ["https", "h2", "h2-to-http/1.1"])
async def test_a_large_download_passes_in_little_memory(gateway, protocol):
    size, piece = 64 * MIB, os.urandom(MIB)
    upstream = await gateway.upstream(alpn=("h2",) if protocol == "h2" else ("http/1.1",))
    wanted = hashlib.sha256(piece * 64).digest()

    async def big(turn):
        await turn.head(200, [("content-length", str(size))])
        for _ in range(64):
            await turn.send(piece)
        await turn.end()

    upstream.answers["/big"] = big
    got, total, peak = hashlib.sha256(), 0, 0
    async with AsyncExitStack() as stack:
        before = rss()
        if protocol == "https":
            client = await stack.enter_async_context(await gateway.https())
            await client.request("GET", "/big", "api.test")
            await client.head()
            while total < size:
                data = await client.reader.read(MIB)
                got.update(data)
                total, peak = total + len(data), max(peak, rss())
        else:
            client = await stack.enter_async_context(await gateway.h2())
            stream = await client.request("GET", "/big", "api.test")
            while total < size:
                await client.until(lambda: stream in client.answers and client.answers[stream].body)
                data, client.answers[stream].body = client.answers[stream].body, b""
                got.update(data)
                total, peak = total + len(data), max(peak, rss())
    assert got.digest() == wanted
    assert peak - before < 24 * MIB


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_a_client_that_does_not_read_holds_up_its_upstream_and_fills_no_memory(gateway, alpn):
    upstream = await gateway.upstream(alpn=(alpn,))
    sent = 0

    async def endless(turn):
        nonlocal sent
        await turn.head(200, [("content-length", str(256 * MIB))])
        for _ in range(256):
            await turn.send(bytes(MIB))
            sent += 1

    upstream.answers["/endless"] = endless
    before = rss()
    async with await gateway.h2() as client:
        client.read_data = False
        stream = await client.request("GET", "/endless", "api.test")
        await client.until(lambda: stream in client.answers and len(client.answers[stream].body) >= 65535)
        quiet = -1
        while quiet != sent:  # until nothing moves any more
            quiet = sent
            for _ in range(2000):
                await asyncio.sleep(0)
        assert sent < 64
        assert rss() - before < 48 * MIB
        client.conn.reset_stream(stream)
        await client.flush()
    await upstream.until(lambda u: u.closed > 0)


async def test_one_stream_that_is_not_read_does_not_hold_up_the_others(gateway):
    upstream = await gateway.upstream(alpn=("h2",))

    async def endless(turn):
        await turn.head(200, [])
        while True:
            await turn.send(bytes(64 * KIB))

    upstream.answers["/endless"] = endless
    async with await gateway.h2() as client:
        client.conn.increment_flow_control_window(8 * MIB)  # the connection's, not the stream's
        stuck = await client.request("GET", "/endless", "api.test")
        client.read_data = False
        await client.until(lambda: stuck in client.answers and len(client.answers[stuck].body) >= 65535)
        for _ in range(3):
            assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
        client.conn.reset_stream(stuck)
        await client.flush()
    await upstream.until(lambda u: u.closed > 0)


@pytest.mark.parametrize("framing", ["length", "chunked", "h2", "h2-to-http/1.1"])
async def test_an_upload_passes_while_it_comes(gateway, framing):
    upstream = await gateway.upstream(alpn=("h2",) if framing == "h2" else ("http/1.1",))
    first, second = os.urandom(100 * KIB), os.urandom(200 * KIB)

    async def halfway():
        await upstream.until(lambda u: u.seen and len(u.seen[0].body) == len(first))

    if framing.startswith("h2"):
        async with await gateway.h2() as client:
            stream = await client.request("PUT", "/up", "api.test", end=False)
            await client.data(stream, first)
            await halfway()
            await client.data(stream, second, end=True)
            assert (await client.answer(stream)).body == b"ok"
    else:
        async with await gateway.https() as client:
            head = f"Content-Length: {len(first + second)}" if framing == "length" else "Transfer-Encoding: chunked"
            await client.send(f"PUT /up HTTP/1.1\r\nHost: api.test\r\n{head}\r\n\r\n")
            chunked = framing == "chunked"
            await client.send(b"%x\r\n%s\r\n" % (len(first), first) if chunked else first)
            await halfway()
            await client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(second), second) if chunked else second)
            assert (await client.answer()).body == b"ok"
    assert bytes(upstream.seen[0].body) == first + second


async def test_a_slow_upstream_holds_up_its_client_and_fills_no_memory(gateway):
    upstream, enough = await gateway.upstream(tls=False), asyncio.Event()
    upstream.early.add("/slow")

    async def slow(turn):
        await enough.wait()
        while await turn.reader.read(MIB):
            pass

    upstream.answers["/slow"] = slow
    before = rss()
    async with await gateway.plain() as client:
        await client.request("PUT", "http://api.test/slow", "api.test", Content_Length=str(256 * MIB))
        assert await until_it_stalls(partial(client.send, bytes(MIB)), 256) < 64
        assert rss() - before < 32 * MIB
        client.writer.transport.abort()
        enough.set()
    await upstream.until(lambda u: u.closed > 0)


async def test_a_slow_http2_upstream_holds_up_its_client_and_fills_no_memory(gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    upstream.gives_window = False
    before = rss()
    async with await gateway.h2() as client:
        stream = await client.request("PUT", "/slow", "api.test", end=False)
        assert await until_it_stalls(partial(client.data, stream, bytes(MIB)), 256) < 64
        assert rss() - before < 48 * MIB
        assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok", "the others are not held up"
        client.conn.reset_stream(stream)
        await client.flush()
    await upstream.until(lambda u: u.closed > 0)


async def test_a_refused_upload_is_not_kept_and_the_connection_stays_usable(gateway):
    upstream = await gateway.upstream()
    before = rss()
    async with await gateway.https() as client:
        await client.send(f"PUT /forbidden HTTP/1.1\r\nHost: api.test\r\nContent-Length: {64 * MIB}\r\n\r\n")
        assert (await client.answer()).status == 403, "before the body"
        for _ in range(64):
            await client.send(bytes(MIB))
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"
    assert rss() - before < 24 * MIB
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_a_refused_http2_upload_is_answered_at_once(gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    async with await gateway.h2() as client:
        stream = await client.request("PUT", "/forbidden", "api.test", end=False)
        assert (await client.answer(stream)).status == 403
        await client.data(stream, bytes(100 * KIB), end=True)
        assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
    assert [seen.target for seen in upstream.seen] == ["/a"]


@pytest.mark.parametrize("reads_bodies", [False, True])
async def test_a_client_that_waits_for_100_is_told_to_go_on(make, reads_bodies):
    gateway = await make(reads_bodies=reads_bodies)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("PUT /up HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.head()).status == 100
        await client.send("body")
        assert (await client.answer()).body == b"ok"
    assert upstream.seen[0].body == b"body"
    assert upstream.seen[0].header("expect") is None


async def test_an_http2_client_that_waits_for_100_is_told_to_go_on(gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    async with await gateway.h2() as client:
        stream = await client.request("PUT", "/up", "api.test", end=False, headers=[("expect", "100-continue")])
        await client.until(lambda: stream in client.informed)
        await client.data(stream, b"body", end=True)
        assert (await client.answer(stream)).body == b"ok"
    assert upstream.seen[0].body == b"body"


async def test_a_client_that_waits_for_100_is_refused_without_its_body(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("PUT /forbidden HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (403, "close")
        assert await client.rest() == b""


async def test_a_body_that_is_read_is_sent_as_it_came(make):
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream()
    body = os.urandom(300 * KIB)
    async with await gateway.https() as client:
        await client.request("POST", "/up", "api.test", body)
        assert (await client.answer()).body == b"ok"
        await client.send(
            b"POST /up HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        assert (await client.answer()).body == b"ok"
    assert [seen.body for seen in upstream.seen] == [body, b"abcde"]


async def test_a_body_with_a_secret_stays_here(make):
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("POST", "/up", "api.test", b'{"key":"ghp_' + b"aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL3oR6" + b'"}')
        assert (await client.answer()).status == 403
    assert upstream.accepted == 0


LITTLE = Limits(body=64 * KIB)


@pytest.mark.parametrize("framing", ["length", "chunked", "h2"])
@pytest.mark.parametrize("mode", ["enforce", "observe"])
async def test_a_body_that_is_too_large_to_be_read_is_decided_without_it(make, framing, mode):
    gateway = await make(reads_bodies=True, limits=LITTLE, mode=mode)
    upstream = await gateway.upstream(alpn=("h2",) if framing == "h2" else ("http/1.1",))
    body = os.urandom(100 * KIB)
    if framing == "h2":
        async with await gateway.h2() as client:
            stream = await client.request("POST", "/up", "api.test", body=body)
            status = (await client.answer(stream)).status
    else:
        async with await gateway.https() as client:
            head = f"Content-Length: {len(body)}" if framing == "length" else "Transfer-Encoding: chunked"
            await client.send(f"POST /up HTTP/1.1\r\nHost: api.test\r\n{head}\r\n\r\n")
            await client.send(body if framing == "length" else b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            status = (await client.answer()).status
    (decision,) = gateway.decisions()
    assert decision["request"]["body"]["read"] == "not"
    if mode == "observe":
        assert (status, [seen.body for seen in upstream.seen]) == (200, [body])
    else:
        assert (status, upstream.accepted) == (413, 0)


async def test_bodies_that_are_read_have_one_budget_over_all_connections(make):
    gateway = await make(reads_bodies=True, limits=Limits(bodies=150 * KIB))
    upstream = await gateway.upstream()
    async with await gateway.https() as one, await gateway.https() as two:
        await one.send(f"POST /one HTTP/1.1\r\nHost: api.test\r\nContent-Length: {100 * KIB}\r\n\r\n")
        await one.send(bytes(99 * KIB))
        await _until(lambda: gateway.addon._budget.left < 60 * KIB)
        await two.send(f"POST /two HTTP/1.1\r\nHost: api.test\r\nContent-Length: {100 * KIB}\r\n\r\n")
        await two.send(bytes(100 * KIB))
        assert (await two.answer()).status == 413
        await one.send(bytes(KIB))
        assert (await one.answer()).status == 200
        assert gateway.addon._budget.left == 150 * KIB
        await one.send(f"POST /one HTTP/1.1\r\nHost: api.test\r\nContent-Length: {100 * KIB}\r\n\r\n")
        await one.send(bytes(99 * KIB))
        await _until(lambda: gateway.addon._budget.left < 60 * KIB)
        one.writer.transport.abort()
        await _until(lambda: gateway.addon._budget.left == 150 * KIB)
    assert [seen.target for seen in upstream.seen] == ["/one"]


async def test_a_body_is_held_against_the_budget_until_it_is_answered(make):
    gateway = await make(reads_bodies=True, limits=Limits(bodies=150 * KIB))
    upstream, decide = await gateway.upstream(), asyncio.Event()
    pin = gateway.resolver.pin

    async def later(host, port):
        await decide.wait()
        return await pin(host, port)

    gateway.resolver.pin = later
    async with await gateway.https() as one, await gateway.https() as two:
        await one.request("POST", "/one", "api.test", bytes(100 * KIB))
        await _until(lambda: gateway.addon._budget.left == 50 * KIB)
        await two.request("POST", "/two", "api.test", bytes(100 * KIB))
        assert (await two.answer()).status == 413
        decide.set()
        assert (await one.answer()).status == 200
        await _until(lambda: gateway.addon._budget.left == 150 * KIB)
    assert [seen.target for seen in upstream.seen] == ["/one"]


async def test_a_client_that_goes_while_its_body_waits_is_charged_nothing(make):
    gateway = await make(reads_bodies=True, limits=Limits(bodies=150 * KIB))
    await gateway.upstream()
    decide = asyncio.Event()
    pin = gateway.resolver.pin

    async def later(host, port):
        await decide.wait()
        return await pin(host, port)

    gateway.resolver.pin = later
    async with await gateway.https() as client:
        await client.request("POST", "/one", "api.test", bytes(100 * KIB))
        await _until(lambda: gateway.addon._budget.left == 50 * KIB)
        client.writer.transport.abort()
        await _until(lambda: gateway.addon._budget.left == 150 * KIB)
    decide.set()
    await _until(gateway.outcomes)
    assert gateway.addon._budget.left == 150 * KIB


async def _until(check) -> None:
    async with asyncio.timeout(20):
        while not check():
            await asyncio.sleep(0)


async def test_what_a_client_sends_ahead_of_a_decision_is_bounded(make):
    gateway = await make(limits=Limits(waiting=256 * KIB))
    upstream, decide = await gateway.upstream(), asyncio.Event()
    pin = gateway.resolver.pin

    async def later(host, port):
        await decide.wait()
        return await pin(host, port)

    gateway.resolver.pin = later
    before = rss()
    async with await gateway.https() as client:
        await client.send(f"PUT /up HTTP/1.1\r\nHost: api.test\r\nContent-Length: {48 * MIB}\r\n\r\n")
        sent = await until_it_stalls(partial(client.send, bytes(MIB)), 48)
        assert sent < 24
        assert rss() - before < 32 * MIB
        decide.set()
        for _ in range(48 - sent):
            await client.send(bytes(MIB))
        assert (await client.answer()).body == b"ok"
    assert len(upstream.seen[0].body) == 48 * MIB


async def test_an_upstream_may_answer_before_the_upload_is_over(gateway):
    upstream = await gateway.upstream()
    upstream.early.add("/no")
    upstream.answers["/no"] = lambda turn: turn.answer(413, b"too much")
    async with await gateway.https() as client:
        await client.send(f"PUT /no HTTP/1.1\r\nHost: api.test\r\nContent-Length: {MIB}\r\n\r\n")
        assert (await client.answer()).status == 413
        await client.send(bytes(MIB))
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize("reads_bodies", [False, True])
async def test_request_trailers_end_here(make, reads_bodies):
    gateway = await make(reads_bodies=reads_bodies)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send(
            "POST /up HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Secret: undecided\r\n\r\n"
        )
        assert (await client.answer()).body == b"ok"
    assert upstream.seen[0].body == b"abc"
    assert b"undecided" not in upstream.received


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_answer_trailers_pass(gateway, alpn):
    upstream = await gateway.upstream(alpn=(alpn,))

    async def trailing(turn):
        await turn.head(200, [] if alpn == "h2" else [("transfer-encoding", "chunked")])
        await turn.send(b"body")
        await turn.end([("grpc-status", "0"), ("outgate-decision", "mine")])

    upstream.answers["/t"] = trailing
    async with await gateway.h2() as client:
        answer = await client.answer(await client.request("POST", "/t", "api.test", headers=[("te", "trailers")]))
    assert (answer.body, answer.trailers) == (b"body", [("grpc-status", "0")])
    async with await gateway.https() as client:
        if alpn == "h2":
            return
        await client.request("GET", "/t", "api.test")
        answer = await client.answer()
        assert (answer.body, answer.trailers) == (b"body", [("grpc-status", "0")])
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_early_hints_are_skipped_and_the_answer_is_the_answer(gateway):
    upstream = await gateway.upstream()

    async def hinting(turn):
        await turn.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2")
        await asyncio.sleep(0.01)
        await turn.raw(b"00 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.answers["/hints"] = hinting
    async with await gateway.https() as client:
        await client.request("GET", "/hints", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_a_thousand_small_requests_leave_nothing_behind(gateway):
    upstream = await gateway.upstream()
    async with await gateway.h2() as client:
        assert isinstance(client, Streams)
        for _ in range(200):
            assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok"
        (handler,) = gateway.engine._all()
        http = http_of(handler)
        assert (len(http.streams), len(http.connections), len(handler.transports)) == (0, 2, 2)
    assert upstream.accepted == 1, "an HTTP/1.1 upstream connection serves one HTTP/2 request after another"
