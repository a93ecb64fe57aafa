from __future__ import annotations

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime

import brotli
import pytest
import zstandard

from outgate.inspect.usage import Tap

AT = datetime(2026, 6, 1, tzinfo=UTC)
JSON, SSE = "application/json", "text/event-stream; charset=utf-8"
OPENAI = {"host": "api.openai.com", "path": "/v1/chat/completions"}
ANTHROPIC = {"host": "api.anthropic.com", "path": "/v1/messages"}
GOOGLE = {"host": "generativelanguage.googleapis.com", "path": "/v1beta/models/gemini-2.5-flash:generateContent"}
BEDROCK = {
    "host": "bedrock-runtime.us-east-1.amazonaws.com",
    "path": "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse",
}

CHAT = {
    "model": "gpt-4o-2024-08-06",
    "choices": [],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}


def tap(content_type=JSON, **said):
    return Tap(content_type=content_type, at=AT, **{**OPENAI, **said})


def used(data, content_type=JSON, whole=True, size=0, **said):
    """What a tap makes of an answer that comes in pieces of this size."""
    one = tap(content_type, **said)
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    for start in range(0, len(data), size or len(data) or 1):
        one.feed(data[start : start + (size or len(data))])
    return one.usage(whole=whole)


def told(usage):
    return (usage.input_tokens, usage.output_tokens, usage.cost_micros)


def sse(*events, done=True):
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
    return "".join(lines + ["data: [DONE]\n\n"] * done).encode()


def test_a_chat_answer_tells_its_tokens_and_they_have_a_price():
    usage = used(CHAT)
    assert told(usage) == (1000, 100, 3500)  # 2.50 and 10 dollars a million
    assert (usage.model, usage.currency, usage.tokens) == ("gpt-4o-2024-08-06", "USD", 1100)


def test_what_a_cache_gave_costs_what_the_provider_asks_for_it():
    counts = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 800}}
    assert told(used({"model": "gpt-4o", "usage": counts})) == (1000, 100, 2500)
    counts = {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100, "output_tokens": 20}
    usage = used({"model": "claude-sonnet-4-5", "type": "message", "usage": counts}, **ANTHROPIC)
    assert told(usage) == (1110, 20, 30 + 300 + 375 + 300)


def test_a_price_is_that_of_its_day():
    answer = {"model": "o3", "usage": {"prompt_tokens": 1000, "completion_tokens": 0}}
    before = Tap(content_type=JSON, at=datetime(2025, 5, 1, tzinfo=UTC), **OPENAI)
    before.feed(json.dumps(answer).encode())
    assert before.usage().cost_micros > used(answer).cost_micros


def test_a_responses_answer_tells_its_tokens():
    counts = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 50, "total_tokens": 150}
    answer = {"object": "response", "model": "gpt-4o", "usage": counts}
    assert told(used(answer, path="/v1/responses")) == (100, 50, 750)


def test_embeddings_have_no_output():
    answer = {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [],
        "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
    }
    assert told(used(answer, path="/v1/embeddings")) == (1000, 0, 20)


def test_google_names_its_counts_otherwise_and_thoughts_are_output():
    counts = {"promptTokenCount": 1000, "candidatesTokenCount": 10, "thoughtsTokenCount": 90, "totalTokenCount": 1100}
    assert told(used({"candidates": [], "usageMetadata": counts, "modelVersion": "gemini-2.5-flash"}, **GOOGLE)) == (
        1000,
        100,
        550,
    )


def test_a_model_that_the_answer_does_not_name_is_that_of_the_path():
    answer = {"output": {}, "usage": {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}}
    usage = used(answer, **BEDROCK)
    assert told(usage) == (1000, 100, 4500)
    assert usage.model == "anthropic.claude-3-5-sonnet-20240620-v1:0"


def test_who_speaks_like_openai_is_counted_and_priced_by_its_own_prices():
    counts = {"prompt_tokens": 1000000, "completion_tokens": 0}
    mistral = used({"model": "mistral-large-latest", "usage": counts}, host="api.mistral.ai")
    assert mistral.input_tokens == 1000000
    assert mistral.cost_micros not in {None, 0}
    groq = used({"model": "llama-3.3-70b-versatile", "usage": counts}, host="api.groq.com", path="/openai/v1/chat/completions")
    assert groq.cost_micros == 590_000


