"""What a receipt holds of the facts that a rule may read, so that its request can be decided again: never free text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from outgate.actions.action import Money
from outgate.digest import canonical
from outgate.inspect.mask import masked, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.action import Action, Param
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.policy.facts import Facts

HARMLESS = frozenset(
    {
        *("archive_format", "base", "branch", "capability", "channel", "default_branch", "enablement", "endpoint", "environment"),
        *("event", "events", "intent", "kind", "language", "merge_method", "model", "models", "package_type", "permission"),
        *("ref", "role", "security_product", "state", "tag", "tag_name", "tool_types", "tools", "version", "via", "visibility"),
    }
)
"""Parameters whose texts are words of a service, or names that a resource shows anyway."""

_WORD = re.compile(r"[A-Za-z0-9#][A-Za-z0-9._/:+#-]{0,99}")
"""No space, no `@`, no escape: a name, not a sentence or an address."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_DYNAMIC = frozenset({"mcp"})
"""Services whose parameters a tool invents: nobody knows what is in them."""
_MOST_INTEGER = 2**53 - 1
_MOST_ITEMS, _MOST_PARAMS = 16, 32
_ROOM = 4 * 1024
"""Bytes, about, for the parameters of one request: an agent chooses how many there are."""
_GRANTED = 1024
"""Bytes for an agent's permissions, and for its labels."""
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,62}")


def params_of(actions: Iterable[Action], path: str) -> Iterator[dict[str, Json]]:
    """Give what to say of each action's parameters: all names, and the values that are numbers, truths or known words.

    A text that stands in the `path` is shown there anyway. What is said is left out when there is too much of it.
    """
    shown, room = frozenset(map(unquote, path.split("/"))), _ROOM
    for action in actions:
        names = [name for name in sorted(action.params) if _NAME.fullmatch(name)]
        said = [_param(name, action, shown) for name in names[:_MOST_PARAMS]]
        size = sum(len(str(one)) for one in said)
        if size > room:
            yield {"paramsLeftOut": len(action.params)}
            continue
        room -= size
        more = len(action.params) - len(said)
        yield ({"params": said} if said else {}) | ({"paramsLeftOut": more} if more else {})


def _param(name: str, action: Action, shown: frozenset[str]) -> Json:
    said: dict[str, Json] = {"name": masked(name)}
    if action.service in _DYNAMIC:
        return said
    given = action.params[name]
    value = _value(name, given, shown)
    return said if value is None and not isinstance(given, int | Money) else said | {"value": value}


def _value(name: str, value: Param, shown: frozenset[str]) -> Json:
    """None: it is not written down; that of a number means that it is too large for a receipt."""
    match value:
        case bool():
            return value
        case int():
            return value if abs(value) <= _MOST_INTEGER else None
        case Money(minor=minor, currency=currency):
            sound = abs(minor) <= _MOST_INTEGER and _CURRENCY.fullmatch(currency)
            return {"minor": minor, "currency": currency} if sound else None
        case str():
            return value if (name in HARMLESS or value in shown) and _plain(value) else None
        case tuple():
            plain = name in HARMLESS and len(value) <= _MOST_ITEMS and all(map(_plain, value))
            return list(value) if plain else None


def _plain(value: str) -> bool:
    return _WORD.fullmatch(value) is not None and masked(value) == value


def agent_facts(agent: Agent) -> dict[str, Json]:
    """What an operator says of an agent besides who it is. What there is none of is not there."""
    permissions: list[Json] = [*_fitting(printable(one, 200) for one in sorted(agent.permissions))]
    labels = dict(_labels(agent.labels))
    return {
        **({"permissions": permissions} if permissions else {}),
        **_left_out("permissionsLeftOut", len(agent.permissions) - len(permissions)),
        **({"labels": labels} if labels else {}),
        **_left_out("labelsLeftOut", len(agent.labels) - len(labels)),
        **({"observe": True} if agent.observe else {}),
    }


def _labels(labels: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    """Keys of a receipt are plain names: a label of another kind is left out."""
    written = {name: printable(labels[name], 200) for name in sorted(labels) if _LABEL.fullmatch(name)}
    kept = len(list(_fitting(name + value for name, value in written.items())))
    yield from list(written.items())[:kept]


def _fitting(texts: Iterable[str]) -> Iterator[str]:
    room = _GRANTED
    for text in texts:
        room -= len(canonical(text))
        if room < 0:
            return
        yield text


def _left_out(key: str, count: int) -> dict[str, Json]:
    return {key: count} if count else {}


def known_of(facts: Facts, *, looked: bool) -> dict[str, Json]:
    """Which facts could be told at all. `looked`: classes of data were looked for; else that none are named says nothing."""
    return {"data": looked, "body": not facts.unread, "time": not facts.unsteady}
