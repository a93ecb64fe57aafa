"""Calls of gRPC and streams of events are decided message by message: the upstream, and the client, see what was let out and no more."""

from __future__ import annotations

import asyncio
import gzip
import struct
from datetime import UTC, datetime, timedelta

import pytest
from signed import Signer, people
from wire.test_messages import until

from outgate.halt import Halt, Halts, Scope
from outgate.mitm.link import KIB, MIB, Limits

ALICE = Signer("alice")
KEY = b"sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc"
POLICY = """
    outgate: policy/v1alpha
    policy: calls
    mode: {mode}
    otherwise: {{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {{read: allow, other: allow}}}}
    approvers:
      ops: {{need: 1, of: [alice], within: 2h}}
    rules:
      - {{id: no-secrets, match: {{data: [secret]}}, effect: block, tell: "No secrets leave: 100 %."}}
      - {{id: long, phase: stream, when: message.sent && message.size == 2000, effect: escalate, to: ops}}
      - {{id: quiet, phase: stream, when: '!message.sent && message.size == 7', effect: block, tell: "It says too much."}}
"""
OPEN = """
    outgate: policy/v1alpha
    policy: open
    otherwise: allow
"""
HEAD = [("content-type", "application/grpc"), ("te", "trailers")]
FINE = gzip.compress(b"fine", mtime=0)
OK = [("grpc-status", "0")]
REFUSED = [("grpc-status", "7"), ("grpc-message", "No secrets leave: 100 %25.")]


