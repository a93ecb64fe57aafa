"""What a language model's answer used: tokens and cost, read along as the answer passes."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from outgate.inspect.codings import CodingError, Undoing
from outgate.inspect.prices import cost_micros

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MIB: Final = 2**20
_WHOLE: Final = 4 * MIB
"""A JSON answer is held up to this size."""
_EVENT: Final = 2 * MIB
"""One event of a stream is."""
_TOTAL: Final = 64 * MIB
"""More than this is not read, decoded: what it used is not known then."""
_COUNTS: Final = 64
"""Kinds of tokens that anybody counts, and more."""
_MOST: Final = 10**12
_MODEL: Final = 128

_LINES: Final = frozenset({"text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json"})
_FRAMES: Final = "application/vnd.amazon.eventstream"
_METRICS: Final = "amazon-bedrock-invocationMetrics"
_IN_PATH: Final = re.compile(r"/(?:models?|deployments)/([^/:?]{1,200})(?=[/:])")
"""Google: /models/gemini:generateContent; Amazon Bedrock: /model/ID/converse; Azure: /deployments/NAME/chat/completions."""

_INPUT: Final = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens", "prompt_eval_count", "inputTokenCount")
_INPUT_TOO: Final = (
    *("cache_creation_input_tokens", "cache_read_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
    "toolUsePromptTokenCount",
)
"""Counted beside the input by those who have them; the others count what a cache gave as input."""
_OUTPUT: Final = ("completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens", "eval_count", "outputTokenCount")
_OUTPUT_TOO: Final = ("thoughtsTokenCount",)
_LAST: Final = frozenset({"message_delta", "message_stop", "response.completed", "response.incomplete", "response.failed"})
"""Events after which nothing more is counted: Anthropic's messages, OpenAI's responses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that went in (what a cache gave included) and came out. `cost_micros` is None where no price is known."""

    model: str
    input_tokens: int
    output_tokens: int
    cost_micros: int | None = None
    currency: str = "USD"

    @property
    def tokens(self) -> int:
        """Both ways: what a limit in tokens counts."""
        return self.input_tokens + self.output_tokens


class Tap:
    """Reads one answer along. Holds a few MiB at most, and never fails: what it can't read is not known.

    `service` is the catalog's name of who is called; `at` the time by which prices are looked up.
    """

    def __init__(  # noqa: PLR0913  # what an answer says of itself, and what was asked
        self, *, host: str, path: str, content_type: str, at: datetime, encoding: str = "", service: str = ""
    ) -> None:
        self._asked = {"host": host, "path": path, "service": service}
        self._at = at
        self._found = _Found(model=_model_in(path))
        self._reader = _reader(content_type, self._found)
        self._undoing: Undoing | None = None
        try:
            self._undoing = Undoing(encoding, _TOTAL) if self._reader is not None else None
        except CodingError:
            self._reader = None

    def feed(self, data: bytes) -> None:
        """Read along."""
        if self._reader is None or self._undoing is None:
            return
        try:
            for piece in self._undoing.feed(data):
                self._reader.read(piece)
        except (CodingError, _LostError):
            self._lose()

    def usage(self, *, whole: bool = True) -> Usage | None:
        """What was used; None where that can't be told. `whole`: the answer came to its end.

        Of a stream that was cut it is known only where the provider had already said its last word on it.
        """
        if self._reader is None:
            return None
        try:
            self._reader.end()
        except _LostError:
            self._lose()
            return None
        if self._found.counts is None or not (whole or self._found.last):
            return None
        return self._priced(self._found.counts)

    @property
    def least(self) -> int:
        """Tokens that a stream used at least, also one that never says: nobody sends an event for less than one."""
        return self._found.events

    def _priced(self, counts: dict[str, Any]) -> Usage | None:
        tokens, model = _tokens(counts), self._found.model[:_MODEL]
        if tokens is None:
            return None
        cost = cost_micros(**self._asked, model=model, usage=counts, flavors=_flavors(counts), at=self._at)
        return Usage(model=model, input_tokens=tokens[0], output_tokens=tokens[1], cost_micros=cost)

    def _lose(self) -> None:
        self._reader = self._undoing = None


class _LostError(Exception):
    """What follows can't be read."""


@dataclass(slots=True)
class _Found:
    """What was found so far: the provider's own counts, later ones over earlier ones. `last`: no more will come."""

    model: str = ""
    counts: dict[str, Any] | None = None
    last: bool = False
    events: int = 0

    def take(self, event: object) -> None:
        """Read one JSON value of an answer: the whole of it, or an event."""
        if not isinstance(event, dict):
            return
        inner = next((event[key] for key in ("message", "response", "chunk") if isinstance(event.get(key), dict)), event)
        named = inner.get("model") or inner.get("modelVersion") or event.get("model")
        if isinstance(named, str) and named:
            self.model = named
        counts = _counts(event) or _counts(inner)
        if counts:
            self.counts = (self.counts or {}) | {key: value for key, value in counts.items() if value is not None}
            if len(self.counts) > _COUNTS:
                raise _LostError
            for key in ("service_tier", "speed"):
                if isinstance(inner.get(key), str):
                    self.counts.setdefault(key, inner[key])
        self.last = self.last or (self.counts is not None and _is_last(event))


