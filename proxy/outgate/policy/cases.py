"""Cases: requests with what they are and what must be answered; a policy's own tests, readable without Python."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.intake.agents import AGENT_ID, Agent
from outgate.intake.request import Unreadable, UnreadBody
from outgate.policy.call import Call, call, rehearse
from outgate.policy.effect import EFFECTS, MODES, Effect, Mode
from outgate.policy.form import DATA
from outgate.policy.part import Part
from outgate.policy.rule import OTHERWISE
from outgate.policy.shapes import Anything, Many, Named, Table, Text, Truth, Words, problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.actions.catalog import Catalog
    from outgate.policy.call import Rehearsed
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
    },
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
        "agent": _agent,
        "now": Text("a moment", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{5,8}(?:Z|[+-][0-9:]{5})", "written 2026-01-07T12:00:00Z"),
        "mode": Words("mode", ("observe", "enforce")),
        "data": Many(Words("class of data", DATA)),
        "actions": Many(_words),
        "answer": _effect,
        "would": _effect,
        "rules": Many(_words),
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
class Case:
    """One request, who makes it and when, and what must come of it. What is None is not asked.

    `rules` are all that match, `otherwise` aside; `otherwise` alone is none.
    """

    name: str
    call: Call
    agent: Agent
    now: datetime
    mode: Mode
    data: frozenset[str]
    answer: Effect
    would: Effect | None = None
    actions: tuple[str, ...] | None = None
    rules: frozenset[str] | None = None
    tells: str = ""
    place: Problem


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
    document = parse(text, source)
    found = problems(FORM, document)
    if found:
        raise ConfigError(*sorted(found))
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
        came = rehearse(case.call, case.agent, case.now, modes[case.mode], catalog, data=case.data)
        if isinstance(came, Unreadable):
            yield Tried(case=case, wrong=(f"the request has no one reading: {came.why}",))
        else:
            matched = frozenset(match.rule for verdict in came.decision.verdicts for match in verdict.matches)
            yield Tried(case=case, wrong=tuple(_differences(case, came, matched)), matched=matched)


def _differences(case: Case, came: Rehearsed, matched: frozenset[str]) -> Iterator[str]:
    actions = [f"{action.name} {action.resource}".rstrip() for action in came.actions]
    if case.actions is not None and not _alike(sorted(case.actions), sorted(actions)):
        yield f"actions: got {', '.join(actions)}; expected {', '.join(case.actions)}"
    if case.answer is not came.decision.answer:
        yield f"answer: got {came.decision.answer}; expected {case.answer} ({came.decision.why or 'no rule restricts'})"
    if case.would is not None and case.would is not came.decision.would:
        yield f"would: got {came.decision.would}; expected {case.would} ({came.decision.why or 'no rule restricts'})"
    if case.rules is not None and case.rules - {OTHERWISE} != matched - {OTHERWISE}:
        yield f"rules: got {_listed(matched)}; expected {_listed(case.rules)}"
    if case.tells not in came.decision.tell:
        yield f"tells: got '{came.decision.tell}'; expected '{case.tells}' in it"


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
        now = datetime.fromisoformat(value["now"]) if "now" in value else NOW
        agent = _agent_of({**(file.at("agent").value or {}), **value.get("agent", {})}, now)
    except ValueError as error:
        part.say(str(error))
        return None
    return Case(
        name=value["name"],
        call=written,
        agent=agent,
        now=now,
        mode=MODES[value.get("mode") or file.at("mode").value or "enforce"],
        data=frozenset(part.at("data").texts()),
        answer=EFFECTS[value["answer"]],
        would=EFFECTS[value["would"]] if "would" in value else None,
        actions=tuple(part.at("actions").texts()) if "actions" in value else None,
        rules=frozenset(part.at("rules").texts()) if "rules" in value else None,
        tells=value.get("tells", ""),
        place=part.place,
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
        content = b"".join(map(_pkt_line, value["pkt"])) + b"0000"
    written = call(value["request"], headers.items(), content)
    return Call(raw=written.raw, body=UnreadBody()) if value.get("unread") else written


def _pkt_line(text: str) -> bytes:
    """As git frames a line: its length, four hexadecimal digits that count themselves, before it."""
    line = text.encode()
    return f"{len(line) + 4:04x}".encode() + line


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
    )