def framed(content: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(content).to_bytes(4) + content


def messages(body: bytes) -> list[bytes]:
    found = []
    while body:
        end = 5 + int.from_bytes(body[1:5])
        found.append(bytes(body[5:end]))
        body = body[end:]
    return found


async def echo(turn):
    """Give each message back as it comes, then say that all is well."""
    await turn.head(200, [("content-type", "application/grpc")])
    given = 0
    while not turn.seen.whole or given < len(turn.seen.body):
        if given < len(turn.seen.body):
            more, given = bytes(turn.seen.body[given:]), len(turn.seen.body)
            await turn.send(more)
        await asyncio.sleep(0.005)
    await turn.end(OK)


async def later(turn):
    """Answer when all of it came."""
    while not turn.seen.whole:
        await asyncio.sleep(0.005)
    await turn.head(200, [("content-type", "application/grpc")])
    await turn.end(OK)


@pytest.fixture
def start(make):
    async def one(mode: str = "enforce", **said):
        gateway = await make(policy_text=POLICY.format(mode=mode), people=people(ALICE), **said)
        upstream = await gateway.upstream(alpn=("h2",))
        upstream.answers |= {"/echo": echo, "/later": later}
        upstream.early |= {"/echo", "/later", "/says"}
        return gateway, upstream

    return one


def says(*contents: bytes, kind: str = "application/grpc", **headers: str):
    async def answer(turn):
        await turn.head(200, [("content-type", kind), *headers.items()])
        for content in contents:
            await turn.send(content)
        await turn.end(OK if "grpc" in kind else None)

    return answer


async def call(client, path="/echo", *contents, more=(), **said):
    return await client.request(
        "POST", path, "api.test", headers=[*HEAD, *more], body=b"".join(map(framed, contents)), **{"end": False, **said}
    )


async def body_of(client, stream, size):
    await client.until(
        lambda: stream in client.ended or len(client.answers[stream].body if stream in client.answers else b"") >= size
    )
    return messages(client.answers[stream].body)


async def test_a_conversation_goes_on_without_its_end_and_a_secret_in_its_third_message_ends_it_alone(start):
    gateway, upstream = await start()
    async with await gateway.h2() as client:
        stream, sibling = await call(client, "/echo", b"one"), await call(client, "/echo", b"hello")
        assert await body_of(client, stream, 8) == [b"one"]
        await client.data(stream, framed(b"two"))
        assert await body_of(client, stream, 16) == [b"one", b"two"]
        await client.data(stream, framed(b"three " + KEY) + framed(b"four"))
        answer = await client.answer(stream)
        assert (messages(answer.body), answer.trailers) == ([b"one", b"two"], REFUSED)
        await upstream.until(lambda u: u.closed)
        assert messages(upstream.seen[0].body) == [b"one", b"two"]
        await client.data(sibling, framed(b"again"), end=True)
        assert messages((await client.answer(sibling)).body) == [b"hello", b"again"]
    await gateway.stop()
    assert [(o["result"], o.get("error", "")) for o in gateway.outcomes()] == [
        ("executed", "a message was refused"),
        ("executed", ""),
    ]
    assert gateway.outcomes()[0]["sent"] == len(framed(b"one") + framed(b"two"))
    (event,) = gateway.events("message-refused")
    assert (event["rules"], event["over"], event["sent"]) == (["no-secrets"], "grpc", True)
    assert KEY.decode() not in str(gateway.receipts)
    gateway.check()


async def test_before_its_answer_began_a_call_is_refused_as_any_other(start):
    gateway, upstream = await start()
    async with await gateway.h2() as client:
        stream = await call(client, "/later", b"one", KEY)
        answer = await client.answer(stream)
        assert dict(answer.headers)["grpc-status"] == "7"
        assert dict(answer.headers)["grpc-message"] == REFUSED[1][1]
        await upstream.until(lambda u: u.closed)
    assert messages(upstream.seen[0].body) == [b"one"]


async def test_one_that_people_must_approve_is_held_with_those_behind_it_and_its_siblings_go_on(start):
    gateway, upstream = await start()
    async with await gateway.h2() as client:
        stream, sibling = (
            await call(client, "/echo", b"one", b"x" * 2000, b"three", end=True),
            await call(client, "/echo", b"hello"),
        )
        assert await body_of(client, stream, 8) == [b"one"]
        (asked,) = await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
        await client.data(sibling, framed(b"again"), end=True)
        assert messages((await client.answer(sibling)).body) == [b"hello", b"again"]
        assert messages(upstream.seen[0].body) == [b"one"]
        await gateway.desk.vote(asked.id, ALICE.vote(asked, datetime.now(UTC)))
        answer = await client.answer(stream)
        assert (messages(answer.body), answer.trailers) == ([b"one", b"x" * 2000, b"three"], OK)
    await gateway.stop()
    assert [event["approval"] for event in gateway.events("message-approved")] == [asked.id]
    gateway.check()


async def test_a_halt_ends_what_is_held(start):
    gateway, upstream = await start()
    async with await gateway.h2() as client:
        stream = await call(client, "/echo", b"x" * 2000)
        await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
        gateway.switch.halts = Halts((Halt(scope=Scope.ALL),))
        assert gateway.engine.cut(lambda _agent, services: bool(services)) == 1
        await client.until(lambda: stream in client.reset or stream in client.ended)
        await upstream.until(lambda u: u.closed)
    assert not upstream.seen[0].body


async def test_what_the_upstream_says_is_stopped_where_a_rule_is_for_that(start):
    gateway, upstream = await start()
    upstream.answers["/says"] = says(framed(b"one"), framed(b"seven!!"), framed(b"three"))
    async with await gateway.h2() as client:
        answer = await client.answer(await call(client, "/says", b"go", end=True))
        assert messages(answer.body) == [b"one"]
        assert answer.trailers == [("grpc-status", "7"), ("grpc-message", "It says too much.")]
    await gateway.stop()
    assert gateway.outcomes()[0]["error"] == "a message was refused"


@pytest.mark.parametrize("content", [gzip.compress(b"a " + KEY, mtime=0), b"not gzip"], ids=["a secret", "not gzip"])
async def test_a_compressed_message_is_read_and_one_that_can_not_be_is_not_passed_on(start, content):
    gateway, upstream = await start()
    async with await gateway.h2() as client:
        stream = await call(client, "/later", b"one", more=[("grpc-encoding", "gzip")])
        await client.data(stream, framed(FINE, 1))
        await upstream.until(lambda u: u.seen and len(messages(u.seen[0].body)) == 2)
        await client.data(stream, framed(content, 1), end=True)
        assert dict((await client.answer(stream)).headers)["grpc-status"] == "7"
    assert messages(upstream.seen[0].body) == [b"one", FINE]


@pytest.mark.parametrize(
    "body",
    [b'{"json": "' + KEY + b'"}', framed(b"x" * (64 * KIB + 1))[: 64 * KIB], framed(b"x")[:-1]],
    ids=["json", "large", "no end"],
)
async def test_what_is_not_cut_into_messages_or_has_none_that_end_is_not_sent(start, body):
    gateway, upstream = await start(limits=Limits(message=64 * KIB))
    async with await gateway.h2() as client:
        stream = await client.request("POST", "/later", "api.test", headers=HEAD, body=body)
        assert dict((await client.answer(stream)).headers)["grpc-status"] == "7"
    assert not upstream.seen[0].body


async def test_a_large_message_comes_through_whole_though_no_window_holds_it(start):
    gateway, _ = await start()
    large = bytes(range(256)) * (12 * KIB)
    assert len(large) == 3 * MIB
    async with await gateway.h2() as client:
        assert messages((await client.answer(await call(client, "/echo", large, end=True))).body) == [large]


async def test_who_sends_on_while_one_is_held_is_not_read_on_for_ever(start):
    gateway, upstream = await start(limits=Limits(unsent=128 * KIB))
    async with await gateway.h2() as client:
        stream = await call(client, "/echo", b"x" * 2000)
        await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.data(stream, framed(b"y" * 16 * KIB) * 1000), 0.5)
        assert client.conn.local_flow_control_window(stream) <= 16 * KIB
    gateway.grace = timedelta(0)  # who is not read on is not seen to leave
    assert not upstream.seen[0].body


