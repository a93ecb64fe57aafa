"""Recall: a receipt read back into what was decided on, and which of it the receipt does not say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Money, Tier
from outgate.errors import EvidenceError
from outgate.intake.agents import Agent
from outgate.intake.bodies import DECODED_LIMIT
from outgate.intake.request import Body, NoBody, Request, SpooledBody, UnreadBody
from outgate.policy.decision import Reason
from outgate.policy.effect import EFFECTS, Effect
from outgate.policy.facts import Facts
from outgate.policy.names import ESTATE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from outgate.actions.action import Param
    from outgate.digest import Json
    from outgate.intake.request import Scheme

PARAMS = "params."
_ALTERED = ("…(", "\\u{")
"""What masking and cutting leave in a text: then it is not what was decided on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One action, and the names of facts about it that can't be told. `more`: parameters whose names are not known either."""

    action: Action
    unknown: frozenset[str]
    more: bool = False

    def lacks(self, name: str) -> bool:
        """Whether a fact, by the name that conditions have for it, can't be told."""
        if name in self.unknown:
            return True
        return self.more and name.startswith(PARAMS) and name.removeprefix(PARAMS) not in self.action.params


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What a policy decided once. `answer` is what was done; `approved`: people let it pass. `rules` are those that made it."""

    place: tuple[str, int]
    answer: Effect
    approved: bool
    rules: tuple[str, ...]
    facts: Facts
    actions: tuple[Known, ...]
    looked: bool
    """Data was looked for."""

    @property
    def let_out(self) -> bool:
        return self.answer is Effect.ALLOW


@dataclass(frozen=True, slots=True)
class Fixed:
    """Not the policy's to decide: refused for a reason that another policy has no say in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The receipt does not hold enough. `why` is a sentence's part, the same for all of a kind."""

    why: str


def recall(fields: Mapping[str, Json]) -> Recalled | Fixed | Lost:
    """Read a decision's receipt. Raises EvidenceError where it is none that this version writes."""
    reason = fields.get("reason")
    if reason != Reason.POLICY.value:
        return Fixed(str(reason))
    if fields.get("actionsLeftOut"):
        return Lost("it was more actions than a receipt holds")
    try:
        return _recalled(fields)
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError("a decision does not say what it was about as this version does") from error


def _recalled(fields: Mapping[str, Json]) -> Recalled | Lost:
    asked, said = _table(fields["request"]), fields.get("facts")
    known = _table(said) if said is not None else {}
    agent, lacking = _agent(_table(fields["agent"]))
    request = _request(asked)
    lacking |= {name for name, text in _texts(request).items() if _altered(text)}
    if said is None:
        lacking |= {"agent.permissions", "agent.labels"}
    if known.get("data") is not True:
        lacking.add("data")
    lacking |= ESTATE_NAMES  # settings are not on record
    actions = tuple(_known(_table(one), lacking, old=said is None) for one in _list(fields["actions"]))
    if any(_altered(one.action.name) for one in actions):
        return Lost("its action's name was cut or masked")
    unread = known.get("body") is False or (said is None and isinstance(request.body, UnreadBody) and _unseen(asked))
    if unread and isinstance(request.body, UnreadBody):  # it was wanted, and too large to be kept
        request = replace(request, body=replace(request.body, too_large=True))
    now = datetime.fromisoformat(_text(fields["at"]))
    return Recalled(
        place=(_text(fields["writer"]), _int(fields["seq"])),
        answer=EFFECTS[_text(fields["answer"])],
        approved=_approved(fields.get("approval")),
        rules=tuple(_rules(fields)),
        facts=Facts(now=now, agent=agent, request=request, unread=unread, unsteady=known.get("time") is False),
        actions=actions,
        looked=known.get("data") is True,
    )


