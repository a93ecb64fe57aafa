"""Answers that a rule reads: nothing of one reaches the client before it was read whole, and nothing at all where it is withheld."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from wire.test_websocket import echo, handshake

from outgate.mitm.link import KIB, MIB, Limits

POLICY = """
    outgate: policy/v1alpha
    policy: answers
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    rules:
      - {id: rows, phase: response, match: {resource: "*/rows*"}, when: response.rows > 3, effect: block, tell: "Too many rows."}
      - {id: failed, phase: response, match: {resource: "*/status*"}, when: response.status >= 500, effect: block, tell: "It broke."}
      - {id: leaks, phase: response, match: {resource: "*/data*"}, when: '"secret" in response.data', effect: block, tell: "A secret."}
"""
FEW, MANY = b"[1,2,3]", b'["SECRET",2,3,4]'
H2 = pytest.mark.parametrize("h2", [False, True], ids=["http1", "h2"])


@pytest.fixture
def start(make):
    async def one(**said):
        gateway = await make(policy_text=POLICY, **said)
        return gateway, await gateway.upstream(alpn=("h2", "http/1.1"))

    return one


async def ask(gateway, h2, path, method="GET", body=b"", **headers):
    if h2:
        async with await gateway.h2() as client, client.wire:
            named = [(name.lower().replace("_", "-"), value) for name, value in headers.items()]
            return await client.answer(await client.request(method, path, "api.test", body=body, headers=named))
    async with await gateway.https() as client:
        await client.request(method, path, "api.test", body, **headers)
        return await client.answer(head=method == "HEAD")


async def ended(gateway):
    await gateway.stop()
    return [(outcome["result"], outcome["status"]) for outcome in gateway.outcomes()]


def kind(answer):
    return json.loads(answer.body)["type"].rpartition("/")[2]


def gives(body, content_type="application/json", status=200, **headers):
    return lambda turn: turn.answer(status, body, content_type=content_type, **headers)


# what passes


@H2
async def test_an_answer_that_may_pass_is_the_same_to_the_byte(start, h2):
    gateway, upstream = await start()
    body = gzip.compress(FEW + b" " * 300_000)
    upstream.answers["/rows"] = gives(body, content_encoding="gzip", etag='"1"', x_odd="a  b")
    answer = await ask(gateway, h2, "/rows")
    assert (answer.status, answer.body) == (200, body)
    said = [answer.header(name) for name in ("content-encoding", "etag", "x-odd", "content-length", "outgate-decision")]
    assert said == ["gzip", '"1"', "a  b", str(len(body)), None]
    assert await ended(gateway) == [("executed", 200)]


@H2
async def test_trailers_follow_what_was_held(start, h2):
    gateway, upstream = await start()

    async def trail(turn):
        await turn.head(200, [("content-type", "application/json"), ("trailer", "x-sum"), *chunked(h2)])
        await turn.send(FEW)
        await turn.end([("x-sum", "6")])

    upstream.answers["/rows"] = trail
    answer = await ask(gateway, h2, "/rows")
    assert (answer.body, answer.trailers) == (FEW, [("x-sum", "6")])


def chunked(h2):
    return [] if h2 else [("transfer-encoding", "chunked")]


@H2
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 200)])
async def test_an_answer_without_a_body_has_no_rows(start, h2, method, status):
    gateway, upstream = await start()

    async def bare(turn):
        await turn.head(
            status, [("content-length", "900")] if method == "HEAD" else [("content-length", "0")] if status == 200 else []
        )
        await turn.end()

    upstream.answers["/rows"] = bare
    answer = await ask(gateway, h2, "/rows", method)
    assert (answer.status, answer.body) == (status, b"")
    assert await ended(gateway) == [("executed", status)]


async def test_what_says_only_that_more_will_come_is_no_answer(start):
    gateway, upstream = await start()

    async def hints(turn):
        await turn.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await gives(MANY)(turn)

    upstream.alpn = ("http/1.1",)
    upstream.answers["/rows"] = hints
    assert kind(await ask(gateway, False, "/rows")) == "withheld"
    assert await ended(gateway) == [("withheld", 200)]


async def test_a_large_answer_that_may_pass_fits_through_small_windows(start):
    gateway, upstream = await start()
    body = b"[" + b" " * (5 * MIB) + b"1]"
    upstream.answers["/rows"] = gives(body)
    assert (await ask(gateway, True, "/rows")).body == body


# what is withheld


@H2
async def test_nothing_of_a_withheld_answer_reaches_the_client(start, h2):
    gateway, upstream = await start()
    upstream.answers["/rows"] = gives(MANY, set_cookie="SECRET=1", x_secret="SECRET")
    answer = await ask(gateway, h2, "/rows")
    assert (answer.status, kind(answer), answer.header("x-should-retry")) == (403, "withheld", "false")
    assert "SECRET" not in str(answer.headers) + answer.body.decode()
    assert "carried out" in json.loads(answer.body)["detail"]
    assert await ended(gateway) == [("withheld", 200)]


@H2
async def test_nothing_is_passed_on_before_the_whole_was_read(start, h2):
    gateway, upstream = await start()
    sent, go = asyncio.Event(), asyncio.Event()

    async def slowly(turn):
        await turn.head(200, [("content-type", "application/json"), *chunked(h2)])
        await turn.send(b"[1,2,")
        sent.set()
        await go.wait()
        await turn.send(b"3]")
        await turn.end()

    upstream.answers["/rows"] = slowly
    if h2:
        async with await gateway.h2() as client:
            stream = await client.request("GET", "/rows", "api.test")
            await sent.wait()
            assert (await client.answer(await client.request("GET", "/other", "api.test"))).body == b"ok", "its siblings go on"
            assert stream not in client.answers
            go.set()
            assert (await client.answer(stream)).body == FEW
    else:
        async with await gateway.https() as client:
            await client.request("GET", "/rows", "api.test")
            await sent.wait()
            (handler,) = gateway.engine._handlers.values()
            async with asyncio.timeout(20):
                while not handler._link.gathered:
                    await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(1), 0.05)
            go.set()
            assert (await client.answer()).body == FEW
            assert handler._link.gathered == 0


@H2
async def test_what_the_status_says_is_enough(start, h2):
    gateway, upstream = await start()
    upstream.answers["/status"] = gives(b"SECRET stack", "text/plain", 500)
    assert kind(await ask(gateway, h2, "/status")) == "withheld"
    upstream.answers["/status"] = gives(b"fine", "text/plain")
    assert (await ask(gateway, h2, "/status")).body == b"fine"
    assert await ended(gateway) == [("withheld", 500), ("executed", 200)]


@H2
async def test_secrets_in_an_answer_are_found_in_any_coding(start, h2):
    gateway, upstream = await start()
    secret = b'{"key": "AKIAQWERTYUIOPASDFGH", "aws_secret_access_key": "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"}'
    upstream.answers["/data"] = gives(gzip.compress(secret), content_encoding="gzip")
    assert kind(await ask(gateway, h2, "/data")) == "withheld"


async def test_a_withheld_answer_reads_in_the_words_of_what_was_asked(start):
    gateway, upstream = await start()
    upstream.answers["/rows"] = gives(MANY)
    call = b'{"jsonrpc":"2.0","id":"x7","method":"tools/call","params":{"name":"list"}}'
    answer = await ask(gateway, False, "/rows", "POST", call, Content_Type="application/json")
    said = json.loads(answer.body)
    assert (answer.status, said["id"], said["error"]["code"]) == (200, "x7", 403)
    assert "Too many rows." in said["error"]["message"]


async def test_after_a_withheld_answer_both_connections_go_on(start):
    gateway, upstream = await start()
    upstream.alpn = ("http/1.1",)
    upstream.answers["/rows"] = gives(MANY)
    async with await gateway.https() as client:
        for _ in range(2):
            await client.request("GET", "/rows", "api.test")
            assert kind(await client.answer()) == "withheld"
            await client.request("GET", "/other", "api.test")
            assert (await client.answer()).body == b"ok"
    assert upstream.accepted == 1


# what can't be read


@H2
@pytest.mark.parametrize("declared", [True, False])
async def test_what_is_too_large_to_be_read_is_withheld_where_a_rule_must_read_it(start, h2, declared):
    gateway, upstream = await start(limits=Limits(body=64 * KIB))

    async def large(turn):
        length = [("content-length", str(200 * KIB))] if declared else chunked(h2)
        await turn.head(200, [("content-type", "application/json"), *length])
        await turn.send(b"SECRET" + b" " * (200 * KIB - 6))
        await turn.end()

    upstream.answers["/rows"] = large
    answer = await ask(gateway, h2, "/rows")
    assert kind(answer) == "withheld"
    assert b"SECRET" not in answer.body
    assert await ended(gateway) == [("withheld", 200)]
    assert gateway.addon._budget.left == Limits().bodies, "nothing is held any more"


@H2
async def test_what_is_too_large_passes_where_its_status_was_enough(start, h2):
    gateway, upstream = await start(limits=Limits(body=64 * KIB))
    body = bytes(range(256)) * 4 * KIB

    async def large(turn):
        await turn.head(200, [("content-type", "text/plain"), *chunked(h2)])
        await turn.send(body)
        await turn.end()

    upstream.answers["/status"] = large
    assert (await ask(gateway, h2, "/status")).body == body
    assert await ended(gateway) == [("executed", 200)]


@H2
async def test_nobody_waits_for_the_end_of_what_has_none(start, h2):
    gateway, upstream = await start()

    async def endless(turn):
        await turn.head(200, [("content-type", "text/event-stream"), *chunked(h2)])
        while True:
            await turn.send(b"data: SECRET\n\n")
            await asyncio.sleep(0.001)

    upstream.answers["/rows"] = endless
    answer = await ask(gateway, h2, "/rows")
    assert kind(answer) == "withheld"
    assert b"SECRET" not in answer.body
    await upstream.until(lambda u: u.closed > 0)
    assert await ended(gateway) == [("withheld", 200)]


async def test_a_stream_whose_status_was_enough_streams(start):
    gateway, upstream = await start()
    read = asyncio.Event()

    async def events(turn):
        await turn.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
        await turn.send(b"data: 1\n\n")
        await read.wait()
        await turn.send(b"data: 2\n\n")
        await turn.end()

    upstream.alpn = ("http/1.1",)
    upstream.answers["/status"] = events
    async with await gateway.https() as client:
        await client.request("GET", "/status", "api.test")
        await client.head()
        assert await client.chunk() == b"data: 1\n\n"
        read.set()
        assert await client.chunk() == b"data: 2\n\n"


async def test_a_bomb_is_withheld(start):
    gateway, upstream = await start()
    upstream.answers["/rows"] = gives(gzip.compress(b"[" + b" " * (40 * MIB) + b"]"), content_encoding="gzip")
    assert kind(await ask(gateway, False, "/rows")) == "withheld"


@pytest.mark.parametrize(
    ("body", "said"), [(b"[1,2", {}), (b"<html>", {"content_type": "text/html"}), (b"?", {"content_encoding": "gzip"})]
)
async def test_what_can_not_be_told_is_withheld(start, body, said):
    gateway, upstream = await start()
    upstream.answers["/rows"] = gives(body, **said)
    assert kind(await ask(gateway, False, "/rows")) == "withheld"


async def test_a_websocket_is_withheld_where_its_answer_must_be_read(start):
    gateway, upstream = await start()
    upstream.alpn = ("http/1.1",)
    upstream.early.add("/rows")
    upstream.answers["/rows"] = echo
    async with await gateway.https() as client:
        await client.send(handshake("/rows"))
        assert kind(await client.answer()) == "withheld"
    assert await ended(gateway) == [("withheld", 101)]


# what ends early


@H2
async def test_an_upstream_that_hangs_up_in_a_held_answer_is_a_failure(start, h2):
    gateway, upstream = await start()

    async def hang_up(turn):
        await turn.head(200, [("content-type", "application/json"), *chunked(h2)])
        await turn.send(b"[SECRET")
        upstream.drop_all()

    upstream.answers["/rows"] = hang_up
    answer = await ask(gateway, h2, "/rows")
    assert (answer.status, b"SECRET" in answer.body) == (502, False)
    assert await ended(gateway) == [("unknown", 200)]
    assert gateway.addon._budget.left == Limits().bodies


@H2
async def test_a_client_that_leaves_a_held_answer_leaves_nothing_behind(start, h2):
    gateway, upstream = await start()
    sent = asyncio.Event()

    async def stuck(turn):
        await turn.head(200, [("content-type", "application/json"), *chunked(h2)])
        await turn.send(b"[1,")
        while True:
            await turn.send(b"2,")
            sent.set()
            await asyncio.sleep(0.001)

    upstream.answers["/rows"] = stuck
    asked = asyncio.create_task(ask(gateway, h2, "/rows"))
    await sent.wait()
    (handler,) = gateway.engine._handlers.values()
    async with asyncio.timeout(20):
        while not handler._link.gathered:
            await asyncio.sleep(0)
    asked.cancel()
    await upstream.until(lambda u: u.closed > 0)
    assert await ended(gateway) == [("unknown", 200)]
    assert gateway.addon._budget.left == Limits().bodies


async def test_an_answer_that_comes_before_the_request_is_whole_is_read_too(start):
    gateway, upstream = await start()
    upstream.alpn = ("http/1.1",)
    upstream.early.add("/rows")
    upstream.answers["/rows"] = gives(MANY)
    async with await gateway.https() as client:
        await client.send("POST /rows HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100\r\n\r\nhalf")
        assert kind(await client.answer()) == "withheld"
    assert await ended(gateway) == [("withheld", 200)]


@H2
async def test_a_defect_in_the_reading_passes_nothing_on(start, monkeypatch, h2):
    gateway, upstream = await start(expects_alarms=True)
    upstream.answers["/rows"] = gives(b'["SECRET"]')

    def boom(*_):
        raise RuntimeError

    monkeypatch.setattr(gateway.gate, "review", boom)
    with pytest.raises((ConnectionError, EOFError, OSError, AssertionError, KeyError)):
        await ask(gateway, h2, "/rows")
    assert await ended(gateway) == [("unknown", 200)]


# who reads along


class Recorder:
    def __init__(self):
        self.body, self.ended = b"", None

    def feed(self, chunk):
        self.body += chunk

    def end(self, status, headers, *, whole):
        self.ended = (status, dict(headers).get("content-type"), whole)


@H2
@pytest.mark.parametrize(("path", "body", "whole"), [("/other", b"hello", True), ("/rows", FEW, True), ("/rows", MANY, False)])
async def test_a_recorder_reads_along_and_is_told_whether_it_was_all(start, h2, path, body, whole):
    gateway, upstream = await start()
    made = []

    def recorder(admitted):
        made.append((admitted.request.path, Recorder()))
        return made[-1][1]

    object.__setattr__(gateway.addon._outside, "recorder", recorder)
    upstream.answers[path] = gives(body)
    await ask(gateway, h2, path)
    await gateway.stop()
    ((asked, tap),) = made
    assert (asked, tap.body, tap.ended) == (path, body, (200, "application/json", whole))
