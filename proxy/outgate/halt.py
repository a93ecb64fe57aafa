"""The switch, as values: who is halted, and whether that covers an agent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from outgate.intake.agents import Agent


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

    def __str__(self) -> str:
        return "all" if self.scope is Scope.ALL else f"{self.scope.value} {self.name}"


@dataclass(frozen=True, slots=True)
class Halts:
    """Everything that is halted now."""

    halts: tuple[Halt, ...] = ()

    def covering(self, agent: Agent, services: Collection[str] = ()) -> Halt | None:
        """The halt that stops this, if there is one."""
        return next((halt for halt in self.halts if halt.covers(agent, services)), None)