def _agent(said: Mapping[str, Json]) -> tuple[Agent, set[str]]:
    since = said.get("since")
    labels = {name: _text(value) for name, value in _table(said.get("labels", {})).items()}
    permissions = frozenset(map(_text, _list(said.get("permissions", []))))
    agent = Agent(
        id=_text(said["id"]),
        team=_text(said["team"]),
        owner=_text(said["owner"]),
        permissions=permissions,
        labels=labels,
        since=datetime.fromisoformat(_text(since)) if since is not None else None,
        observe=said.get("observe") is True,
    )
    lacking = {
        "agent.team": _altered(agent.team),
        "agent.owner": _altered(agent.owner),
        "agent.age": since is None,
        "agent.permissions": bool(said.get("permissionsLeftOut")) or any(map(_altered, permissions)),
        "agent.labels": bool(said.get("labelsLeftOut")) or any(map(_altered, labels.values())),
    }
    return agent, {name for name, lacks in lacking.items() if lacks}


def _request(said: Mapping[str, Json]) -> Request:
    return Request(
        method=_text(said["method"]),
        scheme=_scheme(said["scheme"]),
        host=_text(said["host"]),
        port=_int(said["port"]),
        path=_text(said["path"]),
        query=None,
        headers=(),
        body=_body(_table(said["body"])),
        version=_text(said["version"]),
        websocket=said["websocket"] is True,
        opaque=said.get("uninspected") is True,
    )


def _texts(request: Request) -> dict[str, str]:
    return {"request.method": request.method, "request.host": request.host, "request.path": request.path}


def _scheme(said: Json) -> Scheme:
    match said:
        case "http" | "https":
            return said
        case _:
            raise ValueError(f"{said!r:.20} is no scheme")


def _body(said: Mapping[str, Json]) -> Body:
    """Its length is all that is known of it."""
    length = said["length"]
    if said["read"] == "none":
        return NoBody()
    if said["read"] == "whole" and isinstance(length, int) and length > DECODED_LIMIT:
        return SpooledBody("", length, "")
    return UnreadBody(length if isinstance(length, int) else None)


def _unseen(asked: Mapping[str, Json]) -> bool:
    return _table(asked["body"])["read"] == "not"


def _known(said: Mapping[str, Json], lacking: set[str], *, old: bool) -> Known:
    service, _, operation = _text(said["name"]).partition(".")
    params, unknown = _params(_list(said.get("params", [])))
    resource, instance = _text(said["resource"]), _text(said.get("instance", ""))
    action = Action(
        service=service,
        operation=operation,
        resource=resource,
        instance=instance,
        access=Access(_text(said["access"])),
        tier=Tier(_int(said["tier"])),
        params=params,
        data=frozenset(map(_text, _list(said["data"]))),
        count=_int(said["count"]),
        confidence=Confidence(_text(said["confidence"])),
        exact=said.get("exact") is True,
    )
    more = old or bool(said.get("paramsLeftOut"))
    also = {"action.resource"} if _altered(resource) else set()
    also |= {"action.instance"} if _altered(instance) else set()
    also |= {"params"} if more else set()
    return Known(action=action, unknown=frozenset(lacking | unknown | also), more=more)


def _params(said: Sequence[Json]) -> tuple[dict[str, Param], set[str]]:
    """The values that were written down, and the names of those that were not, which have a placeholder: it is never read."""
    params: dict[str, Param] = {}
    unknown: set[str] = set()
    for one in map(_table, said):
        name, value = _text(one["name"]), one.get("value")
        params[name] = "" if value is None else _param(value)
        if value is None:
            unknown.add(PARAMS + name)
        if value is None and "value" in one:
            unknown.add(PARAMS)  # a number too large for a receipt: no sum of numbers can be told either
        if _altered(name):
            unknown.add("params")
    return params, unknown


def _param(value: Json) -> Param:
    match value:
        case bool() | int() | str():
            return value
        case {"minor": int(minor), "currency": str(currency)}:
            return Money(minor=minor, currency=currency)
        case [*items]:
            return tuple(map(_text, items))
        case _:
            raise ValueError("no parameter is like this")


def _approved(said: Json) -> bool:
    return isinstance(said, dict) and said.get("used") is True


def _rules(fields: Mapping[str, Json]) -> Iterator[str]:
    for rule in map(_table, _list(fields["rules"])):
        if rule["effect"] == fields["answer"] and rule["mode"] == "enforce":
            yield _text(rule["id"])


def _altered(text: str) -> bool:
    return any(mark in text for mark in _ALTERED)


def _table(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise TypeError("not a table")
    return value


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _int(value: Json) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value
