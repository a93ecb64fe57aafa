from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard

from outgate.inspect.codings import CodingError, Undoing

TEXT = b"what an upstream answers " * 10_000
CODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
}


def undone(encoding, data, *, size=None, limit=1 << 20):
    undoing = Undoing(encoding, limit)
    step = size or max(1, len(data))
    return b"".join(piece for at in range(0, len(data), step) for piece in undoing.feed(data[at : at + step]))


@pytest.mark.parametrize("encoding", CODED)
@pytest.mark.parametrize("size", [1, 100, None])
def test_what_comes_in_pieces_comes_out_whole(encoding, size):
    data = CODED[encoding] if size != 1 else CODED[encoding][:5000]
    got = undone(encoding, data, size=size)
    assert TEXT.startswith(got)
    assert got == TEXT or size == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_are_one_body(encoding):
    assert undone(encoding, CODED[encoding] * 2, size=77) == TEXT * 2


@pytest.mark.parametrize("encoding", CODED)
def test_the_bound_holds_for_what_is_decoded(encoding):
    with pytest.raises(CodingError, match="too large"):
        undone(encoding, CODED[encoding], limit=100_000)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br"])
def test_a_bomb_costs_no_more_than_the_bound(encoding):
    bomb = {"gzip": gzip.compress, "zstd": zstandard.compress, "br": brotli.compress}[encoding](bytes(64 * 2**20))
    pieces, seen = Undoing(encoding, 1 << 20).feed(bomb), []
    with pytest.raises(CodingError):
        seen.extend(map(len, pieces))
    assert sum(seen) <= 1 << 20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_not_in_its_coding_is_told(encoding):
    with pytest.raises(CodingError):
        undone(encoding, b"\xffnot at all" * 100)


def test_what_goes_on_after_brotlis_end_is_told():
    with pytest.raises(CodingError):
        undone("br", CODED["br"] + b"more", size=50)


@pytest.mark.parametrize("encoding", ["compress", "gzip, br", "unknown"])
def test_a_coding_that_is_not_read_here_is_told_at_once(encoding):
    with pytest.raises(CodingError):
        Undoing(encoding, 100)