def test_at_a_host_of_ones_own_the_service_or_the_model_says_whose_prices_hold():
    assert told(used(CHAT, host="llm.internal")) == (1000, 100, 3500)
    assert told(used(CHAT, host="llm.internal", service="openai")) == (1000, 100, 3500)
    ours = used(
        {"model": "our-own", "prompt_eval_count": 10, "eval_count": 20, "done": True}, host="ollama.internal", path="/api/chat"
    )
    assert told(ours) == (10, 20, None)


def test_a_stream_with_its_usage_tells_it_however_it_is_cut():
    chunks = [{"model": "gpt-4o", "choices": [{"delta": {"content": "hi"}}], "usage": None}] * 3
    data = sse(*chunks, {**CHAT, "model": "gpt-4o"})
    for size in (1, 7, 64, len(data)):
        assert told(used(data, SSE, size=size)) == (1000, 100, 3500)
    assert told(used(data.replace(b"\n", b"\r\n"), SSE, size=5)) == (1000, 100, 3500)


def test_a_stream_without_its_usage_is_not_known():
    assert used(sse({"model": "gpt-4o", "choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}), SSE) is None


def anthropic_stream(*, ended=True):
    start = {
        "type": "message_start",
        "message": {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}},
    }
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 'says "usage":{"input_tokens":9}'}}
    end = [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}},
        {"type": "message_stop"},
    ]
    return sse(start, text, *(end if ended else []), done=False)


def test_a_stream_of_messages_begins_with_what_went_in_and_ends_with_what_came_out():
    assert told(used(anthropic_stream(), SSE, size=11, **ANTHROPIC)) == (1000, 100, 4500)


def test_a_stream_that_was_cut_is_known_only_after_the_providers_last_word():
    assert used(anthropic_stream(ended=False), SSE, whole=False, **ANTHROPIC) is None
    assert told(used(anthropic_stream(), SSE, whole=False, **ANTHROPIC)) == (1000, 100, 4500)
    assert told(used(sse(CHAT, done=False), SSE, whole=False)) == (1000, 100, 3500)
    assert used(json.dumps(CHAT).encode()[:-1], whole=False) is None


def test_counts_that_grow_with_each_event_are_final_with_the_last():
    grown = [
        {"choices": [{"finish_reason": None}], "model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": n}}
        for n in (1, 2)
    ]
    assert used(sse(*grown, done=False), SSE, whole=False, host="a.test") is None
    assert told(used(sse(*grown), SSE, whole=False, host="a.test")) == (5, 2, None)
    grown[1]["choices"][0]["finish_reason"] = "stop"
    assert told(used(sse(*grown, done=False), SSE, whole=False, host="a.test")) == (5, 2, None)


def test_a_stream_of_responses_ends_with_the_whole_account():
    counts = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}
    events = [
        {"type": "response.created", "response": {"model": "gpt-4o", "usage": None}},
        {"type": "response.completed", "response": {"model": "gpt-4o", "usage": counts}},
    ]
    assert told(used(sse(*events, done=False), SSE, whole=False, path="/v1/responses")) == (100, 50, 750)


def test_a_google_stream_is_events_or_one_array():
    pieces = [
        {
            "candidates": [{}],
            "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": n},
            "modelVersion": "gemini-2.5-flash",
        }
        for n in (1, 100)
    ]
    pieces[1]["candidates"][0]["finishReason"] = "STOP"
    assert told(used(sse(*pieces, done=False), SSE, whole=False, **GOOGLE)) == (1000, 100, 550)
    assert told(used(pieces, **GOOGLE)) == (1000, 100, 550)


def test_json_lines_are_events_too():
    lines = (
        b'{"model":"m","message":{"content":"hi"},"done":false}\n{"model":"m","done":true,"prompt_eval_count":3,"eval_count":4}\n'
    )
    assert told(used(lines, "application/x-ndjson", size=9, host="a.test")) == (3, 4, None)


def frame(payload):
    body = json.dumps(payload).encode()
    head = b"\x05:type\x07\x00\x01x"
    total = 12 + len(head) + len(body) + 4
    prelude = total.to_bytes(4) + len(head).to_bytes(4)
    start = prelude + zlib.crc32(prelude).to_bytes(4) + head + body
    return start + zlib.crc32(start).to_bytes(4)


FRAMES = "application/vnd.amazon.eventstream"


