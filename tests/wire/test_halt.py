"""A halt ends what it covers in the middle: streams, downloads, uploads, WebSockets, what is held; and nothing beside it."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import timedelta

import pytest
import wsproto.events as we
from signed import Signer, people
from wire.gateway import http_of
from wire.test_websocket import Socket, echo, handshake
from wire.upstreams import silent

from outgate.halt import Halt, Halts, Scope
from outgate.mitm.link import MIB
from outgate.stores.catalog_files import load_catalog

ALL = Halt(scope=Scope.ALL)
CODER = Halt(scope=Scope.AGENT, name="coder")
OPENAI = Halt(scope=Scope.SERVICE, name="openai")
STRIPE = Halt(scope=Scope.SERVICE, name="stripe")
HOST, PATH = "api.openai.com", "/v1/chat/completions"
H2 = pytest.mark.parametrize("h2", [False, True], ids=["http1", "h2"])
POLICY = """
    outgate: policy/v1alpha
    policy: halts
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}, to: ops}
    approvers:
      ops: {need: 1, of: ["group:ops"]}
    rules:
      - {id: ask, match: {resource: "*/ask*"}, effect: escalate, to: ops}
      - {id: ask-deletes, match: {service: stripe, access: delete}, effect: escalate, to: ops}
"""


@pytest.fixture
def start(make):
    async def one(**said):
        gateway = await make(policy_text=POLICY, catalog=load_catalog(), people=people(Signer("alice")), **said)
        return gateway, await gateway.upstream(HOST, alpn=("h2", "http/1.1"))

    return one


def halt(gateway, halt) -> int:
    """Throw the switch, as a gate does that sees it thrown."""
    gateway.switch.halts = Halts((*gateway.switch.halts.halts, halt))
    cut = gateway.engine.cut(halt.covers)
    gateway.gate.adopt(gateway.gate.ground)
    return cut


async def ended(gateway):
    await gateway.stop()
    return [(outcome["result"], outcome["error"]) for outcome in gateway.outcomes()]


def endless(begun: asyncio.Event, chunk=b"data: x\n\n"):
    async def answer(turn):
        await turn.head(200, [("content-type", "text/event-stream")])
        begun.set()
        while True:
            await turn.send(chunk)
            await asyncio.sleep(0.001)

    return answer


async def recorded(gateway, count=1):
    """Wait until so many outcomes are on the disk."""
    async with asyncio.timeout(10):
        while len(gateway.outcomes()) < count:
            await asyncio.sleep(0.005)


async def stuck(gateway):
    """Wait until the one client does not take what is written to it."""
    (handler,) = gateway.engine._handlers.values()
    agent = http_of(handler)._agent
    async with asyncio.timeout(10):
        while not handler._backlog(handler.client) and not (agent and any(map(agent.unsent, tuple(agent.streams)))):
            await asyncio.sleep(0.005)


@H2
@pytest.mark.parametrize("which", [ALL, CODER, OPENAI], ids=str)
async def test_a_stream_is_cut_and_its_outcome_says_so(start, h2, which):
    gateway, upstream = await start()
    begun = asyncio.Event()
    upstream.answers[PATH] = endless(begun)
    if h2:
        async with await gateway.h2(HOST) as client:
            stream = await client.request("POST", PATH, HOST, body=b"{}")
            await client.until(lambda: stream in client.answers and client.answers[stream].body)
            assert halt(gateway, which) == 1
            await client.until(lambda: stream in client.reset or client.gone)
            assert (stream in client.reset) == (which is OPENAI)
    else:
        async with await gateway.https(HOST) as client:
            await client.request("POST", PATH, HOST, b"{}")
            await client.head()
            await begun.wait()
            assert halt(gateway, which) == 1
            await client.rest()
    await upstream.until(lambda u: u.closed > 0)
    await recorded(gateway)
    assert await ended(gateway) == [("unknown", "halted")]


async def test_the_siblings_of_what_is_cut_go_on(start):
    gateway, upstream = await start()
    begun = asyncio.Event()
    upstream.answers[PATH] = endless(begun)
    other = await gateway.upstream("other.test", alpn=("h2", "http/1.1"))
    slow, go = asyncio.Event(), asyncio.Event()

    async def wait(turn):
        slow.set()
        await go.wait()
        await turn.answer(200, b"sibling")

    other.answers["/slow"] = wait
    async with await gateway.h2(HOST) as cut, await gateway.h2("other.test") as goes_on:
        first = await cut.request("POST", PATH, HOST, body=b"{}")
        sibling = await goes_on.request("GET", "/slow", "other.test")
        await slow.wait()
        await cut.until(lambda: first in cut.answers and cut.answers[first].body)
        assert halt(gateway, OPENAI) == 1
        await cut.until(lambda: first in cut.reset)
        refused = await cut.answer(await cut.request("GET", "/v1/models", HOST))
        assert json.loads(refused.body)["type"].endswith("/halted"), "its connection goes on too"
        go.set()
        assert (await goes_on.answer(sibling)).body == b"sibling"
    assert sorted(await ended(gateway)) == [("executed", ""), ("unknown", "halted")]


async def test_one_stream_of_a_connection_is_cut_and_not_the_other(start):
    """Two services behind one host: the halt is for one of them."""
    gateway, _ = await start()
    upstream = await gateway.upstream("api.test", alpn=("h2", "http/1.1"))
    begun, go = asyncio.Event(), asyncio.Event()
    upstream.answers["/mcp"] = endless(begun)

    async def wait(turn):
        await go.wait()
        await turn.answer(200, b"sibling")

    upstream.answers["/elsewhere"] = wait
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_it"}}'
    async with await gateway.h2() as client:
        stream = await client.request("POST", "/mcp", "api.test", body=call, headers=[("content-type", "application/json")])
        await client.until(lambda: stream in client.answers and client.answers[stream].body)
        sibling = await client.request("GET", "/elsewhere", "api.test")
        await upstream.until(lambda u: len(u.seen) == 2)
        assert halt(gateway, Halt(scope=Scope.SERVICE, name="mcp")) == 1
        await client.until(lambda: stream in client.reset)
        go.set()
        assert (await client.answer(sibling)).body == b"sibling"
    assert upstream.accepted == 1
    assert sorted(await ended(gateway)) == [("executed", ""), ("unknown", "halted")]


@H2
async def test_what_has_no_answer_yet_is_told(start, h2):
    gateway, upstream = await start()
    asked = asyncio.Event()

    async def silent(turn):
        asked.set()
        await asyncio.sleep(3600)

    upstream.answers[PATH] = silent
    if h2:
        async with await gateway.h2(HOST) as client:
            stream = await client.request("POST", PATH, HOST, body=b"{}")
            await asked.wait()
            assert halt(gateway, OPENAI) == 1
            answer = await client.answer(stream)
    else:
        async with await gateway.https(HOST) as client:
            await client.request("POST", PATH, HOST, b"{}")
            await asked.wait()
            assert halt(gateway, OPENAI) == 1
            answer = await client.answer()
    said = json.loads(answer.body)
    assert (answer.status, said["type"], answer.header("x-should-retry")) == (
        403,
        "http://outgate.internal/problems/halted",
        "false",
    )
    assert "may have been acted on" in said["detail"]
    assert answer.header("outgate-receipt") == f"wire-{gateway.decisions()[0]['seq']}"
    assert await ended(gateway) == [("unknown", "halted")]


@H2
@pytest.mark.parametrize("which", [CODER, OPENAI], ids=str)
async def test_what_is_being_connected_is_given_up(start, h2, which):
    gateway, _ = await start()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)  # never ends its handshake
    gateway.leads(HOST, server.sockets[0].getsockname()[1])
    client = await (gateway.h2(HOST) if h2 else gateway.https(HOST))
    async with client:
        asked = await client.request("POST", PATH, HOST, body=b"{}")
        (handler,) = gateway.engine._handlers.values()
        async with asyncio.timeout(20):
            while len(handler.transports) < 2:
                await asyncio.sleep(0)
        assert halt(gateway, which) == 1
        if which is OPENAI:
            answer = await client.answer(*([asked] if h2 else []))
            assert "was not sent" in json.loads(answer.body)["detail"]
            async with asyncio.timeout(20):
                while len(handler.transports) > 1:
                    await asyncio.sleep(0)
    assert await ended(gateway) == [("abandoned", "halted")]
    server.close()


@H2
async def test_a_download_is_cut_with_what_was_still_to_be_written(start, h2):
    gateway, upstream = await start()
    begun = asyncio.Event()
    upstream.answers[PATH] = endless(begun, bytes(MIB))
    client = await (gateway.h2(HOST) if h2 else gateway.https(HOST))
    async with client:
        if h2:
            client.read_data = False
        await client.request("POST", PATH, HOST, body=b"{}")
        await begun.wait()
        await stuck(gateway)
        assert halt(gateway, OPENAI) == 1
        await upstream.until(lambda u: u.closed > 0)
        await recorded(gateway)
        if not h2:
            async with asyncio.timeout(10):
                while gateway.engine.clients:
                    await asyncio.sleep(0.005)
    assert await ended(gateway) == [("unknown", "halted")]


@H2
async def test_an_upload_is_cut(gateway, h2):
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    if h2:
        async with await gateway.h2() as client:
            stream = await client.request("PUT", "/up", "api.test", end=False)
            await client.data(stream, b"half")
            await upstream.until(lambda u: u.seen and u.seen[0].body == b"half")
            assert halt(gateway, CODER) == 1
            await client.until(lambda: client.gone)
    else:
        async with await gateway.https() as client:
            await client.send("PUT /up HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100\r\n\r\nhalf")
            await upstream.until(lambda u: u.seen and u.seen[0].body == b"half")
            assert halt(gateway, CODER) == 1
            await client.rest()
    await upstream.until(lambda u: u.closed > 0)
    assert not upstream.seen[0].whole
    assert await ended(gateway) == [("unknown", "halted")]


@pytest.mark.parametrize("which", [CODER, ALL, OPENAI], ids=str)
async def test_a_websocket_is_cut_and_told_why(start, which):
    gateway, upstream = await start()
    upstream.alpn = ("http/1.1",)
    upstream.early.add("/v1/realtime")
    upstream.answers["/v1/realtime"] = echo
    async with await gateway.https(HOST) as client:
        await client.send(handshake("/v1/realtime?model=m", host=HOST))
        assert (await client.head()).status == 101
        socket = Socket(client)
        await socket.send(we.Message(data="hi"))
        assert await socket.receive() == b"hi"
        assert halt(gateway, which) == 1
        if which is OPENAI:
            closed = await socket.receive()
            assert (closed.code, closed.reason) == (1008, "halted")
        assert await client.rest() == b""
    await upstream.until(lambda u: u.closed > 0)
    assert await ended(gateway) == [("unknown", "halted")]


async def test_a_websocket_whose_client_does_not_read_is_cut_too(start):
    gateway, upstream = await start()
    upstream.alpn = ("http/1.1",)
    upstream.early.add("/v1/realtime")
    upstream.answers["/v1/realtime"] = echo
    async with await gateway.https(HOST) as client:
        await client.send(handshake("/v1/realtime?model=m", host=HOST))
        await client.head()
        client.reader._transport.pause_reading()
        socket = Socket(client)
        sending = asyncio.create_task(_flood(socket))
        await stuck(gateway)
        assert halt(gateway, OPENAI) == 1
        async with asyncio.timeout(10):
            while gateway.engine.clients:
                await asyncio.sleep(0.005)
        sending.cancel()
    assert await ended(gateway) == [("unknown", "halted")]


async def _flood(socket):
    while True:
        await socket.send(we.Message(data=bytes(100_000)))


@H2
@pytest.mark.parametrize("which", [CODER, STRIPE], ids=str)
async def test_what_people_are_asked_about_is_refused_when_it_is_halted(start, h2, which):
    gateway, _ = await start(hold=timedelta(seconds=60))
    upstream = await gateway.upstream("api.stripe.com", alpn=("h2", "http/1.1"))
    client = await (gateway.h2("api.stripe.com") if h2 else gateway.https("api.stripe.com"))
    async with client:
        asked = await client.request("DELETE", "/v1/customers/cus_1", "api.stripe.com")
        async with asyncio.timeout(20):
            while not gateway.events("approval-asked"):
                await asyncio.sleep(0.005)
        halt(gateway, which)
        if which is STRIPE:
            answer = await client.answer(*([asked] if h2 else []))
            assert (answer.status, "halted" in answer.body.decode()) == (403, True)
        else:
            async with asyncio.timeout(10):
                while gateway.engine.clients or gateway.gate._waiting._counts["held"]:
                    await asyncio.sleep(0.005)
    assert upstream.accepted == 0
    assert await ended(gateway) == []
    reasons = [decision["reason"] for decision in gateway.decisions()]
    assert reasons == (["halted"] if which is STRIPE else reasons)


async def test_an_answer_that_is_held_back_is_cut(make):
    text = POLICY + '      - {id: rows, phase: response, match: {resource: "*"}, when: response.rows > 3, effect: block}\n'
    gateway = await make(policy_text=text, catalog=load_catalog(), people=people(Signer("alice")))
    upstream = await gateway.upstream(HOST, alpn=("http/1.1",))
    sent = asyncio.Event()

    async def half(turn):
        await turn.head(200, [("content-type", "application/json"), ("content-length", "100")])
        await turn.send(b'["SECRET"')
        sent.set()
        await asyncio.sleep(3600)

    upstream.answers[PATH] = half
    whole = gateway.addon._budget.left
    async with await gateway.https(HOST) as client:
        await client.request("POST", PATH, HOST, b"{}")
        await sent.wait()
        assert halt(gateway, OPENAI) == 1
        answer = await client.answer()
        assert (answer.status, b"SECRET" in answer.body) == (403, False)
    assert gateway.addon._budget.left == whole
    assert await ended(gateway) == [("unknown", "halted")]


async def test_what_is_not_covered_is_not_touched(start):
    gateway, upstream = await start()
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(turn):
        begun.set()
        await go.wait()
        await turn.answer(200, b"in peace")

    upstream.answers[PATH] = wait
    async with await gateway.https(HOST) as client, await gateway.plain() as stranger:
        await client.request("POST", PATH, HOST, b"{}")
        await begun.wait()
        assert halt(gateway, Halt(scope=Scope.AGENT, name="other")) == 0
        assert halt(gateway, STRIPE) == 0
        go.set()
        assert (await client.answer()).body == b"in peace"
        assert (await stranger.tunnel(HOST, 443)).status == 200
    assert await ended(gateway) == [("executed", "")]


async def test_who_reads_slowly_gets_no_more_of_what_was_on_its_way(start):
    gateway, _ = await start()
    upstream = await gateway.upstream("plain.test", tls=False)
    upstream.answers["/big"] = endless(asyncio.Event(), chunk=bytes(65536))
    loop = asyncio.get_running_loop()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        await loop.sock_connect(slow, ("127.0.0.1", gateway.port))
        await loop.sock_sendall(slow, b"GET http://plain.test/big HTTP/1.1\r\nHost: plain.test\r\n\r\n")
        async with asyncio.timeout(10):
            while not any(handler._backlog(handler.client) for handler in gateway.engine._handlers.values()):
                await asyncio.sleep(0.005)
        halt(gateway, CODER)
        with pytest.raises(ConnectionResetError):
            await read_to_the_end(slow)
    assert await ended(gateway) == [("unknown", "halted")]


async def read_to_the_end(slow):
    async with asyncio.timeout(10):
        while await asyncio.get_running_loop().sock_recv(slow, 65536):
            pass
