"""outgate.actions.protocols.pkt_line"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.protocols.pkt_line import FLUSH, Packet, band, line, packet, section, texts

LINES = st.lists(st.binary(min_size=1, max_size=80), max_size=8)


@given(LINES, st.binary(max_size=40))
def test_what_is_framed_is_read_as_it_was_with_what_follows(contents, after):
    assert section(b"".join(map(line, contents)) + FLUSH + after) == (tuple(contents), after)


def test_a_length_counts_its_own_four_digits():
    assert line(b"a\n") == b"0006a\n"


@pytest.mark.parametrize("digits", [b"000a", b"000A"])
def test_a_length_is_read_in_either_case_as_git_reads_it(digits):
    assert packet(digits + b"abcdef", 0) == Packet(b"abcdef")


@pytest.mark.parametrize("body", [b"", b"000", b"00", b"+00a" + b"abcdef", b" 00a" + b"abcdef", b"0x0a" + b"abcdef", b"PACK"])
def test_what_is_no_length_is_no_line(body):
    assert packet(body, 0) is None


@pytest.mark.parametrize("body", [b"0001", b"0002", b"0003", b"0004"])
def test_what_frames_nothing_is_no_line(body):
    assert packet(body + b"more", 0) is None


def test_a_line_that_is_cut_is_none():
    assert packet(line(b"whole")[:-1], 0) is None


def test_lines_that_no_flush_ends_are_no_section():
    assert section(line(b"a") + line(b"b")) is None
    assert section(line(b"a") + b"zzzz" + FLUSH) is None


def test_texts_end_at_the_flush_or_at_what_is_no_line():
    assert list(texts(line(b"a\n") + line(b"b") + FLUSH + line(b"c"))) == [b"a", b"b"]
    assert list(texts(line(b"a\n") + b"zzzz" + line(b"c"))) == [b"a"]


@pytest.mark.parametrize("size", [1, 60_000, 60_001, 200_000])
def test_what_is_said_in_a_band_is_in_lines_that_git_takes_and_each_names_the_band(size):
    found, after = section(band(2, b"x" * size) + FLUSH) or ((), b"")
    assert after == b""
    assert all(one[:1] == b"\x02" and len(one) <= 65_516 for one in found)
    assert b"".join(one[1:] for one in found) == b"x" * size
