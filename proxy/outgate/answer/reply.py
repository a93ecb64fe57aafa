"""Reply: what a client gets from us instead of the upstream's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole HTTP response. Header names are as they go on the wire; no Content-Length (the plane adds it).

    `reason` is the reason phrase of an HTTP/1.1 status line, printable ASCII; where it is empty, the standard one.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """One limit as a client is told of it: `quota` in `window` seconds, `left` now, and `reset` seconds until there is more."""

    name: str
    quota: int
    window: int
    left: int
    reset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An approval that this request waits for: its id, where its state can be read in-band, and until when (RFC 3339)."""

    id: str
    status_url: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What there is to say to the agent. Nothing internal: no rule text, no paths, no stack."""

    status: int
    answer: str
    """allow, throttle, escalate, sandbox, block."""
    kind: str
    """The last part of the problem type: `blocked`, `approval-required`, `unreadable`, `authority`, …"""
    tell: str
    receipt: str
    """The receipt's id, so that a person can find it."""
    actions: tuple[str, ...] = ()
    """Names with their resource, as the agent would say them."""
    retry_after: timedelta | None = None
    """When trying the same again makes sense; said of throttle and escalate only."""
    limits: tuple[LimitState, ...] = ()
    """Those that the request is over."""
    approval: Asked | None = None
