"""Allow, block, observe over HTTP, HTTPS with HTTP/1.1 and HTTP/2: what the client got, and what the upstream saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wire.clients import Answer
    from wire.gateway import Gateway

PROTOCOLS = ("http", "https", "h2", "h2-to-http/1.1")


async def upstream_for(gateway: Gateway, protocol: str):
    return await gateway.upstream(tls=protocol != "http", alpn=("h2", "http/1.1") if protocol == "h2" else ("http/1.1",))


async def ask(gateway: Gateway, protocol: str, method: str, path: str, body: bytes = b"") -> Answer:
    if protocol == "http":
        async with await gateway.plain() as client:
            await client.request(method, f"http://api.test{path}", "api.test", body)
            return await client.answer()
    if protocol == "https":
        async with await gateway.https() as client:
            await client.request(method, path, "api.test", body)
            return await client.answer()
    async with await gateway.h2() as client:
        return await client.answer(await client.request(method, path, "api.test", body=body))


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_allowed_request_reaches_its_upstream_as_it_was_sent(gateway, protocol):
    upstream = await upstream_for(gateway, protocol)
    answer = await ask(gateway, protocol, "POST", "/v1/things?a=1&b=%20", b'{"a":1}')
    assert (answer.status, answer.body) == (200, b"ok")
    (seen,) = upstream.seen
    assert (seen.method, seen.target, seen.body, seen.header("host")) == ("POST", "/v1/things?a=1&b=%20", b'{"a":1}', "api.test")
    assert seen.version == ("HTTP/2" if protocol == "h2" else "HTTP/1.1")
    assert answer.header("outgate-decision") is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_blocked_request_reaches_nobody_and_says_so(gateway, protocol):
    upstream = await upstream_for(gateway, protocol)
    answer = await ask(gateway, protocol, "POST", "/forbidden", b'{"a":1}')
    assert answer.status == 403
    assert "Forbidden things stay here." in answer.body.decode()
    assert answer.header("outgate-decision") == "block"
    assert answer.header("content-length") == str(len(answer.body))
    assert upstream.accepted == 0
    (decision,) = gateway.decisions()
    assert answer.header("outgate-receipt") == f"wire-{decision['seq']}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_observed_block_lets_the_request_out_and_remembers(make, protocol):
    gateway = await make(mode="observe")
    upstream = await upstream_for(gateway, protocol)
    answer = await ask(gateway, protocol, "POST", "/forbidden", b"{}")
    assert answer.status == 200
    assert [seen.target for seen in upstream.seen] == ["/forbidden"]
    (decision,) = gateway.decisions()
    assert (decision["answer"], decision["would"]) == ("allow", "block")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_was_executed_is_recorded_with_its_sizes(gateway, protocol):
    upstream = await upstream_for(gateway, protocol)
    upstream.answers["/made"] = lambda turn: turn.answer(201, b"12345")
    assert (await ask(gateway, protocol, "POST", "/made", b"1234567")).status == 201
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["status"], outcome["sent"], outcome["received"]) == ("executed", 201, 7, 5)
    assert outcome["body"] == "sha256:8bb0cf6eb9b17d0f7d22b456f121257dc1254e1f01665370476383ea776df414"


async def test_every_request_on_a_tunnel_is_decided_anew(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        statuses = []
        for path in ("/a", "/forbidden/1", "/b", "/forbidden/2", "/c"):
            await client.request("GET", path, "api.test")
            statuses.append((await client.answer()).status)
    assert statuses == [200, 403, 200, 403, 200]
    assert [seen.target for seen in upstream.seen] == ["/a", "/b", "/c"]
    assert upstream.accepted == 1, "the upstream connection is kept"


async def test_pipelined_requests_are_each_decided(gateway):
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("".join(f"GET {path} HTTP/1.1\r\nHost: api.test\r\n\r\n" for path in ("/a", "/forbidden", "/b")))
        assert [(await client.answer()).status for _ in range(3)] == [200, 403, 200]
    assert [seen.target for seen in upstream.seen] == ["/a", "/b"]


async def test_a_refused_head_request_gets_no_body(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("HEAD", "/forbidden", "api.test")
        assert (await client.answer(head=True)).status == 403
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_an_answered_head_request_has_its_length_and_no_body(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/big"] = lambda turn: turn.answer(200, b"x" * 1000)
    async with await gateway.https() as client:
        await client.request("HEAD", "/big", "api.test")
        assert (await client.answer(head=True)).header("content-length") == "1000"
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_what_is_ours_is_stripped_both_ways(gateway):
    upstream = await gateway.upstream()
    upstream.answers["/a"] = lambda turn: turn.answer(
        200, b"", Outgate_Decision="block", Alt_Svc='h3=":443"', Keep_Alive="1", X_Kept="1"
    )
    async with await gateway.https() as client:
        await client.request(
            "GET", "/a", "api.test", Outgate_Receipt="mine", Proxy_Connection="keep-alive", Proxy_Authorization="Basic eDp5"
        )
        answer = await client.answer()
    assert [answer.header(name) for name in ("outgate-decision", "alt-svc", "keep-alive", "x-kept")] == [None, None, None, "1"]
    (seen,) = upstream.seen
    assert sorted(name for name, _ in seen.headers) == ["host"]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_ends_with_its_head(gateway, status):
    upstream = await gateway.upstream()

    async def bare(turn):
        await turn.head(status, [("etag", '"1"')])
        await turn.end()

    upstream.answers["/a"] = bare
    async with await gateway.https() as client:
        for _ in range(2):
            await client.request("GET", "/a", "api.test")
            answer = await client.answer()
            assert (answer.status, answer.header("transfer-encoding")) == (status, None)


async def test_an_answer_that_ends_with_its_connection_is_whole_for_the_client(gateway):
    upstream = await gateway.upstream()

    async def old(turn):
        await turn.raw(b"HTTP/1.0 200 OK\r\n\r\nto the end")
        turn.seen.whole = True

    upstream.answers["/old"] = old
    async with await gateway.https() as client:
        await client.request("GET", "/old", "api.test")
        assert (await client.answer()).body == b"to the end"
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


async def test_a_client_of_http_1_0_gets_what_it_can_read(gateway):
    upstream = await gateway.upstream(tls=False)

    async def chunks(turn):
        assert turn.seen.version == "HTTP/1.0"
        await turn.head(200, [])
        await turn.send(b"to the end")
        await turn.end()

    upstream.answers["/old"] = chunks
    async with await gateway.plain() as client:
        await client.send("GET http://api.test/old HTTP/1.0\r\nHost: api.test\r\n\r\n")
        answer = await client.answer()
        assert (answer.header("transfer-encoding"), answer.body) == (None, b"to the end")


async def test_a_client_that_wants_to_close_is_closed(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test", Connection="close")
        assert (await client.answer()).body == b"ok"
        assert await client.rest() == b""


async def test_a_refusal_is_readable_by_programs(gateway):
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/forbidden", "api.test", Accept="application/json")
        said = json.loads((await client.answer()).body)
    assert (said["decision"], said["detail"]) == ("block", "Forbidden things stay here.")
