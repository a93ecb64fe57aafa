"""Paths as a lenient server may see them, and parts of them as people read them."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_ODD = re.compile(r"%(?!2[fF])|//|;|/$")
_ESCAPED_PLAIN = re.compile(r"%(?:25)*(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
"""However often it is escaped: some servers undo escapes twice."""
_SLASHES = re.compile(r"/{2,}")
_MATRIX = re.compile(r";[^/]*")


def plainest(path: str) -> str:
    """Give the path that the most lenient server would see.

    Letters, digits and `-._~` unescaped, slashes run together, `;…` and a slash at the end dropped. Mostly it is `path` itself.
    """
    if not _ODD.search(path):
        return path
    return _lenient(path).rstrip("/") or "/"


def is_ambiguous(path: str) -> bool:
    """Whether servers may take it for different paths. A slash at its end alone makes none: it is part of many a name."""
    return _ODD.search(path) is not None and _lenient(path) != path


def readable(raw: str) -> str:
    """Undo the escapes of a part of a path where that gives printable text; else leave it as it is sent."""
    if "%" not in raw:
        return raw
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return raw
    return text if text.isprintable() else raw


def spellings(text: str) -> tuple[str, str, str, str]:
    """Give a path or a part of a URL as servers may take it: as sent, for people, and as lenient ones take each of the two."""
    if "%" not in text and ";" not in text and "//" not in text:
        return text, text, text, text
    shown = readable(text)
    return text, shown, _lenient(text), _lenient(shown)


def readings(resource: str) -> frozenset[str]:
    """Give every text that a server may take a part of a URL for, itself among them: most often it is the only one."""
    return frozenset(spellings(resource))


def plain(resource: str) -> str:
    """Give the one of its readings that all of its spellings share: what a limit counts by."""
    return _lenient(readable(resource))


def _lenient(text: str) -> str:
    return _SLASHES.sub("/", _MATRIX.sub("", _ESCAPED_PLAIN.sub(lambda match: chr(int(match[1], 16)), text)))
