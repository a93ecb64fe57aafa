"""The words of a refusal, made safe to send: bounded, on one line, printable."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal

_SENTENCE = 1000
_ACTION = 200
_ACTIONS = 20
_PHRASE = 240
_NOT_A_TOKEN = re.compile(r"[^A-Za-z0-9._:-]")


def safe(refusal: Refusal) -> Refusal:
    """The same refusal, fit for every form: some of its text was in the request, so an agent chose it."""
    return replace(
        refusal,
        answer=_token(refusal.answer),
        kind=_token(refusal.kind),
        tell=line(refusal.tell, _SENTENCE) or "The request was refused.",
        receipt=_token(refusal.receipt),
        actions=tuple(line(action, _ACTION) for action in refusal.actions[:_ACTIONS]),
    )


def line(text: str, limit: int) -> str:
    """One printable line: no control or format characters (they restyle terminals and reorder text), `…` where cut."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def phrase(text: str) -> str:
    """A reason phrase (RFC 9112, section 4): ASCII, since clients disagree on the rest, and short.

    It is the one part of a response that requests, httpx, aiohttp, urllib and pip put into the exception's text.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return line(plain.encode("ascii", "replace").decode("ascii"), _PHRASE).replace("…", "...")


def _token(text: str) -> str:
    return _NOT_A_TOKEN.sub("", text)[:100]
