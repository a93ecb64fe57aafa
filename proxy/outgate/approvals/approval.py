"""Approval: a paused request, who may let it pass, and what they said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

APPROVAL_ID = re.compile(r"[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}")
"""60 random bits in RFC 4648's base32 alphabet, small letters: what people type, and what nobody guesses."""


class State(StrEnum):
    """Where an approval stands. Timeout is not denial."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    USED = "used"


TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PENDING: frozenset({State.GRANTED, State.DENIED, State.EXPIRED}),
        State.GRANTED: frozenset({State.USED, State.DENIED, State.EXPIRED}),
        State.USED: frozenset({State.GRANTED}),  # what was let out and never left, gives its grant back
        State.DENIED: frozenset(),
        State.EXPIRED: frozenset(),
    }
)
"""What may become of each. Everything else is a defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Who must sign for one route: `need` different people of `of` (names, `group:` and a group's name, `*` for everybody).

    `owner`: whether the agent's own owner counts. `rules` are those that asked for it.
    """

    name: str
    need: int
    of: tuple[str, ...]
    within: timedelta
    owner: bool = False
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person said. `signature` is over the statement with this word in it; `at` is when we received it."""

    person: str
    deny: bool = False
    why: str = ""
    key: str
    """The key's fingerprint, `SHA256:…`."""
    signature: str = field(repr=False)
    """An armored SSH signature (PROTOCOL.sshsig)."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One exact request that waits for people. Every panel must be satisfied; one denial ends it.

    `request` is its request_digest; `statement` the canonical JSON that people sign; `used` when its grant was used up.
    """

    id: str
    request: str
    agent: str
    owner: str = ""
    panels: tuple[Panel, ...]
    statement: bytes = field(repr=False)
    asked: datetime
    expires: datetime
    votes: tuple[Vote, ...] = ()
    used: datetime | None = None

    @property
    def rules(self) -> frozenset[str]:
        """The rules whose escalation a grant discharges, and no others."""
        return frozenset(rule for panel in self.panels for rule in panel.rules)
