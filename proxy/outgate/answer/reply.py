"""Reply: what a client gets from us instead of the upstream's answer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole HTTP response. Header names are as they go on the wire; no Content-Length (the plane adds it)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)


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
