"""The switch, as values: who is halted, whether that covers an agent, and the form in which it is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from outgate.digest import canonical
from outgate.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from outgate.digest import Json
    from outgate.intake.agents import Agent

VERSION = 1
MOST_NAME = 200
MOST_WHY = 1000
MOST_BYTES = 1 << 20
"""Of all halts, as they are kept."""
_KEYS = frozenset({"scope", "name", "why", "by", "at"})


class Scope(StrEnum):
    """What a halt is for."""

    AGENT = "agent"
    TEAM = "team"
    SERVICE = "service"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """One halt. `name` is empty where it is for all; `by` is who threw the switch, as this machine knows them."""

    scope: Scope
    name: str = ""
    why: str = ""
    by: str = ""
    at: datetime | None = None

    def covers(self, agent: Agent, services: Collection[str]) -> bool:
        """Whether a request of this agent to these services is halted."""
        match self.scope:
            case Scope.ALL:
                return True
            case Scope.AGENT:
                return self.name == agent.id
            case Scope.TEAM:
                return self.name == agent.team
            case Scope.SERVICE:
                return self.name in services

    @property
    def of(self) -> tuple[Scope, str]:
        """What is halted by it: there is one halt for each."""
        return self.scope, self.name

    def __str__(self) -> str:
        return "all" if self.scope is Scope.ALL else f"{self.scope.value} {self.name}"


@dataclass(frozen=True, slots=True)
class Halts:
    """Everything that is halted now."""

    halts: tuple[Halt, ...] = ()

    def covering(self, agent: Agent, services: Collection[str] = ()) -> Halt | None:
        """The halt that stops this, if there is one."""
        return next((halt for halt in self.halts if halt.covers(agent, services)), None)

    def has(self, scope: Scope, name: str) -> Halt | None:
        """The halt for exactly this."""
        return next((halt for halt in self.halts if halt.of == (scope, name)), None)

    def adding(self, halt: Halt) -> Halts:
        """With one more; what is halted already stays as it was."""
        return self if self.has(*halt.of) else Halts((*self.halts, halt))

    def without(self, scope: Scope, name: str) -> Halts:
        """Without the halt for exactly this; another one may still cover the same agent."""
        return Halts(tuple(halt for halt in self.halts if halt.of != (scope, name)))

    def beyond(self, other: Halts) -> Halts:
        """What is halted here and is not there."""
        known = {halt.of for halt in other.halts}
        return Halts(tuple(halt for halt in self.halts if halt.of not in known))


def written(halts: Halts) -> bytes:
    """The form that is kept: canonical JSON (RFC 8785) on one line."""
    return canonical({"v": VERSION, "halts": [_said(halt) for halt in halts.halts]}) + b"\n"


def read(data: bytes) -> Halts:
    """Read that form, or the same as people may write it. Raises EvidenceError: what can't be told apart is not passed over."""
    if len(data) > MOST_BYTES:
        raise EvidenceError(f"larger than {MOST_BYTES} bytes")
    try:
        said = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"not JSON: {error}") from error
    match said:
        case {"v": int(version), "halts": list(halts)} if version == VERSION and version is not True and len(said) == 2:
            return _distinct([_halt(at, one) for at, one in enumerate(halts)])
        case _:
            raise EvidenceError(f'not of the form {{"halts": […], "v": {VERSION}}}')


def _said(halt: Halt) -> dict[str, Json]:
    at = halt.at.astimezone(UTC).isoformat().replace("+00:00", "Z") if halt.at else None
    return {"scope": halt.scope.value, "name": halt.name, "why": halt.why, "by": halt.by, "at": at}


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a key is there twice")
    return keys


def _halt(at: int, said: object) -> Halt:
    if not isinstance(said, dict) or not {"scope"} <= said.keys() <= _KEYS:
        raise EvidenceError(f"halt {at + 1} has other keys than {', '.join(sorted(_KEYS))}")
    texts = {key: said.get(key, "") for key in ("scope", "name", "why", "by")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise EvidenceError(f"halt {at + 1} has something in it that is no text")
    if texts["scope"] not in set(Scope):
        raise EvidenceError(f"halt {at + 1} is for none of {', '.join(Scope)}")
    scope = Scope(texts["scope"])
    if (scope is Scope.ALL) == bool(texts["name"]):
        raise EvidenceError(f"halt {at + 1} needs a name, or is for all and has none")
    return Halt(scope=scope, name=texts["name"], why=texts["why"], by=texts["by"], at=_moment(at, said.get("at")))


def _moment(at: int, said: object) -> datetime | None:
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise EvidenceError(f"halt {at + 1} has no time like 2026-01-31T08:00:00Z")
    return moment.astimezone(UTC)


def _distinct(halts: Sequence[Halt]) -> Halts:
    if len({halt.of for halt in halts}) != len(halts):
        raise EvidenceError("something is halted twice")
    return Halts(tuple(halts))
