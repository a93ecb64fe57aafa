"""Case: one request while it is decided, and everything that follows from it alone."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

from outgate.admission import Admitted
from outgate.answer.refuse import Circumstances
from outgate.answer.reply import Asked, LimitState
from outgate.approvals.approval import State
from outgate.approvals.statement import actions_told
from outgate.digest import canonical_ascii_keys, sha256
from outgate.inspect.credentials import without_credentials
from outgate.inspect.provenance import provenance
from outgate.intake.bodies import DECODED_LIMIT
from outgate.intake.codings import is_readable
from outgate.intake.request import NoBody, SpooledBody, UnreadBody
from outgate.policy.decide import reads_answer
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, TOKENS, Hold
from outgate.ports import Reserved
from outgate.receipts.receipt import Result, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from outgate.admission import Ground
    from outgate.approvals.approval import Approval, Panel
    from outgate.approvals.quorum import Standing
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.intake.request import Body, Request
    from outgate.policy.decision import Decision
    from outgate.policy.facts import Facts
    from outgate.policy.limits import Charge
    from outgate.policy.rule import Mock
    from outgate.ports import MockWay, Over, Pin
    from outgate.receipts.receipt import Outcome

OWN_HOST = "outgate.internal"
"""Answered by the gate itself. `.internal` is reserved for private use (ICANN, 2024): no name server has it."""
DENIED = "A person was asked whether this may happen, and said no. Do not try again, nor another way to do it."

_RETRY = timedelta(seconds=60)
_MOST_HELD = 60.0
"""Seconds, where the client says that it can wait (RFC 7240, section 4.3)."""
_PREFERS = re.compile(r"(?:^|[,;\s])wait\s*=\s*([0-9]{1,6})(?=$|[,;\s])")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOTHING_DONE = frozenset({Result.REFUSED, Result.ABANDONED})


@dataclass(slots=True, kw_only=True, eq=False)
class Case:
    """What is `reserved`, and a grant that is `used`, is given back unless the request is let out.

    `digest` is the request's request_digest, once people were or must be asked; `key` is what the desk knows it by.
    """

    ground: Ground
    request: Request
    facts: Facts
    decision: Decision
    digest: str = ""
    key: str = ""
    reserved: Reserved = field(default_factory=Reserved)
    over: tuple[Over, ...] = ()
    approval: Approval | None = None
    standing: Standing | None = None
    used: bool = False
    recorded: bool = False
    by_message: bool = False

    @property
    def services(self) -> frozenset[str]:
        return frozenset(verdict.action.service for verdict in self.decision.verdicts)

    @property
    def touched(self) -> frozenset[str]:
        """Whose halt stops it: a push to a host of GitLab's is git's action, and GitLab's affair."""
        return self.services | self.ground.catalog.owners(self.request.authority)

    @property
    def enforced(self) -> bool:
        """Whether anything but what always holds is enforced on this agent."""
        return self.ground.policy.mode is Mode.ENFORCE and not self.facts.agent.observe

    @property
    def denied(self) -> bool:
        """A person said no."""
        return self.standing is not None and self.standing.state is State.DENIED

    def known_as(self, digest: str, panels: Iterable[Panel], *, hardware_only: bool) -> None:
        """Remember what people are asked: this request, of these panels, as it is told. Else it is another question."""
        asked: list[Json] = [[p.name, p.need, list(p.of), p.owner, list(p.rules)] for p in panels]
        told = actions_told(self.decision)
        self.digest, self.key = digest, sha256(canonical_ascii_keys([digest, asked, hardware_only, told]))

    def said_no(self) -> str:
        """What an agent is told of a denial: that it was one, and why, as the person put it."""
        why = next((vote.why for vote in self.standing.denied if vote.why), "") if self.standing else ""
        return f'{DENIED} They said: "{why}"' if why else DENIED

    def handed_over(self) -> None:
        """From here on an admission owes what was taken, or nothing does."""
        self.reserved, self.used = Reserved(), False


