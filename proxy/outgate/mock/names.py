"""What a template may ask for: of the request, of what is kept, and made for this one answer."""

from __future__ import annotations

import base64
import hashlib
from array import array
from dataclasses import dataclass, field
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from outgate.mock.template import ABSENT, Absent, inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.intake.bodies import JsonValue
    from outgate.mock.exchange import Asked
    from outgate.mock.template import Name

ROOTS = {
    "path": "path.NAME, a variable of the route",
    "query": "query.NAME",
    "body": "body, or body.FIELD of JSON or a form",
    "header": "header.NAME",
    "asked": "asked.method, .path, .target, .origin, .host, .agent, .service",
    "now": "now.unix, .iso, .http",
    "new": "new.text.N, .hex.N, .digits.N, .uuid, .number: the same all over one answer",
    "vector": "vector.N, as many numbers",
    "packed": "packed.N, as many numbers, 32 bits each, in base64",
    "item": "item, or item.FIELD: what is read, created, updated or deleted",
    "page": "page.items, .more, .next, .total, .count, .last",
    "each": "each.value, each.index, under $as",
    "lacks": "lacks, the field that is missing",
    "word": "word.tokens, how many words the request has; word.tokens.12, and so many more",
}
_MADE = frozenset({"text", "hex", "digits", "uuid", "number"})
_ASKED = frozenset({"method", "path", "target", "origin", "host", "agent", "service"})
_NOW = frozenset({"unix", "iso", "http"})
_PAGE = frozenset({"items", "more", "next", "total", "count", "last"})
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONGEST = 64
_MOST_NUMBERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Looks names up for one answer. What is made anew depends on `serial` alone: how many answers the agent has had."""

    asked: Asked
    captures: Mapping[str, str]
    serial: int
    number: int = 0
    more: Mapping[str, JsonValue] = field(default_factory=dict)

    def look(self, name: Name) -> JsonValue | Absent:  # noqa: C901, PLR0911  # one case a root
        root, rest = name[0], name[1:]
        match root:
            case "path":
                return self.captures.get(".".join(rest), ABSENT)
            case "query":
                return inside(dict(self.asked.asked_for), rest)
            case "body":
                said = self.asked.said
                return ABSENT if said is None else inside(said, rest)
            case "header":
                return self.asked.header(".".join(rest)) or ABSENT
            case "asked":
                return self._asked(rest[0])
            case "now":
                return self._now(rest[0])
            case "new":
                return self.made(rest[0], int(rest[1]) if len(rest) > 1 else 0)
            case "vector":
                return list(_vector(self.asked.content, int(rest[0])))
            case "packed":
                return base64.b64encode(array("f", _vector(self.asked.content, int(rest[0]))).tobytes()).decode()
            case "word":
                return max(1, len(self.asked.content.split())) + (int(rest[1]) if len(rest) > 1 else 0)
            case _:
                return inside(dict(self.more), name)

    def _asked(self, what: str) -> JsonValue:
        asked = self.asked
        match what:
            case "target":
                return f"{asked.path}?{asked.query}" if asked.query else asked.path
            case _:
                return str(getattr(asked, what))

    def _now(self, what: str) -> JsonValue:
        now = self.asked.now
        match what:
            case "unix":
                return int(now.timestamp())
            case "http":
                return format_datetime(now, usegmt=True)
            case _:
                return now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def made(self, what: str, length: int = 0) -> str | int:
        """Something new, the same all over one answer."""
        match what:
            case "hex":
                return self._digest().hex()[: length or 32]
            case "digits":
                return str(int.from_bytes(self._digest()) | 1 << 255)[: length or 18]
            case "uuid":
                return uuid(self._digest())
            case "number":
                return self.number or self.serial + 1
            case _:
                return in_letters(self._digest())[: length or 24]

    def _digest(self) -> bytes:
        asked = self.asked
        return hashlib.sha512(f"{asked.agent}\0{asked.service}\0{asked.origin}\0{self.serial}".encode()).digest()


@lru_cache(maxsize=4)  # of one request it is asked once for each of its inputs
def _vector(content: bytes, length: int) -> tuple[float, ...]:
    drawn = hashlib.shake_128(content).digest(length)
    return tuple(round((byte - 127.5) / (74 * length**0.5), 4) for byte in drawn)


def uuid(digest: bytes) -> str:
    """A version 8 UUID (RFC 9562): made, not drawn."""
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def in_letters(digest: bytes) -> str:
    """Letters and digits, as many as there are bytes."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


def fault(name: Name, captures: frozenset[str], more: frozenset[str]) -> str:  # noqa: PLR0911  # one case a root
    """Why nothing can stand under a name here; empty where something can. `more` are the roots that this place has besides."""
    root, rest = name[0], name[1:]
    if root not in ROOTS or (root in {"item", "page", "each", "lacks"} and root not in more):
        return f"nothing is called '{'.'.join(name)}' here, use one of {', '.join(r for r in ROOTS if r in more or r in _ALWAYS)}"
    match root:
        case "path":
            known = ".".join(rest) in captures
            return (
                ""
                if known
                else f"'{'.'.join(name)}' is no variable of the route, there are {', '.join(sorted(captures)) or 'none'}"
            )
        case "asked":
            return _of(name, _ASKED)
        case "now":
            return _of(name, _NOW)
        case "page":
            return _of(name[:2], _PAGE)
        case "new":
            return _of(name[:2], _MADE) or _length(name[2:], _LONGEST)
        case "vector" | "packed":
            return _length(rest, _MOST_NUMBERS) if rest else f"say how many numbers, as in {root}.1536"
        case "word":
            return _of(name[:2], frozenset({"tokens"})) or _length(name[2:], _MOST_NUMBERS)
        case "header":
            return "" if rest else "say which header, as in header.accept"
        case _:
            return ""


_ALWAYS = frozenset(ROOTS) - {"item", "page", "each", "lacks"}


def _of(name: Name, known: frozenset[str]) -> str:
    return "" if len(name) == 2 and name[1] in known else f"'{'.'.join(name)}' is none of {name[0]}.{', .'.join(sorted(known))}"


def _length(rest: Name, most: int) -> str:
    sound = not rest or (len(rest) == 1 and rest[0].isdecimal() and 0 < int(rest[0][:6]) <= most)
    return "" if sound else f"'{'.'.join(rest)}' is no length from 1 to {most}"
