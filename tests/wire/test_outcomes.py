"""However it ends, what was let out has one outcome; a stop waits for it; the switch does not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from datetime import timedelta

import pytest
from wire.clients import Wire
from wire.gateway import AGENT
from wire.upstreams import silent

from outgate.errors import UnavailableError
from outgate.intake.agents import Agent
from outgate.mitm.link import Limits


async def ended(gateway):
    await gateway.stop()
    return [(outcome["result"], outcome["status"]) for outcome in gateway.outcomes()]


def _coder(agent, services):
    return agent.id == AGENT.id and not services


def endless(begun: asyncio.Event):
    async def answer(turn):
        await turn.head(200, [("content-type", "text/event-stream")])
        begun.set()
        while True:
            await turn.send(b"data: x\n\n")
            await asyncio.sleep(0.001)

    return answer


@pytest.mark.parametrize("h2", [False, True])
async def test_a_client_that_leaves_in_the_middle_of_an_answer_leaves_one_outcome(gateway, h2):
    upstream, begun = await gateway.upstream(alpn=("h2", "http/1.1")), asyncio.Event()
    upstream.answers["/endless"] = endless(begun)
    if h2:
        async with await gateway.h2() as client:
            stream = await client.request("GET", "/endless", "api.test")
            await client.until(lambda: stream in client.answers and client.answers[stream].body)
            client.conn.reset_stream(stream)
            await client.flush()
            assert (await client.answer(await client.request("GET", "/a", "api.test"))).body == b"ok", "the others go on"
    else:
        async with await gateway.https() as client:
            await client.request("GET", "/endless", "api.test")
            await client.head()
            client.writer.transport.abort()
    await upstream.until(lambda u: u.closed > 0)
    assert await ended(gateway) == [("unknown", 200)] + ([("executed", 200)] if h2 else [])


async def test_a_client_that_leaves_before_anything_was_sent_leaves_an_abandoned_one(gateway, monkeypatch):
    upstream, asked, decide = await gateway.upstream(), asyncio.Event(), asyncio.Event()
    pin = gateway.resolver.pin

    async def later(host, port):
        asked.set()
        await decide.wait()
        return await pin(host, port)

    monkeypatch.setattr(gateway.resolver, "pin", later)
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        await asked.wait()
        client.writer.transport.abort()
    async with asyncio.timeout(20):
        while not all(handler._link.gone for handler in gateway.engine._all()):
            await asyncio.sleep(0)
    decide.set()
    assert await ended(gateway) == [("abandoned", None)]
    assert upstream.accepted == 0


async def test_a_stream_that_is_reset_before_anything_was_sent_leaves_an_abandoned_one(gateway, monkeypatch):
    upstream, asked, decide = await gateway.upstream(), asyncio.Semaphore(0), asyncio.Event()
    pin = gateway.resolver.pin

    async def later(host, port):
        asked.release()
        await decide.wait()
        return await pin(host, port)

    monkeypatch.setattr(gateway.resolver, "pin", later)
    async with await gateway.h2() as client:
        stream = await client.request("GET", "/secret", "api.test")
        await asked.acquire()
        client.conn.reset_stream(stream)
        await client.flush()
        other = await client.request("GET", "/a", "api.test")
        await asked.acquire()  # so that the reset was read before
        decide.set()
        assert (await client.answer(other)).body == b"ok"
    assert sorted(await ended(gateway), key=str) == [("abandoned", None), ("executed", 200)]
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_a_client_that_leaves_while_we_connect_leaves_an_abandoned_one(gateway):
    server = await asyncio.start_server(silent, "127.0.0.1", 0)  # never ends its handshake
    gateway.leads("api.test", server.sockets[0].getsockname()[1])
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        (handler,) = gateway.engine._all()
        async with asyncio.timeout(20):
            while len(handler.transports) < 2:
                await asyncio.sleep(0)
        client.writer.transport.abort()
    assert await ended(gateway) == [("abandoned", None)]
    server.close()


async def test_a_client_that_leaves_in_its_upload_leaves_half_a_request(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("PUT /up HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100\r\n\r\nhalf")
        await upstream.until(lambda u: u.seen and u.seen[0].body == b"half")
        client.writer.transport.abort()
    await upstream.until(lambda u: u.closed > 0)
    assert await ended(gateway) == [("unknown", None)]
    assert not upstream.seen[0].whole


async def test_a_body_that_is_malformed_ends_there(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("PUT /up HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await upstream.until(lambda u: u.seen and u.seen[0].body == b"half")
        await client.send("5\r\nSMUGGLED\r\n0\r\n\r\n")
        assert await client.rest() == b""
    await upstream.until(lambda u: u.closed > 0)
    assert not upstream.seen[0].whole
    assert await ended(gateway) == [("unknown", None)]


async def test_chunk_lines_are_bounded(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("PUT /up HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await upstream.until(lambda u: u.seen and u.seen[0].body == b"half")
        await client.send("5;" + "x" * 100_000)
        assert await client.rest() == b""
    assert await ended(gateway) == [("unknown", None)]


async def test_the_switch_drops_an_agents_connections_in_the_middle(gateway):
    upstream, begun = await gateway.upstream(), asyncio.Event()
    upstream.answers["/endless"] = endless(begun)
    other = await gateway.listen(Agent(id="other"))
    async with await gateway.https() as client, await gateway.plain(other) as bystander:
        await client.request("GET", "/endless", "api.test")
        await client.head()
        assert gateway.engine.cut(_coder) == 1
        await client.rest()
        await upstream.until(lambda u: u.closed > 0)
        assert (await bystander.tunnel("api.test", 443)).status == 200, "only that agent's"
    assert await ended(gateway) == [("unknown", 200)]


async def test_the_switch_stops_what_is_still_being_decided(gateway, monkeypatch):
    upstream, asked, decide = await gateway.upstream(), asyncio.Event(), asyncio.Event()
    pin = gateway.resolver.pin

    async def later(host, port):
        asked.set()
        await decide.wait()
        return await pin(host, port)

    monkeypatch.setattr(gateway.resolver, "pin", later)
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        await asked.wait()
        gateway.engine.cut(_coder)
        assert await client.rest() == b""
        decide.set()
    assert await ended(gateway) == [("abandoned", None)]
    assert upstream.accepted == 0


async def test_a_stop_waits_for_what_is_under_way(gateway):
    upstream, begun, go = await gateway.upstream(), asyncio.Event(), asyncio.Event()

    async def slow(turn):
        begun.set()
        await go.wait()
        await turn.answer(200, b"in time")

    upstream.answers["/slow"] = slow
    async with await gateway.https() as client:
        await client.request("GET", "/slow", "api.test")
        await begun.wait()
        stopping = asyncio.create_task(gateway.engine.stop(timedelta(seconds=20)))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await Wire.to(gateway.port)
        go.set()
        assert (await client.answer()).body == b"in time"
        await stopping
        assert await client.rest() == b""
    assert await ended(gateway) == [("executed", 200)]


async def test_a_stop_does_not_wait_forever(gateway):
    upstream, begun = await gateway.upstream(), asyncio.Event()
    upstream.answers["/endless"] = endless(begun)
    async with await gateway.https() as client, await gateway.https() as idle:
        await client.request("GET", "/endless", "api.test")
        await begun.wait()
        await gateway.engine.stop(timedelta(seconds=0.1))
        await client.rest()
        assert await idle.rest() == b""
    assert await ended(gateway) == [("unknown", 200)]


async def test_a_listener_made_elsewhere_serves_its_agent(gateway):
    await gateway.upstream(tls=False)
    made = socket.create_server(("127.0.0.1", 0))
    await gateway.engine.serve_on(made, Agent(id="fenced"))
    async with await Wire.to(made.getsockname()[1]) as client:
        await client.request("GET", "http://api.test/a", "api.test")
        assert (await client.answer()).body == b"ok"
    (decision,) = gateway.decisions()
    assert decision["agent"]["id"] == "fenced"


async def test_a_listener_on_a_unix_socket_serves_its_agent(gateway, tmp_path):
    await gateway.upstream(tls=False)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(tmp_path / "in"))
    await gateway.engine.serve_on(made, AGENT)
    async with Wire(*await asyncio.open_unix_connection(str(tmp_path / "in"))) as client:
        await client.request("GET", "http://api.test/a", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_a_port_in_use_is_one_sentence(gateway):
    with pytest.raises(UnavailableError, match=f"can't listen on 127.0.0.1:{gateway.port}: .*choose another"):
        await gateway.engine.listen("127.0.0.1", gateway.port, AGENT)


async def test_more_clients_than_allowed_are_dropped(make):
    gateway = await make(limits=Limits(connections=2))
    async with await gateway.plain() as one, await gateway.plain() as two:
        for client in (one, two):
            assert (await client.tunnel("api.test", 443)).status == 200
        with contextlib.suppress(ConnectionError):  # by TLS it does not even come in
            async with await gateway.plain() as three:
                assert await three.rest() == b""
    async with asyncio.timeout(20):
        while gateway.engine._all():
            await asyncio.sleep(0)
    async with await gateway.plain() as four:
        assert (await four.tunnel("api.test", 443)).status == 200


async def test_an_idle_client_is_closed(make):
    gateway = await make(limits=Limits(idle=timedelta(seconds=1)))
    async with await gateway.plain() as client:
        assert await client.rest() == b""
