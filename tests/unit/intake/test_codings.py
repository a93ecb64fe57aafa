"""What headers say was done to a body, undone."""

import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.intake.bodies import Undecodable
from outgate.intake.codings import codings_of, is_known, plain

SIGNATURE = b";chunk-signature=" + b"0a" * 32
TEXT = b"what goes out"


def said(*values, **more):
    return (*(("content-encoding", value) for value in values), *((n.replace("_", "-"), v) for n, v in more.items()))


def framed(*chunks, signature=b"", trailers=b""):
    pieces = [b"%x%s\r\n%s\r\n" % (len(chunk), signature, chunk) for chunk in chunks]
    return b"".join(pieces) + b"0%s\r\n%s\r\n" % (signature, trailers)


def aws(content, length, coding="aws-chunked"):
    return plain(said(coding, x_amz_decoded_content_length=str(length)), content)


@pytest.mark.parametrize(
    ("values", "codings", "known"),
    [
        ((), (), True),
        (("",), (), True),
        (("identity",), (), True),
        ((" GZip ",), ("gzip",), True),
        (("gzip, identity",), ("gzip",), True),
        (("gzip, gzip",), ("gzip", "gzip"), False),
        (("gzip", "br"), ("gzip", "br"), False),
        (("hex",), ("hex",), False),
        (("x-gzip",), ("x-gzip",), False),
        (("aws-chunked",), ("aws-chunked",), True),
        (("aws-chunked,gzip",), ("aws-chunked", "gzip"), True),
        (("aws-chunked,gzip,br",), ("aws-chunked", "gzip", "br"), False),
    ],
)
def test_codings_as_they_are_said(values, codings, known):
    assert (codings_of(said(*values)), is_known(said(*values))) == (codings, known)


def test_one_is_undone_and_several_are_not():
    assert plain(said("gzip"), gzip.compress(TEXT)) == TEXT
    assert plain(said("deflate"), zlib.compress(TEXT)) == TEXT
    assert plain(said("identity"), TEXT) == plain((), TEXT) == TEXT
    assert isinstance(plain(said("gzip, gzip"), gzip.compress(gzip.compress(TEXT))), Undecodable)
    assert isinstance(plain(said("gzip", "gzip"), gzip.compress(TEXT)), Undecodable)
    assert isinstance(plain(said("hex"), b"7b"), Undecodable)
    assert isinstance(plain((), TEXT, limit=3), Undecodable)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.sampled_from([b"", SIGNATURE]))
def test_what_s3_is_sent_in_chunks_is_put_together(chunks, signature):
    content = b"".join(chunks)
    assert aws(framed(*chunks, signature=signature), len(content)) == content
    trailers = b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:" + b"0a" * 32 + b"\r\n"
    assert aws(framed(*chunks, signature=signature, trailers=trailers), len(content)) == content


def test_what_is_in_the_chunks_may_be_coded():
    packed = gzip.compress(TEXT)
    for coding in ("aws-chunked,gzip", "gzip,aws-chunked"):
        assert aws(framed(packed[:10], packed[10:]), len(packed), coding) == TEXT
    assert isinstance(aws(framed(packed), len(packed), "gzip,aws-chunked,br"), Undecodable)
    assert isinstance(aws(framed(packed), len(packed), "aws-chunked,aws-chunked"), Undecodable)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        TEXT,
        framed(TEXT)[:-1],
        framed(TEXT) + b"x",
        framed(TEXT).replace(b"\r\n", b"\n"),
        b"d\r\nwhat goes out0\r\n\r\n",
        b"0d;x=y\r\nwhat goes out\r\n0\r\n\r\n",
        b"-d\r\nwhat goes out\r\n0\r\n\r\n",
        b"+d\r\nwhat goes out\r\n0\r\n\r\n",
        b"e\r\nwhat goes out\r\n0\r\n\r\n",
        b"00000000d\r\nwhat goes out\r\n0\r\n\r\n",
        framed(TEXT, trailers=b"no trailer\r\n"),
        framed(TEXT, trailers=b"a:b\r\n" * 17),
        framed(TEXT, signature=b";chunk-signature=0a"),
    ],
)
def test_chunks_that_are_none_are_not_guessed(content):
    assert isinstance(aws(content, len(TEXT)), Undecodable)


def test_their_length_is_said_once_and_is_theirs():
    assert isinstance(aws(framed(TEXT), len(TEXT) + 1), Undecodable)
    assert isinstance(aws(framed(TEXT), "0x0d"), Undecodable)
    assert isinstance(plain(said("aws-chunked"), framed(TEXT)), Undecodable)
    twice = (*said("aws-chunked"), *[("x-amz-decoded-content-length", str(len(TEXT)))] * 2)
    assert isinstance(plain(twice, framed(TEXT)), Undecodable)


def test_many_small_chunks_take_no_time():
    content, began = framed(*[b"x"] * 300_000), time.process_time()
    assert isinstance(aws(content, 300_000), Undecodable)
    assert time.process_time() - began < 1
