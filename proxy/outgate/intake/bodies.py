"""Bodies, read once and within bounds: content codings undone, strict JSON, forms. What has two readings has none."""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote_to_bytes

import brotli  # type: ignore[import-untyped]  # has no stubs
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

type JsonValue = str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None

DECODED_LIMIT = 16 * 2**20
"""Bytes that a body may have once decoded: what people send to a model fits, a bomb doesn't."""
WHOLE_LIMIT = 128 * 2**20
"""Bytes of a body as it was sent that are had in memory at once, by whoever reads it in a process of its own."""
JSON_DEPTH = 64
JSON_THINGS = 300_000
"""Objects, lists and members of objects: many small ones take seconds, in which nothing else is decided and nobody is halted."""
PARTS = 1000
"""Members of gzip and frames of zstd that follow each other in one body."""
FORM_FIELDS = 4096
_STEP = 1 << 16
_ZSTD_STEP = 256
"""A run of four bytes gives 128 KiB at most (RFC 8878, section 3.1.1.2): one step gives no more than 8 MiB."""
_ZSTD_WINDOW = 8 * 2**20
"""RFC 9659: what a receiver of Content-Encoding zstd must support, and the most that we give."""

_ENDS_EARLY = "The body ends in the middle of its compressed data."
_TOO_MANY = "The JSON has too many things in it."
_PARTS = "The body is compressed in too many parts."
_GOES_ON = "The body goes on after its compressed data."
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONG_NUMBER = re.compile(rb"[0-9]{309}")
"""What may be past the end of a double, unless it stands in a text."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Content that has not exactly one reading here. `why` is a sentence that the agent may read."""

    why: str


def decode(content: bytes, encoding: str | None, *, limit: int = DECODED_LIMIT) -> bytes | Undecodable:
    """Undo one content coding, never giving more than `limit` bytes. `encoding` is the header's value, None if absent.

    Everything is decoded, to the last member and byte: an upstream may read on where a lenient decoder stops.
    """
    try:
        return b"".join(decoded(content, encoding, limit=limit))
    except UndecodableError as error:
        return Undecodable(str(error))


def decoded(content: bytes, encoding: str | None, *, limit: int) -> Iterator[bytes]:
    """The same piece by piece. Raises UndecodableError, perhaps after some of it was given."""
    coding = "identity" if encoding is None else encoding.strip().lower()
    try:
        yield from _bounded(_pieces(content, coding), limit)
    except (zlib.error, brotli.error, zstandard.ZstdError, ValueError) as error:
        why = str(error) if isinstance(error, UndecodableError) else f"The body is not valid {coding}."
        raise UndecodableError(why) from error


def decode_head(content: bytes, encoding: str | None, *, limit: int) -> bytes:
    """Undo a coding as far as `content` goes and up to `limit` bytes: for formats whose start stands by itself.

    Gives what could be decoded, perhaps nothing. Never conclude from what is not in it.
    """
    made: list[bytes] = []
    size = 0
    try:
        for piece in _pieces(content, "identity" if encoding is None else encoding.strip().lower()):
            made.append(piece)
            size += len(piece)
            if size >= limit:
                break
    except (zlib.error, brotli.error, zstandard.ZstdError, ValueError):
        pass
    return b"".join(made)[:limit]


class UndecodableError(ValueError):
    """A sentence for the agent, on its way to an Undecodable."""


def _pieces(content: bytes, coding: str) -> Iterator[bytes]:
    match coding:
        case "identity" | "":
            return iter((content,))
        case "gzip":
            return _inflate(content, wbits=31, members=True)
        case "deflate":
            return _inflate(content, wbits=15, members=False)
        case "br":
            return _brotli(content)
        case "zstd":
            return _zstd(content)
        case _:
            raise UndecodableError("The body has a Content-Encoding that is not read here: use gzip, deflate, br, zstd or none.")


