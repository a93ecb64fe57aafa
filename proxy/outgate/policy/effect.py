"""Effect, mode and phase: what a rule may ask for, how much of it counts, and when it is asked."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Effect(IntEnum):
    """From the least to the most restrictive; the strictest wins. An answer is one of these too."""

    ALLOW = 0
    THROTTLE = 1
    ESCALATE = 2
    SANDBOX = 3
    BLOCK = 4

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def restricts(self) -> bool:
        """Anything but allow."""
        return self is not Effect.ALLOW


class Mode(IntEnum):
    """How much a rule, a file or a gate may do. Each is a ceiling for what is inside it."""

    DISABLED = 0
    OBSERVE = 1
    ENFORCE = 2

    def __str__(self) -> str:
        return self.name.lower()


class Phase(StrEnum):
    """When a rule is asked: before the request leaves; of the answer, when it has happened; of each message of a stream."""

    REQUEST = "request"
    RESPONSE = "response"
    STREAM = "stream"


EFFECTS: Mapping[str, Effect] = MappingProxyType({str(effect): effect for effect in Effect})
MODES: Mapping[str, Mode] = MappingProxyType({str(mode): mode for mode in Mode})
"""By the words that operators use."""