@dataclass(slots=True, kw_only=True, eq=False)
class Patience:
    """When a request began, until when it may be held, and how long it waited for what. Seconds, monotonic."""

    began: float = 0.0
    until: float = 0.0
    delayed: float = 0.0
    waited: float = 0.0


def hold_of(request: Request, usual: timedelta) -> float:
    """How many seconds a client waits for people: what is usual, or what it says (`Prefer: wait=30`)."""
    said = [found[1] for name, value in request.headers if name == "prefer" and (found := _PREFERS.search(value))]
    return min(float(said[0]), _MOST_HELD) if len(said) == 1 else usual.total_seconds()


def delay_of(case: Case, delayed: float) -> float | None:
    """How many seconds would bring a safe request under its limits; None where it is not to be delayed."""
    wait = refused_waits(case) if case.request.method in _SAFE else None
    if wait is None:
        return None
    most = min(one.charge.limit.max_delay for one in _throttling(case)).total_seconds()
    return wait if delayed + wait <= most else None


def refused_waits(case: Case) -> float | None:
    """How many seconds until there is room in all the limits that it is over; None where that is never."""
    over = _throttling(case)
    waits = [one.wait.total_seconds() for one in over if one.wait is not None]
    return max(waits) if waits and len(waits) == len(over) else None


def _throttling(case: Case) -> list[Over]:
    return [one for one in case.over if one.charge.hold is Hold.BINDING and one.charge.match.effect is Effect.THROTTLE]


def charges_of(case: Case, approved: frozenset[str]) -> tuple[Charge, ...]:
    """What to reserve. A mock is asked as often as the real service may be, and uses up no quota of what is executed."""
    return tuple(
        replace(charge, hold=Hold.FORCED) if charge.match.rule in approved and charge.hold is Hold.BINDING else charge
        for charge in case.decision.charges
        if case.decision.answer is not Effect.SANDBOX or charge.limit.is_rate
    )


def used_of(reserved: Reserved, outcome: Outcome) -> dict[str, int]:
    """What was used of what was taken, where that is not the same."""
    if outcome.result in _NOTHING_DONE:
        return {charge.key: 0 for charge, _ in reserved.taken if not charge.limit.attempted}
    return dict(_metered(reserved, outcome))


def _metered(reserved: Reserved, outcome: Outcome) -> Iterator[tuple[str, int]]:
    usage = outcome.usage
    for charge, _ in reserved.taken:
        if usage is None:
            if charge.limit.unit == TOKENS and outcome.least > charge.amount:
                yield charge.key, outcome.least
            continue
        if charge.limit.unit == TOKENS:
            yield charge.key, usage.input_tokens + usage.output_tokens
        elif charge.limit.unit == usage.currency and usage.cost_micros is not None:
            yield charge.key, usage.cost_micros


def counts_usage(reserved: Reserved) -> bool:
    """Whether some limit is settled by what an answer says that it used."""
    return any(charge.limit.unit != COUNT for charge, _ in reserved.taken)


def chosen_mock(case: Case) -> tuple[str, Mock] | None:
    """The mock that a request goes to whole: that of its services, where it is the same for all of them."""
    if case.request.opaque:
        return None  # who expects another certificate than ours is not answered in its stead
    mocks = case.ground.policy.mocks
    services = sorted(case.services)
    found = [mocks.get(service) or mocks.get("default") for service in services]
    first = found[0] if found else None
    return (services[0], first) if first is not None and all(mock == first for mock in found) else None


def is_elsewhere(pin: Pin) -> bool:
    """Whether it leads away from this machine."""
    return pin.via is not None or not ip_address(pin.address).is_loopback


def to_mock(case: Case, way: MockWay) -> Request:
    """The same request, as a mock gets it: nobody's credentials in it, and where it comes from."""
    bare = without_credentials(case.request, case.ground.catalog)
    actions = tuple(verdict.action for verdict in case.decision.verdicts)
    return replace(
        bare,
        scheme=way.scheme,
        host=way.host,
        port=way.port,
        path=way.prefix + bare.path,
        headers=(*bare.headers, *provenance(case.request, case.facts.agent, actions), *way.headers),
    )


