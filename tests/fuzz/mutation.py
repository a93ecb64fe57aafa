"""Requests that are nearly right: grown from whole ones, spoilt where parsers differ. One number gives one sequence."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from vectors.rig import cases, request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = Path(__file__).parent / "seeds.yaml"
HOST = b"api.test"
_LONGEST = 80_000

METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"HEAD",
    b"M-SEARCH",
    b"PATCH",
    b"get",
    b"TRACE",
    b"CONNECT",
    b"G\x0bET",
)
TARGETS = (
    *(
        b"/",
        b"/a",
        b"/a?b=c",
        b"/a/7?q=%20x",
        b"//a//b",
        b"/a%2fb",
        b"/%2e%2e/x",
        b"/a;b=c/d",
        b"/a#b",
        b"/a b",
        b"a",
        b"/\xff",
        b"/%",
    ),
    *(
        b"http://api.test/a",
        b"http://api.test:80/a",
        b"https://api.test/a",
        b"http://evil.test/a",
        b"http://u@api.test/",
        b"/?",
        b"*",
    ),
)
VERSIONS = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ")
PLAIN = (
    *(
        b"Accept: */*",
        b"X-A: 1",
        b"X-A:",
        b"Cookie: a=1",
        b"Authorization: Bearer a",
        b"Connection: keep-alive, X-A",
        b"X-B: \xff\xfe",
    ),
    *(b"Content-Type: application/json", b"Range: bytes=0-1", b"TE: trailers", b"x-c:\t a b \t", b"Expect: 100-continue"),
)
LINES = (
    *(b"Content-Length: 3", b"Content-Length: 0", b"Content-Length: 5, 5", b"Content-Length: +3", b"Content-Length:3\t"),
    *(
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding : chunked",
        b"transfer-encoding:\tchunked",
    ),
    *(b"Host: api.test", b"Host: evil.test", b"Host:", b"host: API.test.", b" folded: x", b"\tfolded", b"Connection: close"),
    *(b"Connection: keep-alive, X-A", b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c", b"Expect: 100-continue"),
    *(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", b"Sec-WebSocket-Version: 13", b"Trailer: X", b"TE: trailers", b"X-A: 1"),
    *(
        b"X-A: a\x0bb",
        b"X-A: a\rb",
        b"X-A: \xff\xfe",
        b"X-A: \x00",
        b"X-A:",
        b": x",
        b"X A: 1",
        b"X-A",
        b"Cookie: a=1",
        b"Cookie: b=2",
    ),
    *(b"X-HTTP-Method-Override: DELETE", b"Proxy-Authorization: x", b"X-Forwarded-For: 1", b"X_Forwarded_For: 1", b"Accept: */*"),
    *(b"Content-Encoding: gzip", b"Content-Type: application/json", b"Authorization: Bearer a", b"Range: bytes=0-1"),
)
BODIES = (
    *(
        b"",
        b"abc",
        b"abcdef",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\n\r\n",
        b"0\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"3\r\nabc\r\n",
    ),
    *(
        b"03\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b'{"a":1}',
    ),
)
BITS = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b"\x00",
        b"\t",
        b" ",
        b"\x0b",
        b"\x0c",
        b"\x1c",
        b"\x7f",
        b"\x85",
        b"\xa0",
        b"\xff",
    ),
    *(
        b":",
        b",",
        b";",
        b"/",
        b"//",
        b"/../",
        b"%00",
        b"%0d%0a",
        b"%2e",
        b"%2f",
        b"%",
        b"?",
        b"#",
        b"@",
        b"\\",
        b"[",
        b"]",
        b"\xc0\xae",
    ),
    *(
        b"chunked",
        b"0\r\n\r\n",
        b"HTTP/1.1",
        b"api.test",
        b"GET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n",
        b"-1",
        b"0x",
        b"_",
    ),
)


def corpus() -> list[bytes]:
    """Whole inputs: what once broke something, and every vector that is bytes of HTTP/1 (tests/vectors sends those as they are)."""
    said = [request_bytes(case) for case in cases() if case.by in {"tunnel", "clear", "inside"}]
    return seeds() + [data for data in said if len(data) < _LONGEST]


def seeds() -> list[bytes]:
    return [seed["bytes"].encode("latin-1") for seed in yaml.safe_load(SEEDS.read_text())]


def inputs(seed: int, count: int) -> Iterator[bytes]:
    """The seeds as they are, then what grows. Each says `api.test` where it names its host."""
    dice, known = random.Random(seed), corpus()
    yield from seeds()
    for _ in range(count):
        start = dice.choice(known) if dice.random() < 0.3 else grown(dice)
        yield mutated(dice, start, known)[:_LONGEST]


def grown(dice: random.Random) -> bytes:
    """A request out of parts that are each as some client writes them; mostly of the plain ones."""
    method, target = _mostly(dice, METHODS, 4), _mostly(dice, TARGETS, 7)
    lines = [b"Host: api.test"] if dice.random() < 0.95 else []
    lines += [_mostly(dice, PLAIN + LINES, len(PLAIN)) for _ in range(dice.choice((0, 0, 1, 1, 2, 3)))]
    body = b""
    if dice.random() < 0.4:
        framing, body = dice.choice(((b"Content-Length: 3", b"abc"), (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n")))
        lines.append(framing)
        body = body if dice.random() < 0.7 else dice.choice(BODIES)
    if dice.random() < 0.1:
        dice.shuffle(lines)
    return b"\r\n".join([b" ".join((method, target, _mostly(dice, VERSIONS, 3))), *lines, b"", b""]) + body


def mutated(dice: random.Random, data: bytes, known: list[bytes]) -> bytes:
    """Spoil it in no place, or a few."""
    for _ in range(dice.choice((0, 0, 0, 1, 1, 1, 1, 2, 2, 3))):
        data = dice.choice(_MUTATIONS)(dice, data, known)
    return data


def _mostly(dice: random.Random, of: tuple[bytes, ...], first: int) -> bytes:
    return dice.choice(of[:first]) if dice.random() < 0.85 else dice.choice(of)


def _at(dice: random.Random, data: bytes) -> int:
    return dice.randint(0, len(data))


def _insert(dice, data, _):
    at = _at(dice, data)
    return data[:at] + dice.choice(BITS) + data[at:]


def _replace(dice, data, _):
    at = _at(dice, data)
    return data[:at] + dice.choice(BITS) + data[at + dice.randint(1, 3) :]


def _flip(dice, data, _):
    if not data:
        return data
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]


def _cut(dice, data, _):
    at = _at(dice, data)
    return data[:at] + data[at + dice.choice((1, 1, 2, 4, 16)) :]


def _truncate(dice, data, _):
    return data[: _at(dice, data)]


def _double(dice, data, _):
    lines = data.split(b"\r\n")
    at = dice.randrange(len(lines))
    return b"\r\n".join([*lines[: at + 1], *lines[at:]])


def _swap(dice, data, _):
    lines = data.split(b"\r\n")
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def _line(dice, data, _):
    head, end, rest = data.partition(b"\r\n")
    return head + end + dice.choice(LINES) + b"\r\n" + rest if end else data


def _splice(dice, data, known):
    return data + dice.choice(known)


def _cross(dice, data, known):
    other = dice.choice(known)
    return data[: _at(dice, data)] + other[_at(dice, other) :]


_MUTATIONS = (_insert, _insert, _replace, _flip, _cut, _truncate, _double, _swap, _line, _line, _splice, _cross)
