"""Who asks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

AGENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
"""ASCII only, compared byte for byte: no two ids look alike and differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who asks, from what the operator configured or the channel proved; never from what the request says.

    `since` is when it was first seen, unless the operator gave it. `observe`: nothing is enforced on it but what always is.
    """

    id: str
    team: str = ""
    owner: str = ""
    permissions: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    since: datetime | None = None
    observe: bool = False

    def __post_init__(self) -> None:
        if not AGENT_ID.fullmatch(self.id):
            raise ValueError(f"agent id {self.id!r}: use 1 to 64 letters, digits, '.', '_', '@', '-'")
