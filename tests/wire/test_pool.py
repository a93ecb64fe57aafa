"""An agent's next client goes on with the upstream connection that its last one left; nobody else does, and leftovers end it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from wire.gateway import AGENT

from outgate.ca.authority import make_authority
from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents
from outgate.mitm import pool
from outgate.mitm.outward import REST_AFTER
from outgate.mitm.pool import Pool

OTHER = Agent(id="writer", since=datetime(2020, 1, 1, tzinfo=UTC))


async def ask(gateway, path="/a", method="GET", host="api.test", body=b"") -> int:
    """One client: it comes, asks once, and leaves."""
    async with await gateway.https(host) as client:
        await client.request(method, path, host, body)
        answer = await client.answer()
    await idle(gateway)
    return answer.status


async def idle(gateway) -> None:
    """Wait until every client was seen to leave."""
    async with asyncio.timeout(20):
        while gateway.engine.clients:
            await asyncio.sleep(0.005)


class Relay:
    """Passes connections on to an upstream, until it is told to end each when it next has something to pass on."""

    def __init__(self, port):
        self.port, self.ends = port, False

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        there = await asyncio.open_connection("127.0.0.1", self.port)
        back = asyncio.create_task(self.back(there[0], writer))
        ours = self.ends
        while data := await reader.read(65536):
            if self.ends and not ours:
                break
            there[1].write(data)
        back.cancel()
        writer.transport.abort()
        there[1].transport.abort()

    async def back(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)


async def test_the_next_client_of_an_agent_goes_on_with_what_its_last_one_left(gateway):
    upstream = await gateway.upstream()
    assert [await ask(gateway, path) for path in ("/a", "/b", "/c")] == [200, 200, 200]
    assert (upstream.accepted, [seen.target for seen in upstream.seen]) == (1, ["/a", "/b", "/c"])
    assert len(gateway.decisions()) == 3


async def test_it_does_so_without_tls_too(gateway):
    upstream = await gateway.upstream(tls=False)
    for _ in range(2):
        async with await gateway.plain() as client:
            await client.request("GET", "http://api.test/a", "api.test")
            assert (await client.answer()).status == 200
        await idle(gateway)
    assert (upstream.accepted, len(upstream.seen)) == (1, 2)


async def test_another_agent_never_does(gateway):
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    gateway.port = await gateway.listen(OTHER)
    assert await ask(gateway) == 200
    assert (upstream.accepted, len(gateway.addon.pool)) == (2, 2)


async def test_another_name_never_does(gateway):
    upstream = await gateway.upstream("one.api.test", certificate_for="*.api.test")
    gateway.leads("two.api.test", upstream.port)
    assert [await ask(gateway, host=f"{name}.api.test") for name in ("one", "two", "one")] == [200, 200, 200]
    assert (upstream.accepted, upstream.client_names) == (2, ["one.api.test", "two.api.test"])


async def test_what_is_forbidden_stays_so(gateway):
    upstream = await gateway.upstream()
    assert [await ask(gateway), await ask(gateway, "/forbidden")] == [200, 403]
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_what_says_more_than_it_was_asked_is_closed(gateway):
    async def more(turn):
        await turn.answer(200, b"ok")
        await gone.wait()
        await turn.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    gone = asyncio.Event()
    upstream = await gateway.upstream()
    upstream.answers["/more"] = more
    assert await ask(gateway, "/more") == 200
    assert len(gateway.addon.pool) == 1
    gone.set()
    await upstream.until(lambda up: up.closed == 1)
    assert len(gateway.addon.pool) == 0
    assert await ask(gateway) == 200
    assert upstream.accepted == 2


async def test_what_was_not_read_to_its_end_is_closed(gateway):
    async def half(turn):
        await turn.head(200, [("content-length", "10")])
        await turn.send(b"12345")
        await turn.reader.read()

    upstream = await gateway.upstream()
    upstream.answers["/half"] = half
    async with await gateway.https() as client:
        await client.request("GET", "/half", "api.test")
        await client.head()
    await upstream.until(lambda up: up.closed == 1)
    assert len(gateway.addon.pool) == 0


async def test_what_was_not_sent_to_its_end_is_closed(gateway):
    async def early(turn):
        await turn.answer(200, b"enough")
        await turn.reader.read()

    upstream = await gateway.upstream()
    upstream.answers["/early"], upstream.early = early, {"/early"}
    async with await gateway.https() as client:
        await client.send("POST /early HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10\r\n\r\n12345")
        assert (await client.answer()).body == b"enough"
    await upstream.until(lambda up: up.closed == 1)
    assert len(gateway.addon.pool) == 0


async def test_what_says_that_it_ends_is_closed(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/last"] = lambda turn: turn.answer(200, b"ok", connection="close")
    assert [await ask(gateway, "/last"), await ask(gateway)] == [200, 200]
    assert upstream.accepted == 2


async def test_http2_is_not_handed_on(gateway):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    for _ in range(2):
        async with await gateway.h2() as client:
            stream = await client.request("GET", "/a", "api.test")
            assert (await client.answer(stream)).status == 200
        client.wire.writer.close()
        await idle(gateway)
    assert (upstream.accepted, len(gateway.addon.pool)) == (2, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_one_that_ends_just_when_it_is_used_is_asked_again_on_another(gateway, method):
    upstream = await gateway.upstream()
    relay = Relay(upstream.port)
    gateway.leads("api.test", await relay.start())
    assert await ask(gateway) == 200
    relay.ends = True
    async with await gateway.https() as client:
        await client.request(method, "/again", "api.test")
        assert (await client.answer(head=method == "HEAD")).status == 200
    assert (upstream.accepted, [seen.target for seen in upstream.seen]) == (2, ["/a", "/again"])
    await gateway.stop()
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["executed", "executed"]


async def test_a_connection_of_the_same_client_that_ends_is_asked_again_too(gateway):
    upstream = await gateway.upstream()
    relay = Relay(upstream.port)
    gateway.leads("api.test", await relay.start())
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
        relay.ends = True
        await client.request("GET", "/b", "api.test")
        assert (await client.answer()).status == 200
    assert [seen.target for seen in upstream.seen] == ["/a", "/b"]


@pytest.mark.parametrize(("method", "body"), [("POST", b"x"), ("DELETE", b""), ("GET", b"x")])
async def test_what_may_change_something_is_never_asked_twice(gateway, method, body):
    upstream = await gateway.upstream()
    relay = Relay(upstream.port)
    gateway.leads("api.test", await relay.start())
    assert await ask(gateway) == 200
    relay.ends = True
    assert await ask(gateway, "/once", method, body=body) == 502
    await gateway.stop()
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["executed", "unknown"]
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_an_upstream_that_never_answers_is_asked_once_more_and_no_more(gateway):
    upstream = await gateway.upstream()
    relay = Relay(upstream.port)
    gateway.leads("api.test", await relay.start())
    assert await ask(gateway) == 200
    relay.ends = True
    gateway.leads("api.test", relay.server.sockets[0].getsockname()[1])
    upstream.answers["/never"] = lambda turn: turn.raw(b"")
    upstream.early = {"/never"}
    assert await ask(gateway, "/never") == 502
    assert [seen.target for seen in upstream.seen] == ["/a", "/never"]


async def test_what_may_not_be_asked_twice_gets_none_that_has_rested(gateway, monkeypatch):
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    monkeypatch.setattr(pool, "FRESH", -1.0)
    assert await ask(gateway, "/b", "POST", body=b"x") == 200
    assert await ask(gateway) == 200
    assert upstream.accepted == 2


async def test_a_halt_closes_what_rests(gateway):
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    gateway.engine.cut(lambda agent, _services: agent.id == "somebody")
    assert len(gateway.addon.pool) == 1
    gateway.engine.cut(lambda agent, services: agent.id == AGENT.id and not services)
    await upstream.until(lambda up: up.closed == 1)
    assert len(gateway.addon.pool) == 0


async def test_other_agents_written_down_close_what_rests(gateway):
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    gateway.engine.adopt(Agents())
    await upstream.until(lambda up: up.closed == 1)


async def test_the_end_closes_what_rests(gateway):
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    assert gateway.engine.upstreams == 1
    await gateway.stop()
    await upstream.until(lambda up: up.closed == 1)
    assert gateway.engine.upstreams == 0


@pytest.mark.parametrize("bounds", [{"each": 1}, {"in_all": 1}])
async def test_so_many_rest_and_no_more(gateway, bounds):
    gateway.addon.pool = Pool(**bounds)
    one, two = await gateway.upstream(), await gateway.upstream("other.test")
    assert [await ask(gateway), await ask(gateway, host="other.test")] == [200, 200]
    await one.until(lambda up: up.closed == 1)
    assert (len(gateway.addon.pool), two.closed) == (1, 0)


async def test_none_rests_for_long(gateway):
    gateway.addon.pool = Pool(rest=0.0)
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    await upstream.until(lambda up: up.closed == 1)
    assert len(gateway.addon.pool) == 0


async def test_another_trust_begins_anew(gateway):
    upstream = await gateway.upstream()
    assert await ask(gateway) == 200
    gateway.pki.ca_file.write_bytes(make_authority(datetime.now(UTC)).pem)
    assert await ask(gateway, "/b") == 502
    await gateway.stop()
    assert "certificate does not verify" in gateway.outcomes()[-1]["error"]
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_a_client_that_asks_nothing_for_a_while_keeps_no_connection_to_itself(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        for path, status in (("/a", 200), ("/b", 200)):
            await client.request("GET", path, "api.test")
            assert (await client.answer()).status == status
            gateway.engine.look(now := time.monotonic())
            gateway.engine.look(now + REST_AFTER + 1)
            async with asyncio.timeout(20):
                while not gateway.addon.pool:
                    await asyncio.sleep(0.005)
        assert await other(gateway) == 200
        await client.request("GET", "/d", "api.test")
        assert (await client.answer()).status == 200
    assert [seen.target for seen in upstream.seen] == ["/a", "/b", "/c", "/d"]
    assert upstream.accepted == 1


async def other(gateway) -> int:
    """Another client of the same agent, while the first is there."""
    async with await gateway.https() as client:
        await client.request("GET", "/c", "api.test")
        status = (await client.answer()).status
    async with asyncio.timeout(20):
        while not gateway.addon.pool:
            await asyncio.sleep(0.005)
    return status


async def test_what_is_asked_in_the_very_turn_in_which_one_comes_to_rest_goes_by_another(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).status == 200
        (handler,) = gateway.engine._handlers.values()
        await client.request("POST", "/b", "api.test", b"x")
        handler._outward.rest()
        assert (await client.answer()).status == 200
    await gateway.stop()
    assert [seen.target for seen in upstream.seen] == ["/a", "/b"]
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["executed", "executed"]
