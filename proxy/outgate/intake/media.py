"""Media types, as Content-Type says them: in the one reading that they have, or in none (RFC 9110, section 8.3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_KIND: Final = re.compile(rf"[ \t]*({_WORD}/{_WORD})")
_PARAM: Final = re.compile(rf'[ \t]*;[ \t]*(?:({_WORD})=(?:({_WORD})|"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*)"))?')
_ESCAPE: Final = re.compile(r"\\(.)")
_LONGEST: Final = 1024
_UTF8: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_LIKE_ASCII: Final = re.compile(r"iso-8859-(?:[1-9]|1[013-6])|latin-?[1-9]|windows-125[0-8]|koi8-[ru]|")
"""Every byte below 128 is ASCII's, and stands for nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """`kind` is lower case; so are the names in `params`, of which none is there twice."""

    kind: str
    params: tuple[tuple[str, str], ...] = ()

    def param(self, name: str) -> str:
        """The value of a parameter; empty where it is not there."""
        return next((value for key, value in self.params if key == name), "")

    @property
    def is_utf8(self) -> bool:
        """Whether its text is UTF-8, as far as it says."""
        return self.param("charset").lower() in _UTF8

    @property
    def is_like_ascii(self) -> bool:
        """Whether what is ASCII in it is ASCII."""
        charset = self.param("charset").lower()
        return charset in _UTF8 or _LIKE_ASCII.fullmatch(charset) is not None


def media_of(headers: Iterable[tuple[str, str]]) -> Media | None:
    """Read the one Content-Type of a message. None where there is none, or more than one, or one that can't be read."""
    said = [value for name, value in headers if name == "content-type"]
    return read_media(said[0]) if len(said) == 1 and len(said[0]) <= _LONGEST else None


@lru_cache(maxsize=256)  # a few are said again and again
def read_media(text: str) -> Media | None:
    """Read one. A parameter that is there twice is read by one server in this way and by another in that: none."""
    found = _KIND.match(text)
    if found is None:
        return None
    at, params = found.end(), dict[str, str]()
    while at < len(text) and (param := _PARAM.match(text, at)) is not None:
        at = param.end()
        if param[1] is None:
            continue
        name = param[1].lower()
        if name in params:
            return None
        params[name] = param[2] if param[2] is not None else _ESCAPE.sub(r"\1", param[3])
    if text[at:].strip(" \t"):
        return None
    return Media(kind=found[1].lower(), params=tuple(params.items()))
