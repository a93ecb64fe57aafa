"""Content-Type in its one reading, or in none."""

import time

import pytest

from outgate.intake.media import Media, media_of, read_media


@pytest.mark.parametrize(
    ("text", "kind", "params"),
    [
        ("application/json", "application/json", ()),
        ("  Application/JSON ; Charset=UTF-8", "application/json", (("charset", "UTF-8"),)),
        ('text/plain; charset="utf-8"', "text/plain", (("charset", "utf-8"),)),
        ("text/plain;;charset=utf-8;", "text/plain", (("charset", "utf-8"),)),
        ('multipart/form-data; boundary="a b;c=\\"d"', "multipart/form-data", (("boundary", 'a b;c="d'),)),
        ('a/b; x="charset=utf-8"; charset=utf-7', "a/b", (("x", "charset=utf-8"), ("charset", "utf-7"))),
        ('a/b; x=""', "a/b", (("x", ""),)),
    ],
)
def test_one_that_can_be_read(text, kind, params):
    assert read_media(text) == Media(kind=kind, params=params)


@pytest.mark.parametrize(
    "text",
    [
        *("", "json", "application/", "/json", "a/b/c", "a b/c", "a/b, a/c", "a/b c"),
        *("a/b; charset", "a/b; charset=", "a/b; =x", "a/b; x=y z", 'a/b; x="y', 'a/b; x=y"', "a/b; x = y", 'a/b; x="\x00"'),
        *("a/b; charset=utf-8; charset=utf-8", "a/b; charset=utf-8; CHARSET=utf-7"),
    ],
)
def test_one_that_has_two_readings_or_none(text):
    assert read_media(text) is None


def test_a_message_says_it_once():
    assert media_of((("content-type", "a/b"), ("x", "y"))) == Media(kind="a/b")
    assert media_of(()) is None
    assert media_of((("content-type", "a/b"), ("content-type", "a/b"))) is None
    assert media_of((("content-type", "a/b; x=" + "y" * 2000),)) is None


@pytest.mark.parametrize(
    ("charset", "utf8", "like_ascii"),
    [
        *(("utf-8", True, True), ("UTF8", True, True), ("us-ascii", True, True), ("", True, True)),
        *(("iso-8859-1", False, True), ("Windows-1252", False, True), ("latin1", False, True)),
        *(("utf-7", False, False), ("utf-16", False, False), ("cp037", False, False), ("shift_jis", False, False)),
        *(("rot13", False, False), ("iso-2022-jp", False, False), ("hz-gb-2312", False, False)),
    ],
)
def test_charsets_in_which_ascii_is_ascii(charset, utf8, like_ascii):
    media = Media(kind="a/b", params=(("charset", charset),))
    assert (media.is_utf8, media.is_like_ascii) == (utf8, like_ascii)


@pytest.mark.parametrize("text", ["a/b" + ";" * 1000, "a/b" + "; x" * 300, 'a/b; x="' + "\\" * 1000, "a/b" + " ;" * 500 + "x"])
def test_none_takes_long(text):
    began = time.process_time()
    read_media(text)
    assert time.process_time() - began < 0.1
