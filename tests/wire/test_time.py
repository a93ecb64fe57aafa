"""Nothing stands still for longer than it may, and what ends for it ends alone. No test waits: each says what time it is."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import hyperframe.frame as frames
import pytest
from wire.test_websocket import echo, opened

from outgate.mitm.link import KIB, Limits

if TYPE_CHECKING:
    from wire.clients import Answer
    from wire.gateway import Gateway
    from wire.upstreams import Turn

SLOW = Limits(answer_lasts=timedelta(minutes=5))


async def pass_time(gateway: Gateway, seconds: float) -> None:
    """Look now, and again so much later. What clients sent is read before."""
    for _ in range(20):
        await asyncio.sleep(0)
    now = time.monotonic()
    gateway.engine.look(now)
    gateway.engine.look(now + seconds)


async def read_by_the_gate(gateway: Gateway, size: int = 1) -> None:
    """Wait until the one client that there is has had so many reads."""
    async with asyncio.timeout(20):
        while not any(handler._reads >= size for handler in gateway.engine._all()):
            await asyncio.sleep(0)


def problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer
    assert answer.header("content-type") == "application/problem+json"
    return json.loads(answer.body)


@pytest.mark.parametrize("said", ["G", "GET /a HTTP/1.1\r\nHost: api.te", "GET /a HTTP/1.1\r\nHost: api.test\r\nX: 1\r\n"])
async def test_a_head_that_never_ends_is_refused_with_a_receipt(gateway, said):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send(said)
        await read_by_the_gate(gateway, 2 if gateway.way == "transparent" else 3)
        await until_head(gateway)
        await pass_time(gateway, 31)
        problem(await client.answer(), 408)
        assert await client.rest() == b""
    (decision,) = gateway.decisions()
    assert decision["reason"] == "unreadable"
    assert gateway.bounded == ["head_time"]
    assert upstream.accepted == 0


async def until_head(gateway: Gateway) -> None:
    async with asyncio.timeout(20):
        while not any(handler._link.head for handler in gateway.engine._all()):
            await asyncio.sleep(0)


async def test_a_head_that_trickles_is_as_late_as_one_that_stands_still(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("GET /a HTTP/1.1\r\nX: ")
        await until_head(gateway)
        now = time.monotonic()
        for second in range(0, 30, 10):
            await client.send("a")
            gateway.engine.look(now + second)
        gateway.engine.look(now + 31)
        assert (await client.answer()).status == 408


async def test_a_head_in_its_time_is_not_late_however_many_came_before(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        now = time.monotonic()
        for turn in range(4):
            await client.send("GET /a HTTP/1.1\r\n")
            await until_head(gateway)
            gateway.engine.look(now + 20 * turn)
            await client.send("Host: api.test\r\n\r\n")
            assert (await client.answer()).status == 200


async def test_who_says_nothing_between_requests_is_not_late_but_idle(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
        await pass_time(gateway, 14 * 60)
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
        await pass_time(gateway, 16 * 60)
        assert await client.rest() == b""
    assert gateway.bounded == []


async def test_a_head_of_http2_that_never_ends_ends_its_connection_with_a_note(gateway):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        assert (
            await client.answer(await client.request("GET", "/forbidden", "api.test"))
        ).status == 403  # settings are agreed on
        await client.wire.send(frames.HeadersFrame(3, b"\x82", flags=["END_STREAM"]).serialize())
        await until_head(gateway)
        await pass_time(gateway, 31)
        await client.until(lambda: client.gone)
    await gateway.stop()
    assert [event["detail"] for event in gateway.events("limit-reached")] == ["head_time"]
    assert len(gateway.decisions()) == 1


async def test_a_frame_of_a_body_that_comes_in_part_is_no_late_head(gateway):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        stream = await client.request("POST", "/a", "api.test", end=False)
        await upstream.until(lambda up: bool(up.seen))
        await client.wire.send(frames.DataFrame(stream, b"abc", flags=["END_STREAM"]).serialize()[:10])
        await pass_time(gateway, 60)
        assert not client.gone
        await client.wire.send(frames.DataFrame(stream, b"abc", flags=["END_STREAM"]).serialize()[10:])
        assert (await client.answer(stream)).status == 200
    assert bytes(upstream.seen[0].body) == b"abc"


async def test_a_tunnel_in_which_nothing_is_said_is_closed(gateway):
    await gateway.upstream()
    async with await gateway.plain() as client:
        assert (await client.tunnel("api.test", 443)).status == 200
        await pass_time(gateway, 59)
        await client.send(b"\x16\x03\x01\x02")  # the beginning of a ClientHello
        await read_by_the_gate(gateway, 2)
        await pass_time(gateway, 61)
        assert await client.rest() == b""
    await gateway.stop()
    (event,) = gateway.events("limit-reached")
    assert (event["detail"], event["host"]) == ("tunnel_time", "api.test")


@pytest.mark.parametrize("h2", [False, True])
async def test_a_body_that_trickles_is_refused_with_a_receipt_where_it_is_read_first(make, h2):
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream(alpn=("h2", "http/1.1") if h2 else ("http/1.1",))
    if h2:
        async with await gateway.h2() as client, client.wire:
            stream = await client.request("POST", "/a", "api.test", end=False)
            await client.data(stream, b"abc")
            await until_gathering(gateway)
            await pass_time(gateway, 31)
            problem(await client.answer(stream), 408)
            other = await client.request("GET", "/a", "api.test")
            assert (await client.answer(other)).status == 200
    else:
        async with await gateway.https() as client:
            await client.send("POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100000\r\n\r\nabc")
            await until_gathering(gateway)
            await pass_time(gateway, 31)
            problem(await client.answer(), 408)
            assert await client.rest() == b""
    await gateway.stop()
    assert gateway.decisions()[0]["reason"] == "unreadable"
    assert gateway.bounded == ["body_rate"]
    assert [seen.method for seen in upstream.seen] == ["GET"] * h2
    assert kept(gateway) == 0


def kept(gateway: Gateway) -> int:
    return sum(one.size for handler in gateway.engine._all() for one in handler._link.kept)


async def until_gathering(gateway: Gateway) -> None:
    async with asyncio.timeout(20):
        while kept(gateway) < 3:
            await asyncio.sleep(0)


async def test_a_body_at_its_least_rate_is_read_to_its_end(make):
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 163840\r\n\r\n")
        now = time.monotonic()
        for turn in range(1, 5):
            await client.send(b"a" * 40 * KIB)
            async with asyncio.timeout(20):
                while turn < 4 and kept(gateway) < turn * 40 * KIB:
                    await asyncio.sleep(0)
            if turn < 4:
                gateway.engine.look(now + 31 * turn)
        assert (await client.answer()).status == 200
    assert len(upstream.seen[0].body) == 160 * KIB


async def test_a_slow_upload_that_is_passed_on_is_only_idle_or_not(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n\r\nab")
        await upstream.until(lambda up: bool(up.seen) and up.seen[0].body == b"ab")
        await pass_time(gateway, 14 * 60)
        await client.send("c")
        await upstream.until(lambda up: up.seen[0].body == b"abc")
        await pass_time(gateway, 16 * 60)
        problem(await client.answer(), 408)
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["error"]) == ("unknown", "the client stopped in the middle: idle")


@pytest.mark.parametrize("h2", [False, True])
async def test_an_upstream_that_never_answers_is_given_up_and_its_siblings_are_not(make, h2):
    gateway = await make(limits=Limits(answer_time=timedelta(minutes=10)))
    upstream = await gateway.upstream(alpn=("h2", "http/1.1") if h2 else ("http/1.1",))
    hangs = asyncio.Event()

    async def hang(_turn: Turn) -> None:
        await hangs.wait()

    upstream.answers["/hangs"] = hang
    if h2:
        async with await gateway.h2() as client, client.wire:
            stream = await client.request("POST", "/hangs", "api.test", body=b"x")
            await upstream.until(lambda up: bool(up.seen) and up.seen[0].whole)
            await pass_time(gateway, 9 * 60)
            assert not client.ended
            await pass_time(gateway, 11 * 60)
            assert problem(await client.answer(stream), 504)["message"]
            other = await client.request("GET", "/a", "api.test")
            assert (await client.answer(other)).status == 200
    else:
        async with await gateway.https() as client:
            await client.request("POST", "/hangs", "api.test", b"x")
            await upstream.until(lambda up: bool(up.seen))
            await pass_time(gateway, 11 * 60)
            assert "may have acted" in problem(await client.answer(), 504)["message"]
            await client.request("GET", "/a", "api.test")
            assert (await client.answer()).status == 200
    hangs.set()
    await gateway.stop()
    first = gateway.outcomes()[0]
    assert (first["result"], first["error"]) == ("unknown", "no answer in time: answer_time")
    assert gateway.bounded == ["answer_time"]


async def streamed(turn: Turn, parts: asyncio.Queue[bytes]) -> None:
    await turn.head(200, [("content-type", "text/event-stream")])
    while part := await parts.get():
        await turn.send(part)
    await turn.end()


@pytest.mark.parametrize(("limits", "seconds", "limit"), [(Limits(), 16 * 60, "idle"), (SLOW, 6 * 60, "answer_lasts")])
async def test_an_answer_that_stops_or_never_ends_is_cut_and_its_siblings_are_not(make, limits, seconds, limit):
    gateway = await make(limits=limits)
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    one, two = asyncio.Queue(), asyncio.Queue()
    upstream.answers |= {"/one": lambda turn: streamed(turn, one), "/two": lambda turn: streamed(turn, two)}
    async with await gateway.h2() as client, client.wire:
        first = await client.request("GET", "/one", "api.test")
        one.put_nowait(b"1")
        await client.until(lambda: first in client.answers and client.answers[first].body == b"1")
        now = time.monotonic()
        gateway.engine.look(now)
        second = await client.request("GET", "/two", "api.test")
        if limit == "answer_lasts":
            one.put_nowait(b"2")
            await client.until(lambda: client.answers[first].body == b"12")
        gateway.engine.look(now + seconds)
        await client.until(lambda: first in client.reset)
        two.put_nowait(b"still here")
        two.put_nowait(b"")
        assert (await client.answer(second)).body == b"still here"
    one.put_nowait(b"")
    await gateway.stop()
    assert sorted((outcome["result"], outcome["error"].rpartition(": ")[2]) for outcome in gateway.outcomes()) == [
        ("executed", ""),
        ("unknown", limit),
    ]


@pytest.mark.parametrize("h2", [False, True])
@pytest.mark.parametrize("declared", [False, True])
async def test_an_answer_may_be_so_large_and_no_larger(make, h2, declared):
    gateway = await make(limits=Limits(answer_size=100 * KIB))
    upstream = await gateway.upstream(alpn=("h2", "http/1.1") if h2 else ("http/1.1",))

    async def large(turn: Turn) -> None:
        await turn.head(200, [("content-length", str(200 * KIB))] if declared else [])
        for _ in range(20):
            await turn.send(b"a" * 10 * KIB)
        await turn.end()

    upstream.answers["/large"] = large
    if h2:
        async with await gateway.h2() as client, client.wire:
            stream = await client.request("GET", "/large", "api.test")
            await client.until(lambda: stream in client.reset or stream in client.ended)
            got = client.answers[stream].body
            assert (client.answers[stream].status, stream in client.reset) == ((502, False) if declared else (200, True))
            other = await client.request("GET", "/a", "api.test")
            assert (await client.answer(other)).status == 200
    else:
        async with await gateway.https() as client:
            await client.request("GET", "/large", "api.test")
            got = await client.rest() if not declared else (await client.answer()).body
            assert b"0\r\n\r\n" not in got[-8:], "it looks whole"
    assert len(got) <= 101 * KIB
    assert gateway.bounded == ["answer_size"]
    await gateway.stop()
    assert next(o for o in gateway.outcomes() if o["error"])["error"] == "over a limit on answers: answer_size"


async def test_a_websocket_in_which_nothing_is_said_ends_with_its_outcome(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/ws"] = echo
    socket = await opened(gateway)
    async with socket.wire:
        await pass_time(gateway, 14 * 60)
        assert gateway.outcomes() == []
        await pass_time(gateway, 16 * 60)
        await socket.wire.rest()
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["error"]) == ("unknown", "no answer in time: idle")
