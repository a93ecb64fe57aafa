"""Receipt: what is written down of a decision, an outcome, or another event that matters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_plus

from outgate.digest import canonical, sent_digest, sha256
from outgate.errors import EvidenceError
from outgate.inspect.mask import printable, text, veiled, without_userinfo
from outgate.intake.request import NoBody, Request, SpooledBody, Unreadable, UnreadBody, WholeBody
from outgate.receipts.recorded import agent_facts, known_of, params_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from outgate.digest import Json
    from outgate.inspect.usage import Usage
    from outgate.intake.agents import Agent
    from outgate.intake.request import Body
    from outgate.policy.decision import Decision, Match, Verdict
    from outgate.policy.facts import Facts
    from outgate.policy.limits import Charge

VERSION = 1
MOST_BYTES = 64 * 1024
"""Of one receipt in canonical form: C2SP tlog-tiles counts an entry's length in 16 bits."""

MOST_INTEGER = 2**53 - 1
"""RFC 8785 writes numbers as IEEE 754 doubles: beyond this, two integers read alike."""

_MOST_ACTIONS, _MOST_RULES, _MOST_NAMES = 32, 32, 32
_MOST_ABOUT, _MOST_DEPTH = 16 * 1024, 8
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Result(StrEnum):
    """What became of a request that was let out."""

    EXECUTED = "executed"
    """The upstream answered, whatever it said."""
    MOCKED = "mocked"
    REFUSED = "refused"
    """Stopped after the decision, before the first byte left: no connection, a certificate that does not verify."""
    WITHHELD = "withheld"
    ABANDONED = "abandoned"
    """The client left before anything was sent."""
    UNKNOWN = "unknown"
    """Bytes left and no whole answer came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`sent` and `received` count body bytes; `body` is the SHA-256 of the request body as sent, empty if there was none.

    `usage` is what a language model's answer says that it used, where somebody counts it; `least` the tokens that it used at
    least, whatever it says.
    """

    result: Result
    status: int | None = None
    sent: int = 0
    received: int = 0
    body: str = ""
    error: str = ""
    usage: Usage | None = None
    least: int = 0


class Place(Protocol):
    """Where a receipt stands."""

    @property
    def writer(self) -> str: ...
    @property
    def seq(self) -> int: ...


class Beyond(Protocol):
    """A limit that a request did not fit in."""

    @property
    def charge(self) -> Charge: ...
    @property
    def left(self) -> int: ...


