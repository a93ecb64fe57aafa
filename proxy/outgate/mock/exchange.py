"""One request as a mock gets it, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from outgate.intake.bodies import Undecodable, decode, form, strict_json
from outgate.mock.nested import nested

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from outgate.intake.bodies import JsonValue

JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked of the mock of a service, by an agent. `origin` is where it was meant to go: `https://api.stripe.com`.

    `path` and `query` are raw; `headers` have lower-case names. `body` is as sent, codings not undone.
    """

    service: str
    agent: str
    origin: str
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    now: datetime

    def header(self, name: str) -> str:
        """The first of this name; empty where there is none."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def host(self) -> str:
        return self.origin.partition("://")[2]

    @cached_property
    def content(self) -> bytes:
        """The body with its coding undone; empty where that can't be done."""
        plain = decode(self.body, self.header("content-encoding") or None)
        return b"" if isinstance(plain, Undecodable) else plain

    @cached_property
    def said(self) -> JsonValue:
        """What the body says: JSON, or a form with its brackets undone; None where it is neither."""
        kind = self.header("content-type").partition(";")[0].strip().lower()
        if kind == _FORM:
            return _pairs(self.content.decode("utf-8", "replace"))
        read = strict_json(self.content) if self.content[:1] not in {b"", b"<"} else None
        return None if isinstance(read, Undecodable) else read

    @cached_property
    def asked_for(self) -> Mapping[str, JsonValue]:
        """The query, its brackets undone."""
        return _pairs(self.query)


def _pairs(text: str) -> dict[str, JsonValue]:
    pairs = form(text)
    if isinstance(pairs, Undecodable):  # a sandbox is lenient where nothing depends on it
        pairs = tuple((unquote_plus(n), unquote_plus(v)) for n, _, v in (pair.partition("=") for pair in text.split("&") if pair))
    return nested(pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a mock answers. More than one piece is a stream: each is sent by itself."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def kind(self) -> str:
        """Its Content-Type."""
        return next((value for name, value in self.headers if name == "content-type"), "")


def in_json(value: JsonValue, status: int = 200, headers: tuple[tuple[str, str], ...] = (), kind: str = JSON) -> Answer:
    """Answer with JSON."""
    return Answer(
        status=status,
        headers=(("content-type", kind), *headers),
        pieces=(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),),
    )


def in_text(text: str, status: int, kind: str = "text/plain; charset=utf-8") -> Answer:
    """Answer with text."""
    return Answer(status=status, headers=(("content-type", kind),), pieces=(text.encode("utf-8", "replace"),))