def admission_of(case: Case, agent: Agent, pin: Pin | None, mock: tuple[str, MockWay] | None) -> Callable[..., Admitted]:
    """An admission that waits for its receipt."""
    decision, reads = case.decision, False
    if mock is None:
        assert pin is not None
        request, where, mocked = case.request, pin, ""
        reads = reads_answer(case.ground.policy, decision, case.facts)
    else:
        mocked, way = mock
        request, where = to_mock(case, way), way.pin
    return partial(
        Admitted,
        request=request,
        agent=agent,
        decision=decision,
        pin=where,
        mocked=mocked,
        approval=decision.approval,
        reserved=case.reserved,
        usage=counts_usage(case.reserved),
        by_message=case.by_message,
        owners=case.touched,
        facts=replace(case.facts, request=replace(case.request, body=NoBody())) if reads else None,
        ground=case.ground if reads else None,
    )


def _is_too_large(body: Body) -> bool:
    """To be kept whole, or to be parsed."""
    if isinstance(body, SpooledBody):
        return body.size > DECODED_LIMIT
    return isinstance(body, UnreadBody) and body.too_large


def circumstances(case: Case, body: Body, now: datetime) -> Circumstances:
    """What there is to say of a refusal besides its sentence."""
    return Circumstances(
        too_large=_is_too_large(body),
        unsupported=not isinstance(body, NoBody) and not is_readable(case.request.headers),
        retry_after=_retry_after(case),
        limits=tuple(_limit_state(one, now) for one in case.over if one.charge.hold is Hold.BINDING),
        approval=_asked(case.approval) if case.approval and case.decision.answer is Effect.ESCALATE else None,
        denied=case.denied,
    )


def _retry_after(case: Case) -> timedelta | None:
    match case.decision.answer:
        case Effect.THROTTLE:
            waits = [one.wait for one in case.over if one.charge.hold is Hold.BINDING]
            known = [wait for wait in waits if wait is not None]
            return max(known) if known and len(known) == len(waits) else None
        case Effect.ESCALATE if case.approval is not None and not case.denied:
            return _RETRY
        case _:
            return None


def _limit_state(over: Over, now: datetime) -> LimitState:
    limit = over.charge.limit
    start, end = limit.period(now)
    reset = over.wait if over.wait is not None else end - now
    return LimitState(
        name=over.charge.match.rule,
        quota=limit.amount,
        window=limit.seconds if limit.is_rate else round((end - start).total_seconds()),
        left=over.left,
        reset=max(0, math.ceil(reset.total_seconds())),
    )


def _asked(approval: Approval) -> Asked:
    return Asked(id=approval.id, status_url=f"http://{OWN_HOST}/approvals/{approval.id}", expires=timestamp(approval.expires))


def asked_about(approval: Approval, case: Case) -> dict[str, Json]:
    """What the record says when people are asked."""
    return {
        "approval": approval.id,
        "request": case.digest,
        "statement": sha256(approval.statement),
        "rules": sorted(approval.rules),
        "panels": [{"name": p.name, "need": p.need, "of": list(p.of)} for p in approval.panels],
        "actions": [f"{v.action.name} {v.action.resource}".rstrip() for v in case.decision.verdicts[:16]],
        "tier": max((int(v.action.tier) for v in case.decision.verdicts), default=0),
        "expires": timestamp(approval.expires),
    }


def restricting(decision: Decision) -> list[str]:
    """The enforced rules that restrict."""
    return sorted({m.rule for v in decision.verdicts for m in v.matches if m.mode is Mode.ENFORCE and m.effect.restricts})


def base32_id(entropy: bytes) -> str:
    """An approval's id out of eight random bytes."""
    text = base64.b32encode(entropy).decode().lower()[:12]
    return "-".join((text[:4], text[4:8], text[8:12]))