class Substitute(Protocol):
    """What answered instead of the real upstream."""

    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class Address(Protocol):
    """Where a request was sent, and by which name."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def address_port(self) -> int: ...
    @property
    def via(self) -> str | None: ...


def decision_body(  # noqa: PLR0913  # everything that a decision depends on, and what came of it
    *,
    at: datetime,
    agent: Agent,
    request: Request | Unreadable,
    decision: Decision,
    policy: str,
    pin: Address | None,
    asked: str = "",
    over: Iterable[Beyond] = (),
    mock: tuple[str, Substitute] | None = None,
    facts: Facts | None = None,
    looked: bool = False,
) -> dict[str, Json]:
    """Write down a decision. Never a header's value, never a body; the query by its names, credentials in paths masked.

    The exact bytes that leave are held by `sent` alone (digest.sent_digest). `asked` is the approval that it waits for, or
    whose grant it used; `mock` the service that was stood in for, and by what. What there was none of is not there. `facts` are
    those that were decided with, and `looked` says that data was looked for: without them nothing can be decided again.
    """
    verdicts = _strictest(decision.verdicts)
    rules = _rules(verdicts)
    return {
        "type": "decision",
        "at": timestamp(at),
        "agent": _agent(agent),
        "request": _request(request) if isinstance(request, Request) else _unreadable(request),
        "actions": _actions(verdicts[:_MOST_ACTIONS], request),
        "actionsLeftOut": max(0, len(verdicts) - _MOST_ACTIONS),
        "rules": rules[:_MOST_RULES],
        "rulesLeftOut": max(0, len(rules) - _MOST_RULES),
        "policy": policy,
        "answer": str(decision.answer),
        "would": str(decision.would),
        "reason": decision.reason.value,
        "tell": text(decision.tell, 1024),
        "why": text(decision.why, 1024),
        "pin": _pin(pin) if pin is not None else None,
        **({} if facts is None else {"facts": known_of(facts, looked=looked)}),
        **_further(decision, asked, over, mock),
    }


def _further(decision: Decision, asked: str, over: Iterable[Beyond], mock: tuple[str, Substitute] | None) -> dict[str, Json]:
    said: dict[str, Json] = {}
    if asked:
        said["approval"] = {"id": asked, "used": decision.approval == asked and decision.lets_out}
    if beyond := [_beyond(one) for one in over]:
        said["over"] = beyond[:_MOST_RULES]
    if mock is not None:
        service, by = mock
        said["mock"] = {
            "service": text(service, 96),
            "scheme": by.scheme,
            "host": printable(veiled(by.host), 320),
            "port": by.port,
        }
    return said


def _beyond(over: Beyond) -> dict[str, Json]:
    charge, limit = over.charge, over.charge.limit
    return {
        "rule": printable(charge.match.rule, 128),
        "limit": min(limit.amount, MOST_INTEGER),
        "unit": printable(limit.unit, 16),
        "window": limit.window.value,
        "asked": min(charge.amount, MOST_INTEGER),
        "left": min(over.left, MOST_INTEGER),
    }


def outcome_body(of: Place, at: datetime, outcome: Outcome) -> dict[str, Json]:
    """Write down what became of a request that was let out."""
    return {
        "type": "outcome",
        "at": timestamp(at),
        "of": {"writer": of.writer, "seq": of.seq},
        "result": outcome.result.value,
        "status": outcome.status,
        "sent": outcome.sent,
        "received": outcome.received,
        "body": outcome.body,
        "error": text(outcome.error, 512),
        **({} if outcome.usage is None else {"usage": _usage(outcome.usage)}),
    }


def _usage(usage: Usage) -> dict[str, Json]:
    return {
        "model": text(usage.model, 96),
        "input": min(usage.input_tokens, MOST_INTEGER),
        "output": min(usage.output_tokens, MOST_INTEGER),
        "costMicros": None if usage.cost_micros is None else min(usage.cost_micros, MOST_INTEGER),
        "currency": printable(usage.currency, 8),
    }


def event_body(what: str, at: datetime, agent: Agent | None, about: Mapping[str, Json]) -> dict[str, Json]:
    """Write down something that matters and is no decision. `agent` is None where the gate itself did it.

    Raises EvidenceError for what has no canonical form.
    """
    if what in {"decision", "outcome"}:
        raise EvidenceError(f"'{what}' is not an event")
    said = _plain(about)
    size = len(canonical(said))
    if size > _MOST_ABOUT:
        said = {"cut": f"{size} bytes", "digest": sha256(canonical(said))}
    return {"type": what, "at": timestamp(at), "agent": _agent(agent) if agent else None, "about": said}


def timestamp(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _agent(agent: Agent) -> dict[str, Json]:
    return {
        "id": agent.id,
        "team": printable(agent.team, 128),
        "owner": printable(agent.owner, 128),
        "since": timestamp(agent.since) if agent.since else None,
        **agent_facts(agent),
    }


def _request(request: Request) -> dict[str, Json]:
    sent = sent_digest(method=request.method, scheme=request.scheme, host=request.host, port=request.port, target=request.target)
    return {
        "method": text(request.method, 64),
        "scheme": request.scheme,
        "host": printable(veiled(request.host), 320),
        "port": request.port,
        "path": text(request.path, 2048),
        "query": _names(request.query),
        "sent": sent,
        "version": printable(request.version, 64),
        "websocket": request.websocket,
        **({"uninspected": True} if request.opaque else {}),
        "body": _body(request.body),
    }


def _unreadable(request: Unreadable) -> dict[str, Json]:
    return {"unreadable": text(request.why, 512), "status": request.status, "host": text(request.host, 320)}


def _names(query: str | None) -> list[str] | None:
    """The names in a query, in order; of a part without `=` not even that, because it may be the value itself."""
    if query is None:
        return None
    parts = query.split("&", _MOST_NAMES)
    names = [text(unquote_plus(part.partition("=")[0]), 64) if "=" in part else "" for part in parts[:_MOST_NAMES]]
    return [*names, "…"] if len(parts) > _MOST_NAMES else names


def _body(body: Body) -> dict[str, Json]:
    match body:
        case NoBody():
            return {"read": "none", "length": 0}
        case WholeBody(content):
            return {"read": "whole", "length": len(content)}
        case SpooledBody(size=size):
            return {"read": "whole", "length": size}
        case UnreadBody(length):
            return {"read": "not", "length": length}


def _strictest(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """As they came; the strictest first where not all can be shown."""
    if len(verdicts) <= _MOST_ACTIONS:
        return verdicts
    return tuple(sorted(verdicts, key=lambda verdict: (verdict.answer, verdict.would), reverse=True))


def _actions(verdicts: tuple[Verdict, ...], request: Request | Unreadable) -> list[Json]:
    path = request.path if isinstance(request, Request) else ""
    said = params_of((verdict.action for verdict in verdicts), path)
    return [_action(verdict) | params for verdict, params in zip(verdicts, said, strict=True)]


def _action(verdict: Verdict) -> dict[str, Json]:
    action = verdict.action
    more: dict[str, Json] = {"instance": text(action.instance, 160)} if action.instance else {}
    more |= {"exact": True} if action.exact else {}
    return more | {
        "name": text(action.name, 96),
        "resource": text(action.resource, 160),
        "access": action.access.value,
        "tier": int(action.tier),
        "count": min(action.count, MOST_INTEGER),
        "confidence": action.confidence.value,
        "mapped": action.mapped,
        "data": sorted(action.data),
        "answer": str(verdict.answer),
        "would": str(verdict.would),
        "why": text(action.why, 96),
    }


def _rules(verdicts: Iterable[Verdict]) -> list[dict[str, Json]]:
    seen: dict[tuple[str, int, int, str], Match] = {}
    for verdict in verdicts:
        for match in verdict.matches:
            seen.setdefault((match.rule, match.effect, match.mode, match.error), match)
    return [
        {"id": printable(m.rule, 128), "effect": str(m.effect), "mode": str(m.mode), "error": text(m.error, 96)}
        for m in sorted(seen.values(), key=lambda m: (m.mode, m.effect), reverse=True)
    ]


def _pin(pin: Address) -> dict[str, Json]:
    return {
        "name": printable(veiled(pin.name), 320),
        "port": pin.port,
        "address": printable(pin.address, 64),
        "addressPort": pin.address_port,
        "via": printable(without_userinfo(pin.via), 512) if pin.via is not None else None,
    }


def _plain(value: Json, depth: int = 0) -> Json:
    """Text masked and bounded, whatever holds it; what is nested too deeply says so."""
    if isinstance(value, str):
        return printable(veiled(value), 1024)
    if value is None or isinstance(value, int):
        return value
    if not isinstance(value, Mapping | Sequence):
        raise EvidenceError(f"a {type(value).__name__} has no place in a receipt")
    if depth >= _MOST_DEPTH:
        return "…(nested too deeply)"
    if isinstance(value, Mapping):
        return {_key(key): _plain(inner, depth + 1) for key, inner in value.items()}
    return [_plain(inner, depth + 1) for inner in value]


def _key(name: str) -> str:
    """Keys are ours: what others write stands in values alone."""
    if not _KEY.fullmatch(name):
        raise EvidenceError(f"{name!r:.40} is no key for an event: use letters and digits")
    return name