async def test_what_many_calls_make_us_hold_is_bounded_and_given_back(start):
    gateway, upstream = await start(limits=Limits(agent_bodies=256 * KIB))
    async with await gateway.h2() as client:
        streams = [await call(client, "/later") for _ in range(4)]
        for stream in streams:
            await client.data(stream, framed(b"y" * 128 * KIB)[: 100 * KIB])
        await client.until(lambda: any(stream in client.ended for stream in streams))
        assert "held" in dict(client.answers[min(client.ended)].headers)["grpc-message"]
        client.conn.reset_stream(streams[0])
        await client.flush()
        await upstream.until(lambda u: u.closed)
        client.wire.writer.close()
    await gave_back(gateway)


async def gave_back(gateway):
    async with asyncio.timeout(10):
        while gateway.addon.room._held:
            await asyncio.sleep(0.01)


async def test_observed_everything_passes_and_is_on_record(start):
    gateway, upstream = await start(mode="observe")
    async with await gateway.h2() as client:
        answer = await client.answer(await call(client, "/echo", b"one", KEY, b"x" * 2000, end=True))
        assert (messages(answer.body), answer.trailers) == ([b"one", KEY, b"x" * 2000], OK)
    await gateway.stop()
    assert sorted(event["rules"] for event in gateway.events("message-would")) == [["long"], ["no-secrets"]]
    assert messages(upstream.seen[0].body) == [b"one", KEY, b"x" * 2000]


async def test_a_call_that_may_need_a_whole_request_to_be_signed_ends_its_side_first(make):
    rules = POLICY.format(mode="enforce") + "      - {id: ask, match: {host: api.test}, effect: escalate, to: ops}\n"
    gateway = await make(policy_text=rules, people=people(ALICE))
    upstream = await gateway.upstream(alpn=("h2",))
    async with await gateway.h2() as client:
        answer = await client.answer(await call(client, "/say", b"hello", end=True))
        assert dict(answer.headers)["grpc-status"] == "7"
    assert upstream.seen == []


