import gzip
import zlib

import brotli
import pytest
import zstandard

from outgate.intake.bodies import FORM_FIELDS, JSON_DEPTH, JSON_THINGS, PARTS, Undecodable, decode, form, strict_json

CODINGS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
TEXT = b"what goes out, again and again. " * 9_000


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coding_is_undone(coding):
    assert decode(CODINGS[coding](TEXT), coding) == TEXT


@pytest.mark.parametrize("coding", CODINGS)
def test_an_empty_body_has_nothing_to_undo(coding):
    assert decode(b"", coding) == b""


@pytest.mark.parametrize("coding", [None, "identity", "IDENTITY", " identity "])
def test_a_body_without_coding_is_itself(coding):
    assert decode(TEXT, coding) == TEXT


def test_the_name_of_a_coding_has_no_case():
    assert decode(gzip.compress(TEXT), "GZip") == TEXT


@pytest.mark.parametrize(
    "coding",
    ["x-gzip", "gzip, gzip", "gzip,identity", "hex", "base64", "bz2", "rot13", "zip", "compress", "aws-chunked", "*", "utf-16"],
)
def test_another_coding_is_not_guessed(coding):
    assert isinstance(decode(gzip.compress(TEXT), coding), Undecodable)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coding_that_lies_is_undecodable(coding):
    assert isinstance(decode(b'{"op": "delete"}', coding), Undecodable)


@pytest.mark.parametrize("coding", CODINGS)
def test_data_cut_short_is_undecodable(coding):
    assert isinstance(decode(CODINGS[coding](TEXT)[:-1], coding), Undecodable)


@pytest.mark.parametrize("coding", CODINGS)
def test_bytes_after_the_end_are_undecodable(coding):
    assert isinstance(decode(CODINGS[coding](TEXT) + b"{}", coding), Undecodable)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_every_member_is_read(coding):
    pack = CODINGS[coding]
    assert decode(pack(b'{"op":"read"}') + pack(b'{"op":"delete"}'), coding) == b'{"op":"read"}{"op":"delete"}'


def test_a_wrong_checksum_is_undecodable():
    packed = bytearray(gzip.compress(TEXT))
    packed[-5] ^= 1
    assert isinstance(decode(bytes(packed), "gzip"), Undecodable)


def test_raw_deflate_is_not_guessed():
    packer = zlib.compressobj(wbits=-15)
    assert isinstance(decode(packer.compress(TEXT) + packer.flush(), "deflate"), Undecodable)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_stops_at_the_limit(coding):
    bomb = CODINGS[coding](bytes(40_000_000))
    assert decode(bomb, coding, limit=1_000_000) == Undecodable("The body is too large once decoded.")


@pytest.mark.parametrize("coding", [None, *CODINGS])
def test_exactly_the_limit_is_let_through(coding):
    packed = CODINGS[coding](TEXT) if coding else TEXT
    assert decode(packed, coding, limit=len(TEXT)) == TEXT
    assert isinstance(decode(packed, coding, limit=len(TEXT) - 1), Undecodable)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, 2.5, null, true, "\xc3\xa9"]}', {"a": [1, 2.5, None, True, "é"]}),
        (b' "\\ud83d\\ude00" ', "😀"),
        (b"-0", 0),
        (b"{}", {}),
        (b"10000000000000000999", 10000000000000000999),
        (b'{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": 1}, "b": {"x": 1}}),
    ],
)
def test_json_is_read(content, value):
    assert strict_json(content) == value


@pytest.mark.parametrize(
    "content",
    [
        *(b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'[{"x":{"b":1,"b":1}}]'),
        *(b"NaN", b"Infinity", b"-Infinity", b'{"a":1e400}', b"1" * 5000),
        *(b'"\\ud800"', b'{"\\udc00":1}', b'"\xed\xa0\x80"', b'"\xc0\xae"', b'"\xff"', b'"\\ude00\\ud83d"'),
        *(b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le")),
        *(
            b"",
            b"{}{}",
            b"{} x",
            b"{}\x00",
            b"{/**/}",
            b"{'a':1}",
            b"[1,]",
            b'{"a":1,}',
            b"01",
            b"+1",
            b".5",
            b"tru",
            b'"\x01"',
            b'{"a"}',
        ),
        *(b"[" * 100_000, b'{"a":' * 100_000),
    ],
)
def test_json_with_two_readings_or_none_is_undecodable(content):
    assert isinstance(strict_json(content), Undecodable)


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b"{}," * JSON_THINGS + b"{}]",
        b"[" + b"[]," * JSON_THINGS + b"[]]",
        b"{" + b",".join(b'"%d":1' % number for number in range(JSON_THINGS)) + b"}",
    ],
)
def test_json_of_so_many_things_that_reading_it_would_hold_up_others_is_undecodable(content):
    assert strict_json(content) == Undecodable("The JSON has too many things in it.")
    assert not isinstance(strict_json(b"[" + b"1," * JSON_THINGS + b"1]"), Undecodable), "numbers are read fast"


@pytest.mark.parametrize(("coding", "part"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.compress(b""))])
def test_a_body_compressed_in_so_many_parts_that_beginning_each_would_hold_up_others_is_undecodable(coding, part):
    assert decode(part * PARTS, coding) == b""
    assert isinstance(decode(part * (PARTS + 1), coding), Undecodable)


def test_json_is_as_deep_as_the_bound_and_no_deeper():
    assert not isinstance(strict_json(b"[" * JSON_DEPTH + b"]" * JSON_DEPTH), Undecodable)
    assert isinstance(strict_json(b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1)), Undecodable)
    assert isinstance(strict_json(b'{"a":' * JSON_DEPTH + b"[]" + b"}" * JSON_DEPTH), Undecodable)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("a=1&b=2", (("a", "1"), ("b", "2"))),
        ("a=1&a=2", (("a", "1"), ("a", "2"))),
        ("%61=%C3%A9&b+c=d+e", (("a", "é"), ("b c", "d e"))),
        ("a", (("a", ""),)),
        ("a=1;b=2", (("a", "1;b=2"),)),
        ("&&a==b&", (("a", "=b"),)),
        ("metadata[x]=1", (("metadata[x]", "1"),)),
    ],
)
def test_a_form_is_every_pair_in_order(text, pairs):
    assert form(text) == pairs


@pytest.mark.parametrize("text", ["a=%", "a=%g1", "%=1", "a=%ff", "a=\xff", "&".join(["a=1"] * (FORM_FIELDS + 1))])
def test_a_form_with_two_readings_or_none_is_undecodable(text):
    assert isinstance(form(text), Undecodable)
