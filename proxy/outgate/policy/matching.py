"""Whether what a rule asks for holds of one action: it matches, it does not, or that can't be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from outgate.actions.action import Money
from outgate.actions.paths import readings
from outgate.inspect.secrets import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from outgate.actions.action import Action
    from outgate.policy.facts import Facts


class Holds(Enum):
    """Told apart with certainty."""

    MATCH = "match"
    NO_MATCH = "no-match"


@dataclass(frozen=True, slots=True)
class Erred:
    """It can't be told. `code` is ours, from a closed set and names of the policy: never a value that an agent sent."""

    code: str


type Truth = Holds | Erred

MATCH, NO_MATCH = Holds.MATCH, Holds.NO_MATCH


def opposite(truth: Truth) -> Truth:
    """An error stays one."""
    match truth:
        case Holds.MATCH:
            return NO_MATCH
        case Holds.NO_MATCH:
            return MATCH
        case Erred():
            return truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Texts, and patterns in which `*` stands for any text, also across `/` and `.`."""

    texts: frozenset[str] = frozenset()
    globs: tuple[tuple[str, ...], ...] = ()
    """Each pattern cut at its `*`. Matched by search, never by backtracking: the text is an agent's."""

    def has(self, text: str) -> bool:
        return text in self.texts or any(_fits(parts, text) for parts in self.globs)

    def covers(self, other: Wanted) -> bool:
        """Whether it has every text that `other` has. Sound, not complete."""
        return all(map(self.has, other.texts)) and all(self.has("*".join(parts)) for parts in other.globs)

    def __str__(self) -> str:
        return ", ".join(sorted(self.texts | {"*".join(parts) for parts in self.globs}))


def wanted(texts: Iterable[str], *, fold: bool = False) -> Wanted:
    """Texts as an operator writes them."""
    said = [text.casefold() if fold else text for text in texts]
    return Wanted(
        texts=frozenset(text for text in said if "*" not in text),
        globs=tuple(sorted(tuple(text.split("*")) for text in said if "*" in text)),
    )


def _fits(parts: tuple[str, ...], text: str) -> bool:
    first, *inner, last = parts
    if not text.startswith(first):
        return False
    at = len(first)
    for part in inner:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - at >= len(last) and text.endswith(last)


@dataclass(frozen=True, slots=True)
class Partly:
    """Values that are there, where there may be more: what is not among them can't be told."""

    known: frozenset[str]
    code: str


type Have = str | frozenset[str] | Partly | Erred
type Reader = Callable[[Action, Facts], Have]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One key of `match`.

    A restriction ignores case and holds when one of several values is wanted; a permission takes case as it is and holds
    when all are: what is ambiguous is restricted.
    """

    key: str
    wanted: Wanted
    permits: bool
    read: Reader = field(compare=False, repr=False)
    fold: bool = False

    def holds(self, action: Action, facts: Facts) -> Truth:
        have = self.read(action, facts)
        if isinstance(have, str):
            return MATCH if self.wanted.has(have.casefold() if self.fold else have) else NO_MATCH
        if isinstance(have, frozenset):
            return MATCH if self._among(have) else NO_MATCH
        if isinstance(have, Partly) and not self.permits and self._among(have.known):
            return MATCH
        return Erred(have.code)

    def _among(self, have: frozenset[str]) -> bool:
        values = (value.casefold() for value in have) if self.fold else iter(have)
        return bool(have) and all(map(self.wanted.has, values)) if self.permits else any(map(self.wanted.has, values))

    def covers(self, other: Test) -> bool:
        """Whether it holds wherever `other`, of the same key, holds."""
        return self.fold >= other.fold and self.permits <= other.permits and self.wanted.covers(_folded(other, self.fold))


def _folded(test: Test, fold: bool) -> Wanted:  # noqa: FBT001
    if not fold or test.fold:
        return test.wanted
    return wanted([*test.wanted.texts, *("*".join(parts) for parts in test.wanted.globs)], fold=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """All of `match`: every test must hold. Without any it is everything."""

    tests: tuple[Test, ...] = ()

    def test(self, key: str) -> Test | None:
        return next((test for test in self.tests if test.key == key), None)

    def covers(self, other: Scope) -> bool:
        """Whether it holds wherever `other` holds. Sound, not complete."""
        pairs = ((test, other.test(test.key)) for test in self.tests)
        return all(found is not None and test.covers(found) for test, found in pairs)


FOLDED = frozenset({"resource", "instance"})
"""Keys whose values services often compare without case: `Acme/Site` is `acme/site`. All of `params.*` too."""


def reader(key: str) -> Reader:
    """How the value of a key of `match` is read. Raises KeyError for what is no key."""
    if key.startswith("params."):
        return _param_reader(key.removeprefix("params."))
    if key.startswith("agent.label."):
        return _label_reader(key.removeprefix("agent.label."))
    return _READERS[key]


def folds(key: str) -> bool:
    """Whether a restriction on this key ignores case."""
    return key in FOLDED or key.startswith("params.")


def _param_reader(name: str) -> Reader:
    missing, other = Erred(f"missing:params.{name}"), Erred(f"type:params.{name}")

    def read(action: Action, _: Facts) -> str | frozenset[str] | Erred:
        if name not in action.params:
            return missing
        match action.params[name]:
            case bool() as truth:
                return "true" if truth else "false"
            case str() as text:
                return text
            case int() as number:
                return str(number)
            case tuple() as texts:
                return frozenset(texts)
            case Money():
                return other

    return read


def _label_reader(name: str) -> Reader:
    def read(_: Action, facts: Facts) -> str | frozenset[str]:
        return facts.agent.labels.get(name, frozenset())

    return read


def _resource(action: Action, facts: Facts) -> str | frozenset[str] | Erred:
    """What one server takes for another path is several at once: a restriction holds for any, a permission for all."""
    if facts.unread and not action.resource:
        return Erred("missing:resource")
    found = readings(action.resource)
    return action.resource if len(found) == 1 else found


def _instance(action: Action, facts: Facts) -> str | frozenset[str] | Erred:
    if facts.unread and not action.instance:
        return Erred("missing:instance")
    found = readings(action.instance)
    return action.instance if len(found) == 1 else found


def _data(action: Action, facts: Facts) -> frozenset[str] | Partly:
    """What is in a body that could not be looked into is not known, whatever was found around it."""
    return Partly(action.data, "missing:data") if facts.unread or UNREADABLE in action.data else action.data


_READERS: dict[str, Reader] = {
    "action": lambda action, _: action.name,
    "service": lambda action, _: action.service,
    "access": lambda action, _: action.access.value,
    "tier": lambda action, _: action.tier.name,
    "mapped": lambda action, _: "true" if action.mapped else "false",
    "resource": _resource,
    "instance": _instance,
    "data": _data,
    "host": lambda _, facts: facts.request.host,
    "method": lambda _, facts: facts.request.method,
    "agent.id": lambda _, facts: facts.agent.id,
    "agent.team": lambda _, facts: facts.agent.team,
}

KEYS = tuple(_READERS)
