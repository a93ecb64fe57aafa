"""Decision: the answer, what made it, and a sentence that the agent may read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from outgate.policy.effect import Effect, Mode

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.policy.limits import Charge


class Reason(StrEnum):
    """What kind of thing the answer comes from."""

    POLICY = "policy"
    UNREADABLE = "unreadable"
    DESTINATION = "destination"
    UPSTREAM = "upstream"
    AGENT = "agent"
    HALTED = "halted"
    CANNOT_DECIDE = "cannot-decide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule that matched one action. `rule` is its id; `otherwise` where no rule but the default spoke.

    `error` is the code of what went wrong in its condition: then it matched because of that. `to` names the approvers that it
    asks; empty where it asks nobody in particular.
    """

    rule: str
    effect: Effect
    mode: Mode
    error: str = ""
    tell: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What policy says of one action: `answer` from what is enforced, `would` from everything not disabled."""

    action: Action
    answer: Effect
    would: Effect
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is done with a request: the strictest of its verdicts.

    `tell` is for the agent: it never names internals. `why` is for the operator. `charges` are the limits that apply if
    something may leave: nothing is taken of them yet. `approval` is the one whose grant discharged what would escalate.
    """

    answer: Effect
    would: Effect
    reason: Reason
    tell: str
    why: str = ""
    verdicts: tuple[Verdict, ...] = ()
    charges: tuple[Charge, ...] = ()
    approval: str = ""

    @property
    def lets_out(self) -> bool:
        """Whether the real upstream may be contacted."""
        return self.answer is Effect.ALLOW


def refusal(reason: Reason, tell: str, *, why: str = "", verdicts: tuple[Verdict, ...] = ()) -> Decision:
    """Refuse whatever the policy says: what is always enforced, and what could not be decided."""
    return Decision(answer=Effect.BLOCK, would=Effect.BLOCK, reason=reason, tell=tell, why=why, verdicts=verdicts)
