"""Cases: requests with what they are and what must be answered; a policy's own tests, readable without Python."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from outgate.actions.protocols.pkt_line import FLUSH, line
from outgate.errors import ConfigError, Problem
from outgate.inspect.estate import FOREIGN, NONE, OURS
from outgate.intake.agents import AGENT_ID, Agent
from outgate.intake.message import Message
from outgate.intake.request import Unreadable, UnreadBody
from outgate.policy.call import Call, call, rehearse, rehearse_message
from outgate.policy.decide import decide_answer, discharged, raised
from outgate.policy.effect import EFFECTS, MODES, Effect, Mode
from outgate.policy.facts import UNSAID, Answered, Estate
from outgate.policy.form import DATA
from outgate.policy.part import Part
from outgate.policy.rule import OTHERWISE
from outgate.policy.shapes import Anything, Count, Many, Named, Table, Text, Truth, Words, shaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Request
    from outgate.policy.call import Rehearsed
    from outgate.policy.decision import Decision
    from outgate.policy.rule import Policy

LANGUAGE = "cases/v1alpha"
NOW = datetime(2026, 1, 7, 12, tzinfo=UTC)
"""When cases happen that don't say so: a Wednesday at noon."""

_AGE = timedelta(days=30)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_words = Text("text", r"(?s).*\S.*", "text")
_effect = Words("answer", tuple(EFFECTS))
_agent = Table(
    what="an agent",
    keys={
        "id": Text("an agent's id", AGENT_ID.pattern, "letters, digits, '.', '_', '@', '-'"),
        "team": _words,
        "owner": _words,
        "permissions": Many(_words),
        "labels": Named("labels", _words, name=r"[A-Za-z0-9_.-]{1,63}"),
        "age": Text("an age", r"[0-9]{1,6}[mhd]", "a number and m, h or d, as in 30d"),
        "observe": Truth("'observe'"),
    },
)
_NOTHING = "none"
_response = Table(
    what="a response",
    keys={
        "status": Count("a status", least=100, most=599),
        "rows": Count("'rows'", least=0),
        "size": Count("'size'", least=0),
        "data": Many(Words("class of data", (*DATA, _NOTHING))),
    },
)
_message = Table(
    what="a message",
    keys={
        "from": Words("side", ("agent", "upstream")),
        "over": Words("kind of conversation", ("websocket", "grpc", "sse")),
        "text": Text("a message", r"(?s).*", "text"),
        "json": Anything("a message, as JSON"),
        "size": Count("'size'", least=0, most=1 << 24),
        "data": Many(Words("class of data", DATA)),
        "unread": Truth("'unread'"),
        "answer": _effect,
        "would": _effect,
    },
    required=frozenset({"answer"}),
)
_case = Table(
    what="a case",
    keys={
        "name": _words,
        "request": Text("a request", r"\S+ https?://\S+", "a method and a URL, as in GET https://api.example.com/things"),
        "headers": Named("headers", _words, name=r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"),
        "body": Text("a body", r"(?s).*", "text"),
        "json": Anything("a body, as JSON"),
        "pkt": Many(Text("a pkt-line", r"(?s).+", "text")),
        "unread": Truth("'unread'"),
        "tooLarge": Truth("'tooLarge'"),
        "agent": _agent,
        "now": Text("a moment", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{5,8}(?:Z|[+-][0-9:]{5})", "written 2026-01-07T12:00:00Z"),
        "mode": Words("mode", ("observe", "enforce")),
        "data": Many(Words("class of data", DATA)),
        "unsteady": Truth("'unsteady'"),
        "owned": Many(_words),
        "credential": Words("credential", (OURS, FOREIGN, NONE)),
        "over": Many(_words),
        "approved": Truth("'approved'"),
        "response": _response,
        "actions": Many(_words),
        "answer": _effect,
        "would": _effect,
        "rules": Many(_words),
        "limits": Many(_words),
        "asks": Many(_words),
        "withheld": Truth("'withheld'"),
        "message": _message,
        "tells": _words,
    },
    required=frozenset({"name", "request", "answer"}),
)
FORM = Table(
    what="a file of cases",
    keys={
        "outgate": Words("language", (LANGUAGE,)),
        "policy": _words,
        "why": _words,
        "mode": Words("mode", ("observe", "enforce")),
        "agent": _agent,
        "cases": Many(_case, bare=False),
    },
    required=frozenset({"outgate", "cases"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message of what was let out, and what must be answered to it. `data` are classes to take for found in it."""

    message: Message
    data: frozenset[str]
    answer: Effect
    would: Effect | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, who makes it and when, and what must come of it. What is None is not asked.

    `over` are rules whose limits are used up; `approved`: people approved all that it escalates; `estate` is what the settings
    would say of its destination; `answered` is what the upstream answers, `said` a message after that. `rules` are all that
    match, `otherwise` aside; `otherwise` alone is none. `limits` are the rules of whose limits it takes something, `asks` the
    approvers that it asks.
    """

    name: str
    call: Call
    agent: Agent
    now: datetime
    mode: Mode
    data: frozenset[str]
    unsteady: bool = False
    estate: Estate = UNSAID
    over: frozenset[str] = frozenset()
    approved: bool = False
    answered: Answered | None = None
    said: Said | None = None
    answer: Effect
    would: Effect | None = None
    actions: tuple[str, ...] | None = None
    rules: frozenset[str] | None = None
    limits: frozenset[str] | None = None
    asks: frozenset[str] | None = None
    withheld: bool | None = None
    tells: str = ""
    place: Problem

    def estate_of(self, _: Request) -> Estate:
        """What it says in place of the settings."""
        return self.estate


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A file of cases. `policy` is the name of the policy that they are for; empty if the file does not say."""

    source: str
    policy: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of a case. `wrong` says each thing that is not as it must be: none, and it passed."""

    case: Case
    wrong: tuple[str, ...]
    matched: frozenset[str] = field(default_factory=frozenset)


def read_cases(text: str, source: str) -> Suite:
    """Read a file of cases. Raises ConfigError with everything that is wrong in it."""
    document = shaped(FORM, text, source)
    found: list[Problem] = []
    file = Part(document=document, text=text, found=found)
    cases = [_read(part, file) for part in file.at("cases").entries()]
    doubled = [name for name, n in Counter(case.name for case in cases if case).items() if n > 1]
    found.extend(Problem(source=source, message=f"two cases are called '{name}', give one another name") for name in doubled)
    if found:
        raise ConfigError(*sorted(found))
    return Suite(source=source, policy=file.at("policy").value or "", cases=tuple(case for case in cases if case is not None))


def run(cases: Iterable[Case], policy: Policy, catalog: Catalog) -> Iterator[Tried]:
    """Try cases against a policy, each in its mode, in their order."""
    modes = {mode: policy.with_mode(mode) for mode in (Mode.OBSERVE, Mode.ENFORCE)}
    for case in cases:
        under = modes[case.mode]
        of = case.call, case.agent, case.now, under, catalog
        came = rehearse(*of, data=case.data, unsteady=case.unsteady, estate=case.estate_of)
        if isinstance(came, Unreadable):
            yield Tried(case=case, wrong=(f"the request has no one reading: {came.why}",))
        else:
            played = _played(case, came, under)
            yield Tried(case=case, wrong=tuple(_differences(played)), matched=played.matched | played.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """A case to its end: what was asked of people, what was decided then, and on the answer or a message."""

    case: Case
    came: Rehearsed
    asked: Decision
    decision: Decision
    answer: Decision | None
    heard: Decision | None
    message: Decision | None
    asks: frozenset[str]

    @property
    def limits(self) -> frozenset[str]:
        decided = [self.came.decision, *([] if self.heard is None else [self.heard])]
        return frozenset(charge.match.rule for one in decided for charge in one.charges)

    @property
    def matched(self) -> frozenset[str]:
        decided = [one for one in (self.asked, self.answer, self.heard) if one is not None]
        return frozenset(match.rule for one in decided for verdict in one.verdicts for match in verdict.matches)


def _played(case: Case, came: Rehearsed, policy: Policy) -> _Played:
    asked, decision, escalating = _asked(case, came.decision, policy)
    answer = None
    if case.answered is not None and decision.lets_out:
        answer = decide_answer(policy, decision, came.facts, case.answered)
    heard = message = None
    if case.said is not None and decision.lets_out:
        made = rehearse_message(case.said.message, came, decision, policy, data=case.said.data)
        heard, message, more = _asked(case, made, policy)
        escalating = {**escalating, **more}
    asks = frozenset(to for approvers in escalating.values() for to in approvers)
    return _Played(case=case, came=came, asked=asked, decision=decision, answer=answer, heard=heard, message=message, asks=asks)


def _asked(case: Case, made: Decision, policy: Policy) -> tuple[Decision, Decision, dict[str, set[str]]]:
    """What is decided with the limits that are over; and then, where people approved it; and whom it asks."""
    asked = raised(made, [charge for charge in made.charges if charge.match.rule in case.over])
    escalating = _escalating(asked, policy)
    return asked, discharged(asked, frozenset(escalating), "approved") if case.approved else asked, escalating


def _escalating(decision: Decision, policy: Policy) -> dict[str, set[str]]:
    """The rules that escalate, and whom each asks; `anyone` where nobody says whom."""
    default = {said.to for said in policy.otherwise if said.to and said.ceiling is Mode.ENFORCE} or {"anyone"}
    found: dict[str, set[str]] = {}
    for match in (match for verdict in decision.verdicts for match in verdict.matches):
        if match.effect is Effect.ESCALATE and match.mode is Mode.ENFORCE:
            found.setdefault(match.rule, set()).update({match.to} if match.to else default)
    return found


def _differences(played: _Played) -> Iterator[str]:
    case, decision = played.case, played.decision
    actions = [f"{action.name} {action.resource}".rstrip() for action in played.came.actions]
    if case.actions is not None and not _alike(sorted(case.actions), sorted(actions)):
        yield f"actions: got {', '.join(actions)}; expected {', '.join(case.actions)}"
    if case.answer is not decision.answer:
        yield f"answer: got {decision.answer}; expected {case.answer} ({decision.why or 'no rule restricts'})"
    if case.would is not None and case.would is not decision.would:
        yield f"would: got {decision.would}; expected {case.would} ({decision.why or 'no rule restricts'})"
    if case.rules is not None and case.rules - {OTHERWISE} != played.matched - {OTHERWISE}:
        yield f"rules: got {_listed(played.matched)}; expected {_listed(case.rules)}"
    yield from _around(played)
    told = next((one.tell for one in (decision, played.answer, played.message) if one is not None and one.tell), "")
    if case.tells not in told:
        yield f"tells: got '{told}'; expected '{case.tells}' in it"


def _around(played: _Played) -> Iterator[str]:
    """Limits, people, and the answer."""
    case = played.case
    if idle := case.over - played.limits:
        yield f"over: no limit of {_listed(idle)} is for this request, which takes of {_listed(played.limits)}"
    if case.limits is not None and case.limits != played.limits:
        yield f"limits: got {_listed(played.limits)}; expected {_listed(case.limits)}"
    if case.asks is not None and case.asks != played.asks:
        yield f"asks: got {_listed(played.asks)}; expected {_listed(case.asks)}"
    if case.approved and not played.asks:
        yield "approved: nothing of this escalates"
    if case.answered is not None and played.answer is None:
        yield f"response: there is none, the answer is {played.decision.answer}"
    elif played.answer is not None and case.withheld is not played.answer.answer.restricts:
        yield f"withheld: got {_yes(played.answer.answer.restricts)}; expected {_yes(case.withheld is True)}"
    yield from _of_message(case.said, played)


def _of_message(said: Said | None, played: _Played) -> Iterator[str]:
    if said is None:
        return
    decision = played.message
    if decision is None:
        yield f"message: none is sent, the answer is {played.decision.answer}"
        return
    why = decision.why or "no rule restricts"
    if decision.answer is not said.answer:
        yield f"message: got {decision.answer}; expected {said.answer} ({why})"
    if said.would is not None and decision.would is not said.would:
        yield f"message would: got {decision.would}; expected {said.would} ({why})"


def _yes(truth: bool) -> str:  # noqa: FBT001  # a word for it
    return "true" if truth else "false"


def _alike(expected: list[str], got: list[str]) -> bool:
    """Whether the same actions are named; a resource counts only where one is expected."""
    return len(expected) == len(got) and all(
        one in {action, action.partition(" ")[0]} for one, action in zip(expected, got, strict=True)
    )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _read(part: Part, file: Part) -> Case | None:
    value = part.value
    try:
        written = _call(value)
        said = _said(part.at("message"))
        now = datetime.fromisoformat(value["now"]) if "now" in value else NOW
        agent = _agent_of({**(file.at("agent").value or {}), **value.get("agent", {})}, now)
    except ValueError as error:
        part.say(str(error))
        return None
    if "withheld" in value and "response" not in value:
        part.at("withheld").say("only an answer can be withheld, add response: {status: 200, …}", key=True)
    return Case(
        name=value["name"],
        call=written,
        agent=agent,
        now=now,
        mode=MODES[value.get("mode") or file.at("mode").value or "enforce"],
        data=frozenset(part.at("data").texts()),
        unsteady=value.get("unsteady", False),
        estate=Estate(owned=tuple(part.at("owned").texts()) if "owned" in value else None, credential=value.get("credential")),
        over=frozenset(part.at("over").texts()),
        approved=value.get("approved", False),
        answered=_answered(part.at("response")),
        said=said,
        answer=EFFECTS[value["answer"]],
        would=EFFECTS[value["would"]] if "would" in value else None,
        actions=tuple(part.at("actions").texts()) if "actions" in value else None,
        rules=_named(part.at("rules")),
        limits=_named(part.at("limits")),
        asks=_named(part.at("asks")),
        withheld=value.get("withheld", False) if "response" in value else None,
        tells=value.get("tells", ""),
        place=part.place,
    )


def _named(part: Part) -> frozenset[str] | None:
    """Names that must be these; None where nothing is asked. `none` is nothing at all."""
    return None if part.value is None else frozenset(part.texts()) - {_NOTHING}


def _answered(part: Part) -> Answered | None:
    """What the upstream answers; what is not said of it can't be told."""
    value = part.value
    if value is None:
        return None
    data = frozenset(part.at("data").texts()) - {_NOTHING} if "data" in value else None
    return Answered(status=value.get("status", 200), rows=value.get("rows"), data=data, size=value.get("size"))


def _said(part: Part) -> Said | None:
    """A message: what is not said of it is a text that the agent sends over a WebSocket."""
    value = part.value
    if value is None:
        return None
    contents = [key for key in ("text", "json", "size") if key in value]
    if len(contents) > 1:
        raise ValueError(f"a message has one content, not {' and '.join(contents)}")
    text = json.dumps(value["json"], ensure_ascii=False) if "json" in value else value.get("text", " " * value.get("size", 0))
    over = value.get("over", "websocket")
    return Said(
        message=Message(
            sent=value.get("from", "agent") == "agent",
            over=over,
            text=over != "grpc",
            content=text.encode(),
            plain=not value.get("unread", False),
        ),
        data=frozenset(part.at("data").texts()),
        answer=EFFECTS[value["answer"]],
        would=EFFECTS[value["would"]] if "would" in value else None,
    )


def _call(value: dict[str, Any]) -> Call:
    bodies = [key for key in ("body", "json", "pkt") if key in value]
    if len(bodies) > 1:
        raise ValueError(f"a case has one body, not {' and '.join(bodies)}")
    headers = dict(value.get("headers", {}))
    content: bytes | None = None
    if "body" in value:
        content = value["body"].encode()
    elif "json" in value:
        content = json.dumps(value["json"], ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **headers}
    elif "pkt" in value:
        content = b"".join(line(text.encode()) for text in value["pkt"]) + FLUSH
    written = call(value["request"], headers.items(), content)
    if value.get("unread") or value.get("tooLarge"):
        return Call(raw=written.raw, body=UnreadBody(too_large=value.get("tooLarge", False)))
    return written


def _agent_of(value: dict[str, Any], now: datetime) -> Agent:
    age = value.get("age")
    permissions = value.get("permissions", [])
    return Agent(
        id=value.get("id", "agent"),
        team=value.get("team", ""),
        owner=value.get("owner", ""),
        permissions=frozenset([permissions] if isinstance(permissions, str) else permissions),
        labels=value.get("labels", {}),
        since=now - (_UNITS[age[-1]] * int(age[:-1]) if age else _AGE),
        observe=value.get("observe", False),
    )
