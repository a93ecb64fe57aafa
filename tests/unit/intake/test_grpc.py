"""Bodies of gRPC, cut into the messages in them however they come."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.intake.grpc import NO_END, NO_FRAME, TOO_LARGE, Frames, speaks
from outgate.intake.pieces import Piece


def framed(content: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(content).to_bytes(4) + content


def cutter(coding="", limit=1000):
    return Frames(coding, limit)


def said(coding, content):
    frames = cutter(coding)
    (piece,) = frames.feed(framed(content, 1), whole=True)
    return frames.message(piece, sent=True)


chunks = st.lists(st.integers(1, 12), max_size=60)


def chunked(body: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(body[:size])
        body = body[size:]
    return [chunk for chunk in [*found, body] if chunk]


@given(st.lists(st.binary(max_size=20), max_size=8), chunks)
def test_however_it_comes_the_messages_are_the_same(contents, sizes):
    frames = cutter()
    found = [one for chunk in chunked(b"".join(map(framed, contents)), sizes) for one in frames.feed(chunk, whole=True)]
    assert [piece.content for piece in found] == contents
    assert [piece.raw for piece in found] == [framed(one) for one in contents]
    assert frames.end() is None
    assert not frames.broken


@given(st.lists(st.binary(max_size=20), max_size=8), chunks, st.data())
def test_whoever_asks_for_whole_messages_when_gets_every_byte_once_and_no_half_of_one(contents, sizes, data):
    body, frames, found = b"".join(map(framed, contents)), cutter(), []
    for chunk in chunked(body, sizes):
        found += frames.feed(chunk, whole=data.draw(st.booleans()))
    assert b"".join(one.raw if isinstance(one, Piece) else one for one in found) + kept(frames) == body
    assert all(one.content in contents for one in found if isinstance(one, Piece))


def kept(frames):
    return frames._prefix + b"".join(frames._kept) if frames._whole else b""


def test_what_nobody_asks_for_is_passed_on_as_it_comes_uncopied():
    body = framed(b"a" * 100) + framed(b"b" * 100)[:50]
    assert cutter().feed(body, whole=False)[0] is body


def test_from_the_next_message_on_they_are_kept():
    frames, (one, two) = cutter(), (framed(b"one"), framed(b"two"))
    assert frames.feed(one[:6], whole=False) == [one[:6]]
    assert frames.feed(one[6:] + two, whole=True) == [one[6:], Piece(two, b"two")]


@pytest.mark.parametrize("body", [b'{"json": 1}', b"\x02\0\0\0\1a", b"\x40\0\0\0\1a"])
def test_what_is_cut_otherwise_is_broken_where_it_is_to_be_kept_and_passed_on_where_not(body):
    frames = cutter()
    assert frames.feed(framed(b"one") + body, whole=True) == [Piece(framed(b"one"), b"one")]
    assert frames.broken == NO_FRAME
    passing = cutter()
    assert passing.feed(body, whole=False) == [body]
    assert passing.feed(b"more", whole=False) == [b"more"]
    assert passing.feed(b"more", whole=True) == []
    assert passing.broken == NO_FRAME


def test_one_that_is_too_large_is_broken_when_its_length_is_read():
    frames = cutter(limit=10)
    assert frames.feed(framed(b"x" * 11)[:5], whole=True) == []
    assert frames.broken == TOO_LARGE


def test_one_that_has_no_end_is_broken_at_the_end():
    frames = cutter()
    frames.feed(framed(b"one")[:-1], whole=True)
    assert frames.end() is None
    assert frames.broken == NO_END


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("GZIP ", gzip.compress), ("deflate", zlib.compress)])
def test_what_is_compressed_is_read(coding, pack):
    message = said(coding, pack(b"hello"))
    assert (message.content, message.plain, message.over, message.sent) == (b"hello", True, "grpc", True)


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("snappy", b"hello"),
        ("", b"hello"),
        ("identity", b"hello"),
        ("gzip", b"hello"),
        ("gzip", gzip.compress(b"x" * 1001, mtime=0)),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"more"),
    ],
)
def test_what_can_not_be_read_is_said_to_be_so(coding, content):
    assert not said(coding, content).plain


@pytest.mark.parametrize(
    ("kind", "is_cut"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("Application/GRPC; charset=x", True),
        ("application/grpc-web+json", True),
        ("application/grpc-web-text", False),
        ("application/grpcish", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_which_bodies_are_cut_so(kind, is_cut):
    assert speaks(kind) is is_cut
