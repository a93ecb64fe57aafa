"""Names: what a condition may read, of which type, and where the value comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from outgate.actions.action import Money
from outgate.actions.paths import plain
from outgate.inspect.secrets import UNREADABLE
from outgate.policy.matching import wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.actions.action import Action
    from outgate.intake.message import Message
    from outgate.policy.facts import Answered, Facts
    from outgate.policy.hours import Hours

MOST_ITEMS = 1000
"""In a list that a condition reads. A longer one is missing, and missing restricts: never cut, never looped over for long."""


class Kind(Enum):
    """The type of a name; the words are for messages."""

    TEXT = "text"
    INT = "a whole number"
    BOOL = "true or false"
    TEXTS = "a list of texts"
    LABELS = "a table of texts"
    MONEY = "an amount"
    DURATION = "a duration"
    TIME = "a time"
    ANY = "of any type"


class Missing(Enum):
    """Not there, or not of the type that was promised: reading it is an error."""

    MISSING = "missing"


type Value = str | int | bool | list[str] | dict[str, str] | dict[str, str | int] | timedelta | datetime
type Getter = Callable[[Action, Facts], Value | Missing]

MISSING = Missing.MISSING
PARAM_KINDS: Mapping[str, Kind] = {
    "string": Kind.TEXT, "int": Kind.INT, "bool": Kind.BOOL, "money": Kind.MONEY, "list": Kind.TEXTS,
}  # fmt: skip
"""The catalog's words for the types of parameters."""


@dataclass(frozen=True, slots=True)
class Name:
    """What stands behind a name."""

    kind: Kind
    get: Getter


def _age(_: Action, facts: Facts) -> timedelta | Missing:
    return MISSING if facts.unsteady or facts.agent.since is None else facts.now - facts.agent.since


def _now(_: Action, facts: Facts) -> datetime | Missing:
    return MISSING if facts.unsteady else facts.now


def _data(action: Action, facts: Facts) -> Value | Missing:
    return MISSING if facts.unread or UNREADABLE in action.data else _listed(sorted(action.data))


def _given(action: Action, facts: Facts) -> Value | Missing:
    return MISSING if facts.unread else _listed(sorted(action.params))


def _resource(action: Action, facts: Facts) -> str | Missing:
    return MISSING if facts.unread and not action.resource else action.resource


def _instance(action: Action, facts: Facts) -> str | Missing:
    return MISSING if facts.unread and not action.instance else action.instance


def _owned(action: Action, facts: Facts) -> bool | Missing:
    """Only what has one spelling can be told to be ours."""
    if facts.estate.owned is None or not action.instance or plain(action.instance) != action.instance:
        return MISSING
    return wanted(facts.estate.owned).has(action.instance)


def _credential(_: Action, facts: Facts) -> str | Missing:
    return MISSING if facts.estate.credential is None else facts.estate.credential


def _listed(texts: list[str]) -> list[str] | Missing:
    return texts if len(texts) <= MOST_ITEMS else MISSING


