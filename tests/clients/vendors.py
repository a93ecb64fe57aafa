"""Look-alikes of GitHub's REST API, OpenAI and Anthropic: the shapes that their own SDKs read, one token at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clients.lookalikes import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.lookalikes import Acks, Ask

TOKENS = ("One ", "request, ", "one ", "decision.")
"""What every model here says."""

SSE = "text/event-stream; charset=utf-8"


def github(ask: Ask) -> Answer:
    """https://docs.github.com/rest: enough of repositories and issues."""
    if ask.method == "DELETE":
        return Answer(204, body=b"")
    if ask.method == "POST":
        return Answer(201, body=_json({"number": 1, "title": "made"}))
    owner, _, name = ask.path.removeprefix("/repos/").partition("/")
    return Answer(body=_json({"id": 1, "name": name, "full_name": f"{owner}/{name}", "private": False}))


class Models:
    """Streams a token only when the one before was acknowledged; the stream's name is the model's."""

    def __init__(self, acks: Acks) -> None:
        self._acks = acks

    def openai(self, ask: Ask) -> Answer:
        """https://platform.openai.com/docs/api-reference: chat completions and responses."""
        sent = json.loads(ask.body)
        model = sent["model"]
        responses = ask.path == "/v1/responses"
        if not sent.get("stream"):
            return Answer(body=_json(_response(model, "completed") if responses else _completion(model)))
        if responses:
            return self._stream(model, _response_start(model), _response_tokens(), _response_end(model))
        end = [_data(_chunk(model, {}, "stop")), b"data: [DONE]\n\n"]
        tokens = (_data(_chunk(model, {"content": token})) for token in TOKENS)
        return self._stream(model, [_data(_chunk(model, {"role": "assistant", "content": ""}))], tokens, end)

    def anthropic(self, ask: Ask) -> Answer:
        """https://docs.anthropic.com/en/api/messages-streaming."""
        sent = json.loads(ask.body)
        model = sent["model"]
        if not sent.get("stream"):
            return Answer(body=_json(_message(model, [{"type": "text", "text": "".join(TOKENS)}], "end_turn")))
        deltas = ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}} for t in TOKENS)
        start = [
            _event({"type": "message_start", "message": _message(model, [], None)}),
            _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            _event({"type": "ping"}),
        ]
        usage = {"output_tokens": len(TOKENS)}
        end = [
            _event({"type": "content_block_stop", "index": 0}),
            _event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}),
            _event({"type": "message_stop"}),
        ]
        return self._stream(model, start, map(_event, deltas), end)

    def _stream(self, model: str, start: list[bytes], tokens: Iterator[bytes], end: list[bytes]) -> Answer:
        def pieces() -> Iterator[bytes]:
            yield b"".join(start)
            yield from self._acks.each(model, tokens)
            self._acks.wait(model)
            yield from end

        return Answer(kind=SSE, body=pieces(), headers=(("Cache-Control", "no-cache"),))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _data(value: Any) -> bytes:
    return b"data: " + _json(value) + b"\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"event: " + value["type"].encode() + b"\n" + _data(value)


def _usage() -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": len(TOKENS), "total_tokens": 5 + len(TOKENS)}


def _completion(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(TOKENS), "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": _usage()}


def _chunk(model: str, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}


def _response(model: str, status: str) -> dict[str, Any]:
    done = status == "completed"
    usage = {
        "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": len(TOKENS),
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5 + len(TOKENS),
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": None, "incomplete_details": None,
        "instructions": None, "max_output_tokens": None, "model": model, "output": [_item("".join(TOKENS), status)] if done else [],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "usage": usage if done else None,
    }  # fmt: skip


def _item(said: str, status: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": said, "annotations": []}] if said else []
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}


_AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def _response_start(model: str) -> list[bytes]:
    part = {"type": "output_text", "text": "", "annotations": []}
    return [
        _event({"type": "response.created", "sequence_number": 0, "response": _response(model, "in_progress")}),
        _event({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": _item("", "in_progress")}),
        _event({"type": "response.content_part.added", "sequence_number": 2, **_AT, "part": part}),
    ]


def _response_tokens() -> Iterator[bytes]:
    for number, token in enumerate(TOKENS, 3):
        yield _event({"type": "response.output_text.delta", "sequence_number": number, **_AT, "delta": token, "logprobs": []})


def _response_end(model: str) -> list[bytes]:
    said, at = "".join(TOKENS), 3 + len(TOKENS)
    part = {"type": "output_text", "text": said, "annotations": []}
    item = _item(said, "completed")
    return [
        _event({"type": "response.output_text.done", "sequence_number": at, **_AT, "text": said, "logprobs": []}),
        _event({"type": "response.content_part.done", "sequence_number": at + 1, **_AT, "part": part}),
        _event({"type": "response.output_item.done", "sequence_number": at + 2, "output_index": 0, "item": item}),
        _event({"type": "response.completed", "sequence_number": at + 3, "response": _response(model, "completed")}),
    ]


def _message(model: str, content: list[dict[str, str]], stop: str | None) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content, "stop_reason": stop,
        "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 1 if stop is None else len(TOKENS)},
    }  # fmt: skip