def _counts(event: dict[str, Any]) -> dict[str, Any]:
    for key in ("usage", "usageMetadata", _METRICS):
        if isinstance(event.get(key), dict):
            return dict(event[key])
    return {key: event[key] for key in ("prompt_eval_count", "eval_count") if key in event}


def _is_last(event: dict[str, Any]) -> bool:
    if event.get("type") in _LAST or event.get("done") is True or event.get("choices") == []:
        return True
    if "metrics" in event or _METRICS in event:
        return True
    choices = [*_dicts(event.get("choices")), *_dicts(event.get("candidates"))]
    return any(choice.get("finish_reason") or choice.get("finishReason") for choice in choices)


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _tokens(counts: dict[str, Any]) -> tuple[int, int] | None:
    """Both counts, if there are any that can be believed."""
    if not any(key in counts for key in (*_INPUT, *_OUTPUT)):
        return None
    came_in, went_out = _sum(counts, _INPUT, _INPUT_TOO), _sum(counts, _OUTPUT, _OUTPUT_TOO)
    return None if came_in is None or went_out is None else (came_in, went_out)


def _sum(counts: dict[str, Any], one_of: tuple[str, ...], and_all: tuple[str, ...]) -> int | None:
    first = next((counts[key] for key in one_of if key in counts), 0)
    numbers: list[int] = [first, *(counts[key] for key in and_all if counts.get(key) is not None)]
    return sum(numbers) if all(type(number) is int and 0 <= number <= _MOST for number in numbers) else None


def _flavors(counts: dict[str, Any]) -> tuple[str, ...]:
    """The forms of an account, as genai-prices names them, the most likely first."""
    if "prompt_tokens" in counts:
        return ("chat", "default") if "completion_tokens" in counts else ("embeddings", "chat", "default")
    if "input_tokens" in counts:
        return ("responses", "default") if "total_tokens" in counts else ("anthropic", "default", "responses")
    return ("default",)


def _model_in(path: str) -> str:
    found = _IN_PATH.search(path)
    return unquote(found[1]) if found else ""


# How an answer is put together: one JSON value, lines with a JSON value each, or Amazon's frames.


def _reader(content_type: str, found: _Found) -> _Whole | _Lines | _Frames | None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _LINES:
        return _Lines(found)
    if kind == _FRAMES:
        return _Frames(found)
    return _Whole(found) if kind.endswith(("/json", "+json")) else None


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class _Whole:
    """One JSON value. Google's streams may be one array."""

    def __init__(self, found: _Found) -> None:
        self._found = found
        self._held = bytearray()

    def read(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) > _WHOLE:
            self._held.clear()
            raise _LostError

    def end(self) -> None:
        value = _json(bytes(self._held)) if b"oken" in self._held or b"eval_count" in self._held else None
        self._held.clear()
        for event in value if isinstance(value, list) else (value,):
            self._found.take(event)
        self._found.last = self._found.counts is not None


class _Lines:
    """Server-sent events and JSON lines: `data: {…}`, or `{…}`. Every provider's events are one line each."""

    def __init__(self, found: _Found) -> None:
        self._found = found
        self._held = bytearray()

    def read(self, piece: bytes) -> None:
        self._held += piece
        if b"\n" in piece or b"\r" in piece:
            *lines, rest = re.split(rb"[\r\n]+", bytes(self._held))
            self._held = bytearray(rest)
            for line in lines:
                self._line(line)
        elif len(self._held) > _EVENT:
            self._held.clear()
            raise _LostError

    def end(self) -> None:
        self._line(bytes(self._held))
        self._held.clear()

    def _line(self, line: bytes) -> None:
        """Most lines say nothing of what was used, and are not looked at any closer."""
        self._found.events += line.startswith(b"data:")
        if line.startswith((b"data:", b"{")) and _tells(line):
            self._found.take(_json(line.removeprefix(b"data:")))
        elif line.startswith(b"data:") and line[5:].strip() == b"[DONE]":
            self._found.last = self._found.counts is not None


def _tells(line: bytes) -> bool:
    if b'"usage' not in line and b"eval_count" not in line:
        return b"message_stop" in line
    return not (line.count(b'"usage') == 1 and b'"usage":null' in line)


class _Frames:
    """Amazon's event stream encoding: lengths, headers, payload, checksum. Checksums are TLS's business here."""

    def __init__(self, found: _Found) -> None:
        self._found = found
        self._held = bytearray()

    def read(self, piece: bytes) -> None:
        self._held += piece
        for payload in self._payloads():
            if b"oken" in payload or b'"bytes"' in payload:
                self._take(_json(payload))
        if len(self._held) > _EVENT:
            self._held.clear()
            raise _LostError

    def end(self) -> None:
        """Whatever is left is no whole frame."""

    def _payloads(self) -> Iterator[bytes]:
        while len(self._held) >= 12:
            total = int.from_bytes(self._held[:4])
            headers = int.from_bytes(self._held[4:8])
            if not 16 <= 16 + headers <= total <= _EVENT:
                raise _LostError
            if len(self._held) < total:
                return
            yield bytes(self._held[12 + headers : total - 4])
            del self._held[:total]

    def _take(self, event: Any) -> None:
        """`converse-stream` says it itself; other streams carry the model's own events inside."""
        inner = event.get("bytes") if isinstance(event, dict) else None
        if not isinstance(inner, str):
            self._found.take(event)
            return
        try:
            self._found.take(_json(base64.b64decode(inner)))
        except ValueError:
            raise _LostError from None