def _bounded(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise UndecodableError("The body is too large once decoded.")
        yield piece


def _inflate(content: bytes, *, wbits: int, members: bool) -> Iterator[bytes]:
    inflater, fresh, parts = zlib.decompressobj(wbits), True, 1
    for step in _steps(content, _STEP):
        rest = step
        while rest:
            if inflater.eof:
                if not members:
                    raise UndecodableError(_GOES_ON)
                inflater, parts = zlib.decompressobj(wbits), _one_more(parts)
            yield inflater.decompress(rest, _STEP)
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while not inflater.eof and (piece := inflater.decompress(b"", _STEP)):
            yield piece
        fresh = False
    if not inflater.eof and not fresh:
        raise UndecodableError(_ENDS_EARLY)


def _brotli(content: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    for step in _steps(content, _STEP):
        yield decoder.process(step, output_buffer_limit=_STEP)
        while not decoder.is_finished() and (piece := decoder.process(b"", output_buffer_limit=_STEP)):
            yield piece
    if content and not decoder.is_finished():
        raise UndecodableError(_ENDS_EARLY)


def _zstd(content: bytes) -> Iterator[bytes]:
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame, fresh, parts = context.decompressobj(), True, 1
    for step in _steps(content, _ZSTD_STEP):
        rest = step
        while rest:
            if frame.eof:
                frame, parts = context.decompressobj(), _one_more(parts)
            yield frame.decompress(rest)
            rest = frame.unused_data if frame.eof else b""
        fresh = False
    if not frame.eof and not fresh:
        raise UndecodableError(_ENDS_EARLY)


def _one_more(parts: int) -> int:
    if parts >= PARTS:
        raise UndecodableError(_PARTS)
    return parts + 1


def _steps(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def strict_json(content: bytes) -> JsonValue | Undecodable:
    """Read UTF-8 JSON that every parser reads alike: no key twice, no NaN, no number out of range, no half character.

    What is too deep, has too many things in it, has a byte order mark or goes on after its value is Undecodable too.
    """
    try:
        text = content.decode("utf-8")
        value: JsonValue = _decoder_of(content).decode(text)
        _refuse_deep(value)
        if _SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UndecodableError as error:
        return Undecodable(str(error))
    except RecursionError:
        return Undecodable("The JSON is too deep.")
    except ValueError:
        return Undecodable("The body is not valid JSON.")
    return value


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise UndecodableError("The JSON has a key twice in one object.")
    return made


def _decoder_of(content: bytes) -> json.JSONDecoder:
    return _DECODER if len(content) <= JSON_THINGS and not _LONG_NUMBER.search(content) else _counting()


def _counting() -> json.JSONDecoder:
    """For what is long enough to have too many: lists are counted when all is read, they take little time."""
    left = JSON_THINGS

    def counted(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        nonlocal left
        left -= 1 + len(pairs)
        if left < 0:
            raise UndecodableError(_TOO_MANY)
        return _once(pairs)

    return json.JSONDecoder(object_pairs_hook=counted, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)


def _no_constant(_: str) -> NoReturn:
    raise UndecodableError("The JSON has a number that is none.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UndecodableError("The JSON has a number that is too large.")
    return number


def _whole(text: str) -> int:
    """One that other parsers can hold at least roughly: to them, a longer one is infinite."""
    _finite(text)
    return int(text)


def _refuse_deep(value: JsonValue) -> None:
    level: list[JsonValue] = [value]
    seen = 0
    for _ in range(JSON_DEPTH):
        seen += len(level)
        if seen > JSON_THINGS:
            raise UndecodableError(_TOO_MANY)
        inner: list[JsonValue] = []
        for held in level:
            if type(held) is dict:
                inner.extend(v for v in held.values() if type(v) is dict or type(v) is list)
            elif type(held) is list:
                inner.extend(v for v in held if type(v) is dict or type(v) is list)
        if not inner:
            return
        level = inner
    raise UndecodableError("The JSON is too deep.")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)


def form(text: str) -> tuple[tuple[str, str], ...] | Undecodable:
    """Read `a=1&b=2`, as a query or a form body has it: every pair, in order; bad escapes and bytes are Undecodable."""
    pairs = [pair for pair in text.split("&", FORM_FIELDS) if pair]
    if len(pairs) > FORM_FIELDS or _BAD_ESCAPE.search(text):
        return Undecodable("The form or query is too long or has a broken percent-escape.")
    try:
        return tuple(_field(pair) for pair in pairs)
    except UnicodeError:
        return Undecodable("The form or query is not UTF-8.")


def _field(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return _plain(name), _plain(value)


def _plain(text: str) -> str:
    spaced = text.replace("+", " ")
    if "%" not in spaced and spaced.isascii():
        return spaced
    return unquote_to_bytes(spaced.encode("latin-1")).decode("utf-8")
