"""outgate.cli.text"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.cli.text import clean, columns, cut, wrapped


@given(st.text())
def test_whatever_an_agent_wrote_can_be_printed(text):
    assert clean(text).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"), [("\x1b[31m", "\\u001b[31m"), ("\u202e", "\\u202e"), ("a\nb", "a\\u000ab"), ("é€", "é€")]
)
def test_what_drives_a_terminal_shows_as_what_it_is(text, shown):
    assert clean(text) == shown


@given(st.text(), st.integers(1, 40))
def test_a_cut_text_is_no_wider_than_asked_and_shows_that_it_was_cut(text, width):
    short = cut(text, width)
    assert len(short) <= width
    assert short == text or short.endswith("…")


def test_columns_are_as_wide_as_their_widest_and_never_wider_than_their_bound():
    assert list(columns([("a", "bb", "c" * 9), ("aaa", "b", "c")], widest=(5, 5, 4))) == ["a    bb  ccc…", "aaa  b   c"]


def test_no_rows_are_no_lines():
    assert list(columns([], widest=(1, 2))) == []


def test_wrapped_lines_stand_under_the_first():
    assert list(wrapped("one two three", "  why: ", 15)) == ["  why: one two", "       three"]


def test_one_column_may_take_what_the_others_leave():
    rows = [("mailer", "x" * 90, "5 s"), ("a", "y", "5 min")]
    lines = list(columns(rows, (24, 0, 8)))
    assert [len(line) for line in lines] == [78, 80]
    assert lines[0].split()[1].endswith("…")
    assert list(columns([("a", "b", "c")], (24, 0, 8))) == ["a  b  c"]