def test_amazons_frames_end_with_what_was_used():
    data = frame({"delta": {"text": "hi"}}) + frame(
        {"usage": {"inputTokens": 1000, "outputTokens": 100}, "metrics": {"latencyMs": 1}}
    )
    assert told(used(data, FRAMES, whole=False, size=13, **BEDROCK)) == (1000, 100, 4500)
    inner = {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 8}}
    data = frame({"bytes": base64.b64encode(json.dumps(inner).encode()).decode()})
    assert told(used(data, FRAMES, **BEDROCK))[:2] == (7, 8)


@pytest.mark.parametrize("bad", [b"\xff" * 100, b"\x00" * 100, frame({"bytes": "no base64!"}), frame({"usage": 1})[:-5]])
def test_frames_that_are_none_are_not_known(bad):
    assert used(bad, FRAMES, **BEDROCK) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gzip", gzip.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("deflate", zlib.compress),
        (" GZIP ", gzip.compress),
    ],
)
def test_codings_are_undone_as_they_come(name, code):
    data = code(sse({"choices": [{"delta": {"content": "x" * 300_000}}]}, CHAT))
    assert told(used(data, SSE, size=101, encoding=name)) == (1000, 100, 3500)
    assert told(used(code(json.dumps(CHAT).encode()), size=3, encoding=name)) == (1000, 100, 3500)


@pytest.mark.parametrize("encoding", ["compress", "gzip, br", "gzip"])
def test_a_coding_that_is_not_read_leaves_it_unknown(encoding):
    assert used(CHAT, encoding=encoding) is None


@pytest.mark.parametrize("code", [lambda data: gzip.compress(data, 1), brotli.compress, zstandard.compress])
def test_a_bomb_is_let_go_of(code):
    data = code(b"x" * (16 * 2**20))
    for kind in (JSON, SSE):
        one = tap(
            kind,
            encoding={gzip: "gzip"}.get(code, "gzip" if data[:2] == b"\x1f\x8b" else "zstd" if data[:1] == b"\x28" else "br"),
        )
        one.feed(data)
        assert one.usage() is None


def test_an_answer_that_is_too_large_is_let_go_of():
    one = tap()
    for _ in range(80):
        one.feed(b" " * 65536)
    one.feed(json.dumps(CHAT).encode())
    assert one.usage() is None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"null",
        b"[]",
        b'{"usage":{"prompt_tokens":',
        b'{"usage":"tokens"}',
        b'{"usage":{}}',
        b'{"usage":{"prompt_tokens":-1,"completion_tokens":5}}',
        b'{"usage":{"prompt_tokens":true,"completion_tokens":5}}',
        b'{"usage":{"prompt_tokens":1.5,"completion_tokens":5}}',
        b'{"usage":{"prompt_tokens":"1","completion_tokens":5}}',
        b'{"usage":{"prompt_tokens":1000000000001,"completion_tokens":5}}',
        b'{"usage":{"prompt_tokens":null,"completion_tokens":null}}',
        b'{"usage":{"prompt_tokens":1' + b"0" * 5000 + b"}}",
        b'{"tokens":' + b"[" * 100_000,
        b"\xff\xfe tokens",
    ],
)
def test_what_can_not_be_believed_is_not_known(said):
    assert used(said) is None
    assert used(b"data: " + said + b"\n\n", SSE) is None


def test_what_is_no_model_answer_is_not_read():
    assert used(CHAT, "text/html") is None
    assert used(CHAT, "") is None


def test_counts_that_contradict_each_other_have_no_price():
    counts = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 800}}
    assert told(used({"model": "gpt-4o", "usage": counts})) == (10, 5, None)


def test_a_models_name_is_bounded():
    usage = used({"model": "gpt-4o" + "x" * 10_000, "usage": CHAT["usage"]})
    assert len(usage.model) == 128


def test_accounts_without_end_are_let_go_of():
    one = tap(SSE)
    for number in range(1000):
        one.feed(sse({"usage": {"prompt_tokens": 1, "completion_tokens": 1, f"made up {number}": 1}}, done=False))
    assert one._reader is None
    assert one.usage() is None
    last = tap(SSE)
    last.feed(b'data: {"usage":' + json.dumps({f"tokens {number}": 1 for number in range(100)}).encode() + b"}")
    assert last.usage() is None


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-1", "1e400", '"x"', "[]", "true"])
def test_odd_details_have_no_price_and_break_nothing(odd):
    counts = f'{{"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {{"cached_tokens": {odd}}}}}'
    usage = used(f'{{"model": "gpt-4o", "usage": {counts}}}'.encode())
    assert (usage.input_tokens, usage.output_tokens) == (10, 5)
    assert usage.cost_micros is None or usage.cost_micros >= 0
