"""Multipart: the parts of a body, and the fields of a form sent so, where there is exactly one way to read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from outgate.intake.bodies import Undecodable
from outgate.intake.media import read_media

if TYPE_CHECKING:
    from outgate.intake.media import Media

MOST_PARTS: Final = 1000
FORM: Final = "multipart/form-data"

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
"""RFC 2046, section 5.1.1, without the space, which servers trim."""
_LONGEST_HEAD: Final = 8192
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*([\t -~\x80-\xff]*)")
_DISPOSITION: Final = re.compile(
    r'form-data((?:;[ \t]*[a-z*]{1,32}=(?:"[^"\\]*"|[!#$%&+.^_`|~0-9A-Za-z\'-]+))*)[ \t]*', re.IGNORECASE
)
_PARAM: Final = re.compile(r';[ \t]*([a-z*]+)=(?:"([^"\\]*)"|([!#$%&+.^_`|~0-9A-Za-z\'-]+))', re.IGNORECASE)
_PLAIN: Final = frozenset({"7bit", "8bit", "binary"})
_ALLOWED: Final = frozenset({"content-disposition", "content-type", "content-transfer-encoding", "content-length"})

_NOT_ONE: Final = "The body is not valid multipart, or can be read in more than one way."
_ODD_PART: Final = "A part of the form has headers that servers read differently."
_NOT_TEXT: Final = "A field of the form is not UTF-8."

type Fields = tuple[tuple[str, str | None], ...]
"""Names and values, in order, as often as they came. None: a file, whose content is nobody's parameter."""


def parts_of(content: bytes, boundary: bytes) -> list[bytes] | None:
    """The parts of a body that has exactly one reading as multipart (RFC 2046, section 5.1.1); None for any other.

    Nothing stands before the first and after the last. The boundary stands nowhere but in delimiters: else a lenient server
    would find other parts behind another boundary.
    """
    opening, between, closing = (b"--%s\r\n", b"\r\n--%s\r\n", b"\r\n--%s--")
    first, last = opening % boundary, closing % boundary
    if content.count(boundary) > MOST_PARTS:
        return None
    inner = content.removesuffix(b"\r\n")
    if len(inner) < len(first) + len(last) or not (inner.startswith(first) and inner.endswith(last)):
        return None
    parts = inner[len(first) : -len(last)].split(between % boundary)
    return parts if content.count(boundary) == len(parts) + 1 else None


def fields_of(media: Media, content: bytes) -> Fields | Undecodable:
    """Read the fields of a form (RFC 7578). `media` is what its Content-Type says."""
    boundary = media.param("boundary")
    parts = parts_of(content, boundary.encode("ascii")) if _BOUNDARY.fullmatch(boundary) else None
    if parts is None:
        return Undecodable(_NOT_ONE)
    found: list[tuple[str, str | None]] = []
    for part in parts:
        field = _field(part)
        if isinstance(field, Undecodable):
            return field
        found.append(field)
    return tuple(found)


def _field(part: bytes) -> tuple[str, str | None] | Undecodable:
    head, gap, content = part.partition(b"\r\n\r\n")
    said = _headers(head) if gap and len(head) <= _LONGEST_HEAD else None
    named = _named(said.get("content-disposition", "")) if said is not None else None
    if said is None or named is None or not _is_plain(said, content):
        return Undecodable(_ODD_PART)
    name, is_file = named
    kind = read_media(said.get("content-type", "text/plain"))
    if kind is None or kind.kind.startswith("multipart/") or not (is_file or kind.is_utf8):
        return Undecodable(_ODD_PART)
    if is_file:
        return name, None
    try:
        return name, content.decode("utf-8")
    except UnicodeDecodeError:
        return Undecodable(_NOT_TEXT)


def _headers(head: bytes) -> dict[str, str] | None:
    """Each of those that are known, once."""
    said: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        found = _LINE.fullmatch(line)
        name = found[1].decode("ascii").lower() if found is not None else ""
        if found is None or name not in _ALLOWED or name in said:
            return None
        try:
            said[name] = found[2].decode("utf-8").rstrip(" \t")
        except UnicodeDecodeError:
            return None
    return said


def _is_plain(said: dict[str, str], content: bytes) -> bool:
    """Whether its bytes are what it holds, not encoded once more."""
    if said.get("content-length", str(len(content))) != str(len(content)):
        return False
    return said.get("content-transfer-encoding", "binary").lower() in _PLAIN


def _named(disposition: str) -> tuple[str, bool] | None:
    """A field's name, and whether it is a file. A `filename*` says no more than that it is."""
    found = _DISPOSITION.fullmatch(disposition)
    if found is None:
        return None
    params = [(name.lower(), quoted or token) for name, quoted, token in _PARAM.findall(found[1])]
    names = [name for name, _ in params]
    if len(set(names)) != len(names) or names.count("name") != 1 or not {*names} <= {"name", "filename", "filename*"}:
        return None
    name = dict(params)["name"]
    return None if name.lower() == "_charset_" else (name, len(names) > 1)
