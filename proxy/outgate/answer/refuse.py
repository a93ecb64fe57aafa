"""Refuse: what is said of a decision that does not let a request out, whichever protocol it will be said in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.answer.reply import Refusal
from outgate.intake.request import Unreadable
from outgate.policy.decision import Reason
from outgate.policy.effect import Effect

if TYPE_CHECKING:
    from datetime import timedelta

    from outgate.answer.reply import Asked, LimitState
    from outgate.intake.request import Request
    from outgate.policy.decision import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else there is to say. `unsupported`: its body has a coding or a charset that is not read here.

    `denied`: a person said no; `withheld`: it happened, and its answer is kept back.
    """

    receipt: str = ""
    too_large: bool = False
    unsupported: bool = False
    retry_after: timedelta | None = None
    limits: tuple[LimitState, ...] = ()
    approval: Asked | None = None
    denied: bool = False
    withheld: bool = False


def refusal_of(decision: Decision, reading: Request | Unreadable, said: Circumstances) -> Refusal:
    """Give what there is to say to the agent."""
    status = _status(decision, reading)
    return Refusal(
        status=_of_body(decision, said) if status == 403 else status,
        answer=str(decision.answer),
        kind="withheld" if said.withheld else "approval-denied" if said.denied else _kind(decision),
        tell=decision.tell,
        receipt=said.receipt,
        actions=tuple(f"{v.action.name} {v.action.resource}".rstrip() for v in decision.verdicts),
        retry_after=said.retry_after,
        limits=said.limits,
        approval=said.approval,
    )


def _status(decision: Decision, reading: Request | Unreadable) -> int:
    if isinstance(reading, Unreadable) and decision.reason is not Reason.HALTED:
        return reading.status
    match decision.reason:
        case Reason.CANNOT_DECIDE:
            return 503
        case Reason.UPSTREAM:
            return 502
        case Reason.AGENT:
            return 407
        case Reason.POLICY | Reason.UNREADABLE | Reason.DESTINATION | Reason.HALTED:
            return 429 if decision.answer is Effect.THROTTLE else 403


def _of_body(decision: Decision, said: Circumstances) -> int:
    """A 413 or 415 where a rule had to read the body, and this is why it could not."""
    if said.approval is not None or said.denied:
        return 403  # people are asked, and not for less of it
    if said.too_large and _erred(decision):
        return 413
    unread = any(verdict.action.operation == "unreadable" for verdict in decision.verdicts)
    return 415 if said.unsupported and (unread or _erred(decision)) else 403


def _erred(decision: Decision) -> bool:
    """Whether a rule could not tell: with a body that was too large to be read, because of that."""
    return any(match.error for verdict in decision.verdicts for match in verdict.matches)


def _kind(decision: Decision) -> str:
    if decision.reason is not Reason.POLICY:
        return decision.reason.value
    match decision.answer:
        case Effect.ESCALATE:
            return "approval-required"
        case Effect.THROTTLE:
            return "over-limit"
        case Effect.SANDBOX:
            return "sandbox-only"
        case Effect.BLOCK | Effect.ALLOW:
            return "blocked"
