"""The words of a refusal, made safe to send: bounded, on one line, printable."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.answer.reply import Asked, LimitState, Refusal

_SENTENCE = 1000
_ACTION = 200
_ACTIONS = 20
_LIMITS = 8
_PHRASE = 240
_SOON = 60
_MOST = 999_999_999_999_999
"""The largest integer that a header's structured field may have (RFC 9651, section 3.3.1)."""
_NOT_A_TOKEN = re.compile(r"[^A-Za-z0-9._:-]")


def safe(refusal: Refusal) -> Refusal:
    """The same refusal, fit for every form: some of its text was in the request, so an agent chose it."""
    said = replace(
        refusal,
        answer=_token(refusal.answer),
        kind=_token(refusal.kind),
        tell=line(refusal.tell, _SENTENCE) or "The request was refused.",
        receipt=_token(refusal.receipt),
        actions=tuple(line(action, _ACTION) for action in refusal.actions[:_ACTIONS]),
        limits=tuple(map(_limit, refusal.limits[:_LIMITS])),
        approval=_asked(refusal.approval) if refusal.approval and _waits(refusal) else None,
    )
    return replace(said, tell=f"{said.tell} {more}") if (more := _what_next(said)) else said


def _waits(refusal: Refusal) -> bool:
    """Whether people may still say yes to it."""
    return refusal.answer == "escalate" and refusal.kind != "approval-denied"


def seconds(refusal: Refusal) -> int | None:
    """When to come back, for those who may."""
    if refusal.retry_after is None or refusal.answer not in {"throttle", "escalate"}:
        return None
    return min(max(1, math.ceil(refusal.retry_after.total_seconds())), _MOST)


def retry_soon(refusal: Refusal) -> bool:
    """Whether a client may try again by itself. No client waits more than a minute: it would try in vain, several times."""
    after = seconds(refusal)
    return refusal.answer == "throttle" and after is not None and after <= _SOON


def line(text: str, limit: int) -> str:
    """One printable line: no control or format characters (they restyle terminals and reorder text), `…` where cut."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def phrase(refusal: Refusal) -> str:
    """A reason phrase (RFC 9112, section 4): ASCII, since clients disagree on the rest, and short.

    It is the one part of a response that requests, httpx, aiohttp, urllib and pip put into the exception's text: an approval's
    address stands at its end, however long the sentence is.
    """
    end = f" Approval: {refusal.approval.status_url}" if refusal.approval else ""
    plain = "".join(c for c in unicodedata.normalize("NFKD", refusal.tell) if not unicodedata.combining(c))
    room = _PHRASE - len(end) - 3
    return line(plain.encode("ascii", "replace").decode("ascii"), room).replace("…", "...") + end


def _what_next(said: Refusal) -> str:
    """The sentence that follows from what it is, whatever the rule's own sentence says."""
    if said.approval is not None:
        return (
            f"Approval {said.approval.id} waits for people until {said.approval.expires}: {said.approval.status_url} says where "
            "it stands. Once it is granted, send the identical request again. Silence is no denial."
        )
    after = seconds(said)
    return f"Try again in {after} s." if after is not None and said.answer == "throttle" else ""


def _limit(limit: LimitState) -> LimitState:
    quota, window, left, reset = (min(max(0, n), _MOST) for n in (limit.quota, limit.window, limit.left, limit.reset))
    return replace(limit, name=_token(limit.name) or "limit", quota=quota, window=max(1, window), left=left, reset=reset)


def _asked(approval: Asked) -> Asked:
    return replace(approval, id=_token(approval.id), status_url=_address(approval.status_url), expires=_token(approval.expires))


def _address(url: str) -> str:
    return "".join(c for c in url[:300] if c.isascii() and c.isprintable() and c not in ' "<>\\')


def _token(text: str) -> str:
    return _NOT_A_TOKEN.sub("", text)[:100]