async def test_a_policy_that_is_adopted_in_the_middle_of_a_call_holds_from_the_next_message_on(make):
    gateway = await make(people=people(ALICE), policy_text=OPEN)
    upstream = await gateway.upstream(alpn=("h2",))
    upstream.answers["/echo"] = echo
    upstream.early.add("/echo")
    async with await gateway.h2() as client:
        stream, secret = await call(client, "/echo", KEY), framed(b"x" + KEY)
        assert await body_of(client, stream, len(framed(KEY))) == [KEY]
        await client.data(stream, secret[:9])
        await upstream.until(lambda u: bytes(u.seen[0].body) == framed(KEY) + secret[:9])
        gateway.gate.adopt(gateway.ground(POLICY.format(mode="enforce")))
        await client.data(stream, secret[9:] + framed(b"fine"))
        assert await body_of(client, stream, len(framed(KEY) + secret + framed(b"fine"))) == [KEY, b"x" + KEY, b"fine"]
        await client.data(stream, framed(KEY) + framed(b"four"))
        answer = await client.answer(stream)
        assert (messages(answer.body), answer.trailers) == ([KEY, b"x" + KEY, b"fine"], REFUSED)
    assert messages(upstream.seen[0].body) == [KEY, b"x" + KEY, b"fine"]


# events


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_an_event_that_a_rule_stops_ends_the_stream_before_it(start, alpn):
    gateway, _ = await start()
    upstream = await gateway.upstream(alpn=(alpn,))
    upstream.answers["/says"] = says(b"data: one\n", b"\ndata: 2\n\nda", b"ta: three\n\n", kind="text/event-stream")
    if alpn == "h2":
        upstream.early.add("/says")
        async with await gateway.h2() as client:
            stream = await client.request("GET", "/says", "api.test")
            await client.until(lambda: stream in client.reset or stream in client.ended)
            assert client.answers[stream].body == b"data: one\n\n"
            assert stream in client.reset
    else:
        async with await gateway.https() as client:
            await client.request("GET", "/says", "api.test")
            assert (await client.head()).status == 200
            assert await client.rest() == b"b\r\ndata: one\n\n\r\n"
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["error"]) == ("executed", "a message was refused")
    (event,) = gateway.events("message-refused")
    assert (event["over"], event["sent"], event["size"]) == ("sse", False, 7)


async def test_events_that_pass_are_whole_and_come_one_by_one(start):
    gateway, _ = await start()
    upstream, step = await gateway.upstream(), asyncio.Event()

    async def events(turn):
        await turn.head(200, [("content-type", "text/event-stream")])
        await turn.send(b"data: one\r\n\r\n")
        await asyncio.wait_for(step.wait(), 20)
        await turn.send(b"data: two\n\ndata: the end has no blank line")
        await turn.end()

    upstream.answers["/events"] = events
    async with await gateway.https() as client:
        await client.request("GET", "/events", "api.test")
        assert (await client.head()).status == 200
        assert await client.chunk() == b"data: one\r\n\r\n"
        step.set()
        assert await client.chunk() + await client.chunk() == b"data: two\n\ndata: the end has no blank line"
        await client.request("GET", "/again", "api.test")
    await gateway.stop()
    assert gateway.outcomes()[0]["result"] == "executed"


async def test_events_that_are_compressed_can_not_be_read_and_do_not_pass(start):
    gateway, _ = await start()
    upstream = await gateway.upstream()
    upstream.answers["/says"] = says(gzip.compress(b"data: 2\n\n"), kind="text/event-stream", **{"content-encoding": "gzip"})
    async with await gateway.https() as client:
        await client.request("GET", "/says", "api.test")
        answer = await client.answer()
        assert answer.status == 403
        assert b"compressed" in answer.body


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+json", "application/grpc-web+json"])
async def test_a_call_that_is_read_whole_is_unpacked_message_by_message_all_the_same(make, kind):
    """Its type can have it be read whole, where a body may say what is done: as it is, nothing packed in it shows."""
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream(alpn=("h2",))
    packed = gzip.compress(b"key: " + KEY)
    said = b"\1" + struct.pack("!I", len(packed)) + packed
    for coding in ("gzip", "identity", "br"):
        async with await gateway.h2() as client:
            headers = [("content-type", kind), ("grpc-encoding", coding)]
            stream = await client.request("POST", "/v1/charges", "api.test", headers=headers, end=False)
            await client.data(stream, said, end=True)
            await client.until(lambda stream=stream, client=client: stream in client.ended or stream in client.reset)
    assert b"".join(bytes(seen.body) for seen in upstream.seen) == b""