NAMES: Mapping[str, Name] = {
    "agent.id": Name(Kind.TEXT, lambda _, facts: facts.agent.id),
    "agent.team": Name(Kind.TEXT, lambda _, facts: facts.agent.team),
    "agent.owner": Name(Kind.TEXT, lambda _, facts: facts.agent.owner),
    "agent.age": Name(Kind.DURATION, _age),
    "agent.permissions": Name(Kind.TEXTS, lambda _, facts: _listed(sorted(facts.agent.permissions))),
    "agent.labels": Name(Kind.LABELS, lambda _, facts: dict(facts.agent.labels)),
    "action.name": Name(Kind.TEXT, lambda action, _: action.name),
    "action.service": Name(Kind.TEXT, lambda action, _: action.service),
    "action.operation": Name(Kind.TEXT, lambda action, _: action.operation),
    "action.resource": Name(Kind.TEXT, _resource),
    "action.instance": Name(Kind.TEXT, _instance),
    "action.access": Name(Kind.TEXT, lambda action, _: action.access.value),
    "action.tier": Name(Kind.TEXT, lambda action, _: action.tier.name),
    "action.count": Name(Kind.INT, lambda action, _: action.count),
    "action.mapped": Name(Kind.BOOL, lambda action, _: action.mapped),
    "request.method": Name(Kind.TEXT, lambda _, facts: facts.request.method),
    "request.scheme": Name(Kind.TEXT, lambda _, facts: facts.request.scheme),
    "request.host": Name(Kind.TEXT, lambda _, facts: facts.request.host),
    "request.port": Name(Kind.INT, lambda _, facts: facts.request.port),
    "request.path": Name(Kind.TEXT, lambda _, facts: facts.request.path),
    "request.credential": Name(Kind.TEXT, _credential),
    "destination.owned": Name(Kind.BOOL, _owned),
    "data": Name(Kind.TEXTS, _data),
    "params": Name(Kind.TEXTS, _given),
    "now": Name(Kind.TIME, _now),
}


def _answer(kind: Kind, read: Callable[[Answered], Value | None]) -> Name:
    """Something of the answer: missing before there is one, and where it can't be told."""

    def get(_: Action, facts: Facts) -> Value | Missing:
        value = None if facts.answered is None else read(facts.answered)
        return MISSING if value is None else value

    return Name(kind, get)


def _answer_data(answered: Answered) -> Value | None:
    listed = MISSING if answered.data is None else _listed(sorted(answered.data))
    return None if listed is MISSING else listed


ESTATE_NAMES = frozenset({"destination.owned", "request.credential"})
"""Read from what the settings say of a destination."""

RESPONSE = "response"
RESPONSE_NAMES: Mapping[str, Name] = {
    "response.status": _answer(Kind.INT, lambda answered: answered.status),
    "response.rows": _answer(Kind.INT, lambda answered: answered.rows),
    "response.data": _answer(Kind.TEXTS, _answer_data),
    "response.size": _answer(Kind.INT, lambda answered: answered.size),
}
"""What rules with `phase: response` may read besides."""


def _said(kind: Kind, read: Callable[[Message], Value]) -> Name:
    """Something of a message: missing where none is decided on."""
    return Name(kind, lambda _, facts: MISSING if facts.message is None else read(facts.message))


MESSAGE = "message"
STREAM_NAMES: Mapping[str, Name] = {
    "message.sent": _said(Kind.BOOL, lambda message: message.sent),
    "message.over": _said(Kind.TEXT, lambda message: message.over),
    "message.text": _said(Kind.BOOL, lambda message: message.text),
    "message.size": _said(Kind.INT, lambda message: len(message.content)),
}
"""What rules with `phase: stream` may read besides."""


def during(hours: Hours) -> Name:
    """`during.<name>`: whether now is in those hours."""
    return Name(Kind.BOOL, lambda _, facts: MISSING if facts.unsteady else hours.has(facts.now))


def param(name: str, kind: Kind) -> Name:
    """`params.<name>`: missing where it was not given, where nobody read it, or where it is not of its kind."""

    def get(action: Action, _: Facts) -> Value | Missing:
        if name not in action.params:
            return MISSING
        value = action.params[name]
        return _plain(value) if kind is Kind.ANY or kind is _kind(value) else MISSING

    return Name(kind, get)


def _kind(value: str | int | bool | Money | tuple[str, ...]) -> Kind:  # noqa: FBT001  # one of the types of a parameter
    match value:
        case bool():
            return Kind.BOOL
        case str():
            return Kind.TEXT
        case int():
            return Kind.INT
        case Money():
            return Kind.MONEY
        case tuple():
            return Kind.TEXTS


def _plain(value: str | int | bool | Money | tuple[str, ...]) -> Value | Missing:  # noqa: FBT001
    match value:
        case Money():
            money: dict[str, str | int] = {"minor": value.minor, "currency": value.currency}
            return money
        case tuple():
            return _listed(list(value))
        case _:
            return value
