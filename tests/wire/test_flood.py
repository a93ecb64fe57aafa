"""One agent that floods: it gets no more of the gate than its part, and no more of the record."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import hyperframe.frame as frames
import pytest
from signed import Signer, people
from wire.clients import Streams, Wire
from wire.gateway import AGENT

from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents
from outgate.mitm import http2
from outgate.mitm.doors import Doors
from outgate.mitm.http2 import MOST_CHATTER, MOST_RESET
from outgate.mitm.link import KIB, MIB, Limits, Link

if TYPE_CHECKING:
    from wire.gateway import Gateway
    from wire.upstreams import Turn

ALICE = Signer("alice")
ASKS = """
    outgate: policy/v1alpha
    policy: asks
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: escalate, other: escalate}, to: ops}
    approvers:
      ops: {need: 1, of: [alice]}
"""


async def reset(client: Streams, times: int) -> None:
    for _ in range(times):
        stream = await client.request("POST", "/forbidden", "api.test", end=False)
        client.conn.reset_stream(stream)
    await client.flush()


async def test_who_opens_streams_and_resets_them_without_end_is_sent_away(gateway: Gateway):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        with suppress(ConnectionError):
            await reset(client, MOST_RESET * 2)
        await client.until(lambda: client.gone)
    assert len(gateway.decisions()) < MOST_RESET * 2
    async with await gateway.h2() as client, client.wire:
        assert (await client.answer(await client.request("GET", "/", "api.test"))).status == 200


async def test_who_resets_as_many_streams_as_it_lets_end_goes_on(gateway: Gateway):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        for _ in range(3):
            await reset(client, MOST_RESET // 2)
            await asyncio.gather(*[_get(client) for _ in range(MOST_RESET // 2)])
        assert not client.gone


async def _get(client: Streams) -> None:
    assert (await client.answer(await client.request("GET", "/forbidden", "api.test"))).status == 403


async def test_what_is_given_up_while_people_are_asked_is_charged_as_what_is_refused(make):
    gateway = await make(policy_text=ASKS, people=people(ALICE), hold=timedelta(seconds=20), limits=Limits(refusals=8 * 1024))
    await gateway.upstream(tls=False)
    for _ in range(8):
        async with await gateway.plain() as client:
            await client.request("POST", "http://api.test/pay", "api.test", b"x")
        while gateway.engine.clients:
            await asyncio.sleep(0.01)
    assert len(gateway.decisions()) < 8
    async with await gateway.plain() as client:
        await client.request("POST", "http://api.test/pay", "api.test", b"x")
        assert (await client.answer()).status == 429


def agents(*names: str) -> list[Agent]:
    return [Agent(id=name, since=AGENT.since) for name in names]


async def https_at(gateway: Gateway, port: int, *alpn: str) -> Wire:
    return await gateway.https("api.test", *alpn, at=port)


async def serves(gateway: Gateway, port: int, times: int = 10) -> bool:
    """Whether another agent gets every one of its answers."""
    async with await https_at(gateway, port) as client:
        for _ in range(times):
            await client.request("GET", "/good", "api.test")
            if (await client.answer()).status != 200:
                return False
    return True


def footprint() -> tuple[int, int]:
    return len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())


async def gone(gateway: Gateway) -> None:
    async with asyncio.timeout(20):
        while gateway.engine.clients > 0:
            await asyncio.sleep(0.01)


async def _heads_without_end(gateway: Gateway, port: int) -> None:
    """Many connections, each with most of a head."""
    wires = [await https_at(gateway, port) for _ in range(20)]
    for wire in wires:
        await wire.send(b"GET /a HTTP/1.1\r\nX: " + b"a" * 60_000)
    for wire in wires:
        wire.writer.transport.abort()


async def _pipelined(gateway: Gateway, port: int) -> None:
    wire = await https_at(gateway, port)
    with suppress(ConnectionError):
        await wire.send(b"GET /forbidden HTTP/1.1\r\nHost: api.test\r\n\r\n" * 2000)
    wire.writer.transport.abort()


async def _pings(gateway: Gateway, port: int) -> None:
    wire = await https_at(gateway, port, "h2")
    async with Streams(wire) as client:
        with suppress(ConnectionError):
            await wire.send(frames.PingFrame(0, b"12345678").serialize() * 3 * MOST_CHATTER)
        await client.until(lambda: client.gone)


async def _settings(gateway: Gateway, port: int) -> None:
    wire = await https_at(gateway, port, "h2")
    async with Streams(wire) as client:
        with suppress(ConnectionError):
            await wire.send(frames.SettingsFrame(0, settings={4: 65535}).serialize() * 3 * MOST_CHATTER)
        await client.until(lambda: client.gone)


async def _windows(gateway: Gateway, port: int) -> None:
    wire = await https_at(gateway, port, "h2")
    async with Streams(wire) as client:
        with suppress(ConnectionError):
            await wire.send(frames.WindowUpdateFrame(0, window_increment=1).serialize() * 3 * MOST_CHATTER)
        await client.until(lambda: client.gone)


async def _continued(gateway: Gateway, port: int) -> None:
    wire = await https_at(gateway, port, "h2")
    async with Streams(wire) as client:
        assert (await client.answer(await client.request("GET", "/forbidden", "api.test"))).status == 403
        with suppress(ConnectionError):
            await wire.send(frames.HeadersFrame(3, b"\x82").serialize())
            await wire.send(frames.ContinuationFrame(3, b"\x82" * 16_000).serialize() * 60)
        await client.until(lambda: client.gone)


async def _tiny_chunks(gateway: Gateway, port: int) -> None:
    wire = await https_at(gateway, port)
    await wire.send("POST /forbidden HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suppress(ConnectionError):
        await wire.send(b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n")
    assert (await wire.answer()).status == 403
    wire.writer.transport.abort()


FLOODS = [_heads_without_end, _pipelined, _pings, _settings, _windows, _continued, _tiny_chunks]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__.strip("_"))
async def test_while_one_agent_floods_another_gets_every_answer_and_nothing_is_left_of_it(gateway, flood):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    bad, good = agents("bad", "good")
    ports = [await gateway.listen(agent) for agent in (bad, good)]
    assert await serves(gateway, ports[1], 1)
    await gone(gateway)
    before = footprint()
    answered, *_ = await asyncio.gather(serves(gateway, ports[1]), flood(gateway, ports[0]))
    assert answered
    await gone(gateway)
    after = footprint()
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 2
    assert {seen.target for seen in upstream.seen} == {"/good"}


@pytest.mark.parametrize("flood", [_pings, _settings, _windows])
async def test_frames_that_ask_for_nothing_end_their_connection_and_are_counted(gateway, flood):
    await flood(gateway, gateway.port)
    await gateway.stop()
    assert gateway.bounded == ["chatter"]
    assert [event["detail"] for event in gateway.events("limit-reached")] == ["chatter"]


async def test_windows_that_a_large_answer_opens_are_no_flood(gateway, monkeypatch):
    monkeypatch.setattr(http2, "MOST_CHATTER", 100)
    monkeypatch.setattr(http2, "_CHATTER_A_SECOND", 0.0)
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))

    async def large(turn: Turn) -> None:
        await turn.head(200, [])
        for _ in range(64):
            await turn.send(b"a" * 64 * KIB)
        await turn.end()

    upstream.answers["/large"] = large
    async with await gateway.h2() as client, client.wire:
        stream = await client.request("GET", "/large", "api.test")
        assert len((await client.answer(stream)).body) == 4 * MIB


async def test_one_agent_has_so_many_requests_at_once_and_others_have_theirs(make):
    gateway = await make(limits=Limits(requests=3))
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    bad, good = agents("bad", "good")
    ports = [await gateway.listen(agent) for agent in (bad, good)]
    held = asyncio.Event()

    async def hold(turn: Turn) -> None:
        await held.wait()
        await turn.answer(200, b"at last")

    upstream.answers["/held"] = hold
    one, two = Streams(await https_at(gateway, ports[0], "h2")), Streams(await https_at(gateway, ports[0], "h2"))
    async with one, two, one.wire, two.wire:
        streams = [await client.request("GET", "/held", "api.test") for client in (one, one, two)]
        await upstream.until(lambda up: len(up.seen) == 3)
        over = await two.answer(await two.request("GET", "/good", "api.test"))
        assert (over.status, over.header("content-type")) == (429, "application/problem+json")
        assert await serves(gateway, ports[1])
        held.set()
        assert [(await client.answer(s)).status for client, s in zip((one, one, two), streams, strict=True)] == [200] * 3
        assert (await two.answer(await two.request("GET", "/good", "api.test"))).status == 200
    await gone(gateway)
    assert all(share.open == 0 for share in gateway.engine._doors._shares.values())
    await gateway.stop()
    assert gateway.bounded == ["requests"]
    assert [event["why"] for event in gateway.events("unrecorded")] == ["requests"]


async def test_new_clients_of_one_agent_come_so_fast_and_no_faster(make):
    gateway = await make(limits=Limits(arrivals=2))
    await gateway.upstream()
    bad, good = agents("bad", "good")
    ports = [await gateway.listen(agent) for agent in (bad, good)]
    wires, refused = [], 0
    for _ in range(12):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            wires.append(await https_at(gateway, ports[0]))
            continue
        refused += 1
    assert refused >= 4
    assert await serves(gateway, ports[1])
    for wire in wires:
        wire.writer.transport.abort()
    await gateway.stop()
    assert set(gateway.bounded) == {"arrivals"}
    assert len(gateway.bounded) == refused


async def test_all_clients_together_are_so_many(make):
    gateway = await make(limits=Limits(clients=2))
    async with await gateway.plain() as one, await gateway.plain() as two:
        for client in (one, two):
            assert (await client.tunnel("api.test", 443)).status == 200
        with suppress(ConnectionError):  # by TLS it does not even come in
            async with await gateway.plain() as three:
                assert await three.rest() == b""
    await gateway.stop()
    assert gateway.bounded == ["clients"]


async def test_streams_at_once_are_as_many_as_is_said(make):
    gateway = await make(limits=Limits(streams=7))
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        assert (await client.answer(await client.request("GET", "/forbidden", "api.test"))).status == 403
        assert client.conn.remote_settings.max_concurrent_streams == 7


def test_who_sent_much_ahead_waits_and_beyond_their_agents_part_so_do_all_but_the_least():
    doors = Doors(notes=None, limits=Limits(agent_waiting=MIB), agents=Agents(), monotonic=time.monotonic)
    links = [Link(door=AGENT) for _ in range(3)]
    for link in links:
        doors.arrive(link)
    links[0].queued, links[1].queued, links[2].queued = MIB, 100 * KIB, 1000
    assert [doors.is_ahead(link) for link in links] == [True, True, False]
    links[0].queued = 0
    assert not any(map(doors.is_ahead, links))
