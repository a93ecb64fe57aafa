"""Receipt: what is written down of a decision, an outcome, or another event that matters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What became of a request that was let out."""

    EXECUTED = "executed"
    """The upstream answered, whatever it said."""
    MOCKED = "mocked"
    REFUSED = "refused"
    """Stopped after the decision, before the first byte left: no connection, a certificate that does not verify."""
    WITHHELD = "withheld"
    ABANDONED = "abandoned"
    """The client left before anything was sent."""
    UNKNOWN = "unknown"
    """Bytes left and no whole answer came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`sent` and `received` count body bytes; `body` is the SHA-256 of the request body as sent, empty if there was none."""

    result: Result
    status: int | None = None
    sent: int = 0
    received: int = 0
    body: str = ""
    error: str = ""
