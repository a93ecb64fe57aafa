"""HTTP/2 with real upstreams, at length: how many connections it takes, who closes them, and what goes on meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wire.upstreams import CorporateProxy

from outgate.intake.destinations import Destination, Via

if TYPE_CHECKING:
    from wire.clients import Answer
    from wire.gateway import Gateway
    from wire.upstreams import Turn

MANY = 60


async def ask(streams, path: str = "/") -> Answer:
    return await streams.answer(await streams.request("GET", path, "api.test"))


async def test_sixty_requests_of_an_http2_client_take_one_connection_to_an_http1_upstream(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("http/1.1",))
    async with await gateway.h2() as streams:
        assert [(await ask(streams)).status for _ in range(MANY)] == [200] * MANY
    assert upstream.accepted == 1


async def test_sixty_at_once_take_one_connection_to_an_http2_upstream_that_nobody_knows_yet(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as streams:
        sent = [await streams.request("GET", "/", "api.test") for _ in range(MANY)]
        assert [(await streams.answer(stream)).status for stream in sent] == [200] * MANY
    assert upstream.accepted == 1


async def test_sixty_at_once_take_no_more_connections_than_requests_and_all_are_used_again(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("http/1.1",))
    async with await gateway.h2() as streams:
        for _ in range(3):
            sent = [await streams.request("GET", "/", "api.test") for _ in range(MANY)]
            assert [(await streams.answer(stream)).status for stream in sent] == [200] * MANY
    assert upstream.accepted <= MANY


async def test_sixty_requests_of_an_http1_client_take_one_connection_to_an_upstream_that_has_both(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.https() as wire:
        for _ in range(MANY):
            await wire.request("GET", "/", "api.test")
            assert (await wire.answer()).status == 200
    assert upstream.accepted == 1


async def test_streams_go_on_when_an_upstream_says_that_it_takes_no_more(gateway: Gateway):
    """GOAWAY with the last stream that counts (RFC 9113, section 6.8): what is under way ends well, what is new goes elsewhere."""
    upstream = await gateway.upstream(alpn=("h2",))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(turn: Turn) -> None:
        await turn.head(200, [("content-type", "application/grpc")])
        await turn.send(b"one")
        begun.set()
        await go_on.wait()
        await turn.send(b"two")
        await turn.end([("grpc-status", "0")])

    upstream.answers["/slow"] = slow
    async with await gateway.h2() as streams:
        first = await streams.request("GET", "/slow", "api.test")
        await begun.wait()
        await upstream.goes_away()
        assert (await ask(streams, "/next")).status == 200
        go_on.set()
        answer = await streams.answer(first)
    assert (answer.body, answer.trailers) == (b"onetwo", [("grpc-status", "0")])
    assert upstream.accepted == 2


def waiting():
    """An answer that waits for a word, and says when it was asked for."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def waits(turn: Turn) -> None:
        begun.set()
        await go_on.wait()
        await turn.answer(200, b"ok")

    return waits, begun, go_on


async def test_what_an_upstream_took_no_more_is_asked_elsewhere_where_it_may_be(gateway: Gateway):
    """A GET that was on its way when the upstream went: it is not for the client to try again."""
    upstream = await gateway.upstream(alpn=("h2",))
    waits, begun, go_on = waiting()
    async with await gateway.h2() as streams:
        assert (await ask(streams)).status == 200
        upstream.answers["/waits"] = waits
        stream = await streams.request("GET", "/waits", "api.test")
        await begun.wait()
        del upstream.answers["/waits"]
        upstream.seen.pop()
        await upstream.goes_away(last=1)
        assert (await streams.answer(stream)).body == b"ok"
        go_on.set()
    assert upstream.accepted == 2


async def test_what_an_upstream_did_not_take_any_more_was_not_executed_and_is_said_so(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    upstream.answers["/waits"], begun, go_on = waiting()
    async with await gateway.h2() as streams:
        stream = await streams.request("GET", "/waits", "api.test")
        await begun.wait()
        await upstream.goes_away(last=0)
        answer = await streams.answer(stream)
        assert answer.status == 502
        assert (await ask(streams, "/next")).status == 200
        go_on.set()


async def test_sixty_that_wait_for_each_other_are_all_sent_at_once_to_an_upstream_that_nobody_knows_yet(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("h2",))
    together = asyncio.Barrier(MANY)

    async def waits(turn: Turn) -> None:
        await together.wait()
        await turn.answer(200, b"ok")

    upstream.answers["/"] = waits
    async with await gateway.h2() as streams:
        sent = [await streams.request("GET", "/", "api.test") for _ in range(MANY)]
        assert [(await streams.answer(stream)).status for stream in sent] == [200] * MANY
    assert upstream.accepted == 1


async def test_two_at_once_through_a_companys_proxy_have_a_tunnel_each(gateway: Gateway):
    upstream = await gateway.upstream(alpn=("http/1.1",))
    proxy = await CorporateProxy({"api.test:443": upstream.port}).start()
    via = Via(scheme="http", host="127.0.0.1", port=proxy.port)
    gateway.destinations["api.test"] = Destination(pattern="api.test", route=via, ca=str(gateway.pki.ca_file))
    both = asyncio.Barrier(2)

    async def waits(turn: Turn) -> None:
        await both.wait()
        await turn.answer(200, b"ok")

    upstream.answers["/"] = waits
    async with await gateway.h2() as streams:
        for _ in range(2):
            sent = [await streams.request("GET", "/", "api.test") for _ in range(2)]
            assert [(await streams.answer(stream)).status for stream in sent] == [200] * 2
    await proxy.stop()
    assert upstream.accepted == 2


async def test_an_idle_upstream_is_not_pinged(gateway: Gateway):
    """A gRPC server takes the third ping in a row without data for an attack, and ends all streams for it."""
    await gateway.upstream(alpn=("h2",))
    async with await gateway.h2() as streams:
        assert (await ask(streams)).status == 200
        (handler,) = gateway.engine._handlers.values()
        assert handler.wakeup_timer == set()
