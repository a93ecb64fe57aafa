"""Facts: everything but the actions that a decision may depend on, gathered before deciding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from outgate.intake.agents import Agent
    from outgate.intake.message import Message
    from outgate.intake.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an upstream answered, where a rule decides on that. None of a thing: it can't be told, and reading it is an error."""

    status: int
    rows: int | None = None
    """Things in the list that came back."""
    data: frozenset[str] | None = None
    size: int | None = None
    """Bytes of the body, decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What is the operator's own, as the settings say of a destination. None: nobody said, and reading it is an error.

    `owned` are instances, with `*` for any text: `bucket:acme-*`. `credential` is `ours`, `foreign` or `none`.
    """

    owned: tuple[str, ...] | None = None
    credential: str | None = None


UNSAID = Estate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`now` is aware. `agent.since` may be None: then a rule that reads `agent.age` errs, and its error restricts.

    `unread`: the body was wanted and is not there, or not all of it. `data` is missing then, and so is what the action does
    not already say (`params`, `resource`): reading what is missing is an error. `unsteady`: the clock stepped, and what
    depends on the time of day or on ages can't be told. `answered` is there where an answer is decided on, `message` where one
    of a conversation is.
    """

    now: datetime
    agent: Agent
    request: Request
    unread: bool = False
    unsteady: bool = False
    answered: Answered | None = None
    message: Message | None = None
    estate: Estate = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What deciding will ask for, known from the policy alone: gather these and no others."""

    agent_since: bool
    data: bool
    """Some rule reads which data goes out: the body must be whole, or be messages that are decided one by one."""
    estate: bool = False
    """Some rule asks whose a thing or a credential is."""
    permits_by_data: bool = False
    """And one that permits does: what it lets out must be whole, for nothing that is said later takes a permission back."""
