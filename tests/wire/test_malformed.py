"""A body that breaks its framing: refused where nothing of it has left, cut on both sides where it has."""

from __future__ import annotations

import asyncio
import json

import pytest

CHUNKED = "POST /a HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_that_was_to_be_read_first_is_refused_in_words_and_nobody_hears_of_it(make):
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send(CHUNKED + "3\r\nabcdef\r\nGET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.header("content-type")) == (400, "application/problem+json")
        assert "framing" in json.loads(answer.body)["message"]
        assert await client.rest() == b""
    (decision,) = gateway.decisions()
    assert (decision["answer"], decision["reason"]) == ("block", "unreadable")
    assert upstream.accepted == 0


async def test_a_body_that_is_on_its_way_is_cut_on_both_sides_and_nobody_knows_what_came_of_it(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send(CHUNKED + "3\r\nabc\r\n")
        await upstream.until(lambda up: bool(up.seen) and bytes(up.seen[0].body) == b"abc")
        await client.send("zzz\r\n")
        assert await client.rest() == b""
    await upstream.until(lambda up: up.closed == up.accepted == 1)
    assert not upstream.seen[0].whole
    await gateway.stop()
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["unknown"]
    assert [event["detail"] for event in gateway.events("tunnel-refused")] == ["malformed body"]


@pytest.mark.parametrize("body", [b"ab", b"abcd"])
async def test_a_body_of_another_length_than_was_said_ends_its_stream_and_no_other(gateway, body):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        stream = await client.request("POST", "/a", "api.test", end=False, headers=[("content-length", "3")])
        await upstream.until(lambda up: bool(up.seen))
        await client.data(stream, body, end=True)
        await client.until(lambda: stream in client.reset)
        other = await client.request("GET", "/b", "api.test")
        assert (await client.answer(other)).status == 200
    assert not upstream.seen[0].whole
    await gateway.stop()
    assert sorted(outcome["result"] for outcome in gateway.outcomes()) == ["executed", "unknown"]


async def test_a_head_that_http2_forbids_is_refused_with_a_receipt_and_its_siblings_go_on(gateway):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        good = await client.request("GET", "/a", "api.test")
        bad = await client.request("GET", "/a", "api.test", headers=[("X-Upper", "1")])
        answers = await asyncio.gather(client.answer(good), client.answer(bad))
        assert [answer.status for answer in answers] == [200, 400]
    await gateway.stop()
    assert sorted(decision["reason"] for decision in gateway.decisions()) == ["policy", "unreadable"]
    assert len(upstream.seen) == 1
