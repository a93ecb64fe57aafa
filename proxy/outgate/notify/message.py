"""Message: what people are told of an approval; nothing in it drives a screen, no credential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.approvals.approval import APPROVAL_ID
from outgate.inspect.mask import text

if TYPE_CHECKING:
    from outgate.digest import Json

MOST_ACTIONS = 10
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One approval that waits. `further`: so many before it that nobody was told of."""

    approval: str
    agent: str
    actions: tuple[str, ...]
    tier: int
    rules: tuple[str, ...]
    asks: tuple[str, ...]
    """Whom, in words: `2 of alice, bob, carol`."""
    expires: str
    status: str = "pending"
    further: int = 0

    @property
    def fields(self) -> dict[str, Json]:
        """For programs."""
        return {
            "type": "approval-asked",
            "approval": self.approval,
            "status": self.status,
            "agent": self.agent,
            "actions": list(self.actions),
            "tier": f"T{self.tier}",
            "rules": list(self.rules),
            "asks": list(self.asks),
            "expires": self.expires,
            "further": self.further,
        }

    @property
    def text(self) -> str:
        """For people, a few lines."""
        more = [f"and {self.further} before it that you were not told of: outgate approvals"] if self.further else []
        asks = [f"asks {who}" for who in self.asks]
        return "\n".join([*self.actions, *asks, f"until {self.expires}", f"outgate approve {self.approval}", *more])


def message_of(agent: str, about: Mapping[str, Json]) -> Message | None:
    """Read an `approval-asked` event. None where it is not one that people could answer."""
    approval, tier = about.get("approval"), about.get("tier")
    if not isinstance(approval, str) or not APPROVAL_ID.fullmatch(approval):
        return None
    return Message(
        approval=approval,
        agent=_line(agent),
        actions=_lines(about.get("actions")),
        tier=tier if isinstance(tier, int) else 3,
        rules=_lines(about.get("rules")),
        asks=tuple(_asks(about.get("panels"))),
        expires=_line(about.get("expires")),
    )


def _asks(panels: Json) -> list[str]:
    found = [panel for panel in _list(panels) if isinstance(panel, Mapping)]
    return [_line(f"{panel.get('need')} of {', '.join(_lines(panel.get('of')))}") for panel in found[:MOST_ACTIONS]]


def _lines(said: Json) -> tuple[str, ...]:
    given = _list(said)
    shown = tuple(_line(one) for one in given[:MOST_ACTIONS])
    return (*shown, f"and {len(given) - MOST_ACTIONS} more") if len(given) > MOST_ACTIONS else shown


def _list(said: Json) -> Sequence[Json]:
    return said if isinstance(said, Sequence) and not isinstance(said, str) else ()


def _line(said: Json) -> str:
    return text(said, _LONGEST) if isinstance(said, str) else ""
