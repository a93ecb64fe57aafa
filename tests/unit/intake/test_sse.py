"""Server-sent events, one by one, however they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.intake.pieces import Piece
from outgate.intake.sse import TOO_LARGE, Events, speaks

texts = st.lists(st.sampled_from([b"a", b"bb", b"data: x", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n"]), max_size=25).map(
    b"".join
)
sizes = st.lists(st.integers(1, 6), max_size=60)


def chunked(text: bytes, said: list[int]) -> list[bytes]:
    found = []
    for size in said:
        found.append(text[:size])
        text = text[size:]
    return [chunk for chunk in [*found, text] if chunk]


def cut(*chunks: bytes, whole: bool = True) -> tuple[list[bytes], bytes]:
    """The contents of the events, and every byte that came out, in its order."""
    events = Events(1000)
    found = [one for chunk in chunks for one in events.feed(chunk, whole=whole)]
    if (last := events.end()) is not None:
        found.append(last)
    return [one.content for one in found if isinstance(one, Piece)], b"".join(map(raw, found))


def raw(one: bytes | Piece) -> bytes:
    return one.raw if isinstance(one, Piece) else one


@given(texts, sizes)
def test_however_it_comes_the_events_are_the_same_and_no_byte_is_lost(text, said):
    assert cut(*chunked(text, said)) == (cut(text)[0], text)


@given(texts, sizes, st.data())
def test_whoever_asks_for_whole_events_when_gets_every_byte_once(text, said, data):
    events, found = Events(1000), []
    for chunk in chunked(text, said):
        found += events.feed(chunk, whole=data.draw(st.booleans()))
    last = events.end()
    assert b"".join(map(raw, [*found, *([last] if last else [])])) == text


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_event_ends_at_a_blank_line_and_goes_on_at_once(end):
    one, two = b"event: a" + end + b"data: 1", b"data: 2"
    assert cut(one + end + end + two + end + end)[0] == [one, two]
    assert [piece.content for piece in Events(99).feed(one + end + end, whole=True)] == [one]


def test_an_event_without_an_end_is_one_all_the_same():
    assert cut(b"data: 1\n\ndata: 2\n")[0] == [b"data: 1", b"data: 2\n"]


def test_what_nobody_asks_for_is_passed_on_as_it_comes():
    text = b"data: 1\n\ndata"
    assert Events(9).feed(text, whole=False)[0] is text


def test_from_the_next_event_on_they_are_kept():
    events = Events(99)
    events.feed(b"data: 1\n\ndata: 2", whole=False)
    assert events.feed(b"2\n\ndata: 3\n\n", whole=True) == [b"2\n\n", Piece(b"data: 3\n\n", b"data: 3")]
    later = Events(99)
    later.feed(b"data: 1\n\n", whole=False)
    assert later.feed(b"data: 2\n\n", whole=True) == [Piece(b"data: 2\n\n", b"data: 2")]


def test_one_that_is_too_large_is_broken():
    events = Events(9)
    assert events.feed(b"data: 1\n\ndata: 2345", whole=True) == [Piece(b"data: 1\n\n", b"data: 1")]
    assert events.broken == TOO_LARGE
    assert events.feed(b"6", whole=True) == []


def test_what_it_reads_is_a_text_of_the_upstreams():
    events = Events(99)
    (piece,) = events.feed(b"data: 1\n\n", whole=True)
    message = events.message(piece, sent=False)
    assert (message.over, message.text, message.sent, message.content) == ("sse", True, False, b"data: 1")


@pytest.mark.parametrize(
    ("kind", "is_cut"), [("text/event-stream", True), ("Text/Event-Stream; charset=utf-8", True), ("text/plain", False)]
)
def test_which_answers_are_events(kind, is_cut):
    assert speaks(kind) is is_cut
