"""What models used: read along as answers pass, written down with the outcome, and settled with the limits."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from outgate.stores.catalog_files import load_catalog

OPENAI, CHAT = "api.openai.com", "/v1/chat/completions"
POLICY = """
    outgate: policy/v1alpha
    policy: models
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    rules:
      - {id: tokens, match: {service: [openai, anthropic]}, limit: 20000 tokens/day, effect: throttle, tell: "Enough tokens for today."}
      - {id: money, match: {service: [openai, anthropic]}, limit: 1 USD/day, effect: throttle, tell: "Enough money for today."}
"""
ASKED = json.dumps({"model": "gpt-4o", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}).encode()
ANSWER = {"model": "gpt-4o-2024-08-06", "choices": [], "usage": {"prompt_tokens": 9000, "completion_tokens": 1000}}
H2 = pytest.mark.parametrize("h2", [False, True], ids=["http1", "h2"])


@pytest.fixture
def start(make):
    async def one(host=OPENAI):
        gateway = await make(policy_text=POLICY, catalog=load_catalog())
        return gateway, await gateway.upstream(host, alpn=("h2", "http/1.1"))

    return one


async def ask(gateway, h2, path=CHAT, host=OPENAI, body=ASKED):
    if h2:
        async with await gateway.h2(host) as client, client.wire:
            stream = await client.request("POST", path, host, body=body, headers=[("content-type", "application/json")])
            return await client.answer(stream)
    async with await gateway.https(host) as client:
        await client.request("POST", path, host, body, Content_Type="application/json")
        return await client.answer()


async def used(gateway):
    await gateway.stop()
    return [outcome.get("usage") for outcome in gateway.outcomes()]


def gives(body, **headers):
    return lambda turn: turn.answer(200, body, **headers)


def sse(*events):
    return b"".join(b"data: %s\n\n" % (event if isinstance(event, bytes) else json.dumps(event).encode()) for event in events)


@H2
async def test_what_an_answer_used_is_in_its_outcome(start, h2):
    gateway, upstream = await start()
    upstream.answers[CHAT] = gives(
        gzip.compress(json.dumps(ANSWER).encode()), content_type="application/json", content_encoding="gzip"
    )
    answer = await ask(gateway, h2)
    assert json.loads(gzip.decompress(answer.body)) == ANSWER, "and it is passed on as it came"
    assert await used(gateway) == [
        {"model": "gpt-4o-2024-08-06", "input": 9000, "output": 1000, "costMicros": 32_500, "currency": "USD"}
    ]


async def test_a_stream_that_never_says_what_it_used_takes_of_the_limit_at_least_a_token_an_event(start):
    gateway, upstream = await start()
    said = sse({"choices": [{"index": 0, "delta": {"content": "word"}}]})
    upstream.answers[CHAT] = gives(said * 20_001, content_type="text/event-stream")
    assert (await ask(gateway, h2=False)).status == 200
    await gateway.gate.settled()
    assert (await ask(gateway, h2=False)).status == 429
    assert await used(gateway) == [None]


@H2
async def test_a_stream_tells_at_its_end_and_is_not_held_up(start, h2):
    gateway, upstream = await start()
    read = asyncio.Event()

    async def stream(turn):
        await turn.head(
            200,
            [
                ("content-type", "text/event-stream"),
                *([] if turn.seen.version == "HTTP/2" else [("transfer-encoding", "chunked")]),
            ],
        )
        await turn.send(sse({"model": "gpt-4o", "choices": [{"delta": {"content": "hi"}}], "usage": None}))
        await read.wait()
        await turn.send(sse(ANSWER, b"[DONE]"))
        await turn.end()

    upstream.answers[CHAT] = stream
    if h2:
        async with await gateway.h2(OPENAI) as client:
            asked = await client.request("POST", CHAT, OPENAI, body=ASKED, headers=[("content-type", "application/json")])
            await client.until(lambda: asked in client.answers and b"hi" in client.answers[asked].body)
            read.set()
            await client.answer(asked)
    else:
        async with await gateway.https(OPENAI) as client:
            await client.request("POST", CHAT, OPENAI, ASKED, Content_Type="application/json")
            await client.head()
            assert b"hi" in await client.chunk()
            read.set()
            assert b"9000" in await client.chunk()
            assert await client.chunk() == b""
    (usage,) = await used(gateway)
    assert (usage["input"], usage["output"], usage["costMicros"]) == (9000, 1000, 32_500)


async def test_a_limit_in_tokens_is_settled_by_what_was_used(start):
    gateway, upstream = await start()
    upstream.answers[CHAT] = gives(json.dumps(ANSWER).encode(), content_type="application/json")
    statuses = []
    for _ in range(3):
        statuses.append((await ask(gateway, False)).status)
        await gateway.gate.settled()
    assert statuses == [200, 200, 429], "20,000 tokens are used up by two answers of 10,000, whatever was estimated"
    assert len(upstream.seen) == 2


async def test_a_limit_in_money_is_settled_by_what_it_cost(start):
    gateway, upstream = await start()
    dear = {
        **ANSWER,
        "model": "gpt-4",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 16_600},
    }  # 30 and 60 dollars a million
    upstream.answers[CHAT] = gives(json.dumps(dear).encode(), content_type="application/json")
    assert (await ask(gateway, False)).status == 200
    await gateway.gate.settled()
    over = await ask(gateway, False)
    assert over.status == 429
    assert {limit["name"] for limit in json.loads(over.body)["limits"]} <= {"money", "tokens"}


async def test_what_can_not_be_told_is_not_counted_as_nothing(start):
    gateway, upstream = await start()
    upstream.answers[CHAT] = gives(b"no json", content_type="application/json")
    answer = await ask(gateway, False)
    assert answer.body == b"no json"
    assert await used(gateway) == [None]


async def test_a_client_that_leaves_after_the_providers_last_word_has_used_what_it_said(start):
    gateway, upstream = await start()
    upstream.alpn = ("http/1.1",)

    async def stream(turn):
        await turn.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
        await turn.send(sse(ANSWER, b"[DONE]"))
        while True:
            await turn.send(b": keep-alive\n\n")
            await asyncio.sleep(0.001)

    upstream.answers[CHAT] = stream
    async with await gateway.https(OPENAI) as client:
        await client.request("POST", CHAT, OPENAI, ASKED, Content_Type="application/json")
        await client.head()
        assert b"9000" in await client.chunk()
        client.writer.transport.abort()
    await upstream.until(lambda u: u.closed > 0)
    (usage,) = await used(gateway)
    assert (usage["input"], usage["output"]) == (9000, 1000)


async def test_what_was_answered_before_is_not_counted_when_it_is_read_again(start):
    gateway, upstream = await start()
    upstream.answers["/v1/responses/resp_1"] = gives(
        json.dumps({"object": "response", "model": "gpt-4o", "usage": {"input_tokens": 5, "output_tokens": 5}}).encode(),
        content_type="application/json",
    )
    async with await gateway.https(OPENAI) as client:
        await client.request("GET", "/v1/responses/resp_1", OPENAI)
        assert (await client.answer()).status == 200
    assert await used(gateway) == [None]


async def test_nobody_reads_along_where_nobody_counts(gateway):
    upstream = await gateway.upstream(OPENAI)
    upstream.answers[CHAT] = gives(json.dumps(ANSWER).encode(), content_type="application/json")
    await ask(gateway, False)
    assert await used(gateway) == [None]
