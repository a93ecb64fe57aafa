"""Codings: what the headers of a message say was done to its body, undone piece by piece. What has two readings has none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from outgate.intake.bodies import DECODED_LIMIT, Undecodable, UndecodableError, decoded
from outgate.intake.media import media_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

type Headers = Iterable[tuple[str, str]]

AWS_CHUNKED: Final = "aws-chunked"
"""How S3 is sent what is signed, or summed up, as it goes: chunks with a signature each, and trailers."""
_KNOWN: Final = frozenset({"gzip", "deflate", "br", "zstd"})
_MOST_CHUNKS: Final = 1 << 16
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;chunk-signature=[0-9a-f*]{64,144})?\r\n")
_TRAILERS: Final = re.compile(rb"(?:[!-9;-~]{1,64}:[ -~]{0,1024}\r\n){0,16}\r\n")
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,17}")

_BAD_CHUNKS: Final = "The body is not valid aws-chunked."
_MANY: Final = "The body has more than one Content-Encoding."


def codings_of(headers: Headers) -> tuple[str, ...]:
    """Name the codings that a message declares, in their order, without those that do nothing."""
    said = (token.strip(" \t").lower() for name, value in headers if name == "content-encoding" for token in value.split(","))
    return tuple(token for token in said if token not in {"", "identity"})


def is_known(headers: Headers) -> bool:
    """Whether such a coding is undone here: else nobody who must read the body can."""
    codings = [coding for coding in codings_of(headers) if coding != AWS_CHUNKED]
    return len(codings) < 2 and _KNOWN.issuperset(codings)


def is_readable(headers: Headers) -> bool:
    """Whether a body of which this is said can be read here at all: its coding is known, and its charset."""
    said = tuple(headers)
    media = media_of(said)
    return is_known(said) and (media is None or media.is_like_ascii)


def plain(headers: Headers, content: bytes, *, limit: int = DECODED_LIMIT) -> bytes | Undecodable:
    """Give a whole body as it was before it was coded, never more than `limit` bytes of it."""
    try:
        return b"".join(pieces(tuple(headers), content, limit=limit))
    except UndecodableError as error:
        return Undecodable(str(error))


def pieces(headers: tuple[tuple[str, str], ...], content: bytes, *, limit: int) -> Iterator[bytes]:
    """The same piece by piece. Raises UndecodableError, perhaps after some of it was given."""
    codings = codings_of(headers)
    if AWS_CHUNKED in codings:
        if codings.count(AWS_CHUNKED) > 1 or AWS_CHUNKED not in {codings[0], codings[-1]}:
            raise UndecodableError(_MANY)
        codings = tuple(coding for coding in codings if coding != AWS_CHUNKED)
        content = b"".join(_deframed(content, _decoded_length(headers)))
    if len(codings) > 1:
        raise UndecodableError(_MANY)
    yield from decoded(content, codings[0] if codings else None, limit=limit)


def _decoded_length(headers: Headers) -> int:
    """What the chunks must add up to. Signing says so too: one who reads chunks goes by it."""
    said = [value for name, value in headers if name == "x-amz-decoded-content-length"]
    if len(said) != 1 or not _LENGTH.fullmatch(said[0]):
        raise UndecodableError("The body is aws-chunked, and its length is not said once.")
    return int(said[0])


def _deframed(content: bytes, length: int) -> Iterator[bytes]:
    at, total, chunks = 0, 0, 0
    while (found := _CHUNK.match(content, at)) is not None and (size := int(found[1], 16)):
        at, chunks = found.end() + size + 2, chunks + 1
        if content[at - 2 : at] != b"\r\n" or chunks > _MOST_CHUNKS:
            raise UndecodableError(_BAD_CHUNKS)
        yield content[found.end() : at - 2]
        total += size
    if found is None or not _TRAILERS.fullmatch(content, found.end()):
        raise UndecodableError(_BAD_CHUNKS)
    if total != length:
        raise UndecodableError("The body's chunks are not as long as it says.")
