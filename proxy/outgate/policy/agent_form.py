"""What an operator says of an agent: which keys there are, and what they come to."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from outgate.policy.shapes import Many, Named, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.policy.shapes import Shape

_DATE_FORM: Final = "a date like 2026-01-31, or a time with its offset like 2026-01-31T08:00:00Z"
_text = Text("a name", r"[^\x00-\x1f]{1,200}", "text on one line")

AGENT_KEYS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "team": _text,
        "owner": _text,
        "permissions": Many(_text),
        "labels": Named("labels", _text, r"[A-Za-z][A-Za-z0-9_./-]{0,62}"),
        "since": Text("'since'", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T.+)?", _DATE_FORM),
    }
)


def facts_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Give what stands under these keys, but for `since`, as an Agent takes it."""
    permissions = said.get("permissions", [])
    return {
        "team": said.get("team", ""),
        "owner": said.get("owner", ""),
        "permissions": frozenset(permissions if isinstance(permissions, list) else [permissions]),
        "labels": MappingProxyType(dict(said.get("labels", {}))),
    }


def moment(text: str) -> datetime:
    """Read when an agent was first seen; a bare date begins in UTC. Raises ValueError with a sentence."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"Write {_DATE_FORM}.") from error
    if "T" not in text:
        return found.replace(tzinfo=UTC)
    if found.tzinfo is None:
        raise ValueError(f"Write {_DATE_FORM}.")
    return found.astimezone(UTC)
