"""Reach: which known operations a rule can meet, and what it names that nobody knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access
from outgate.policy.shapes import meant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.actions.catalog import Catalog, Operation
    from outgate.policy.matching import Scope, Test

_MOST_NAMED = 3
_BY_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}|unreadable|tunnel")
"""What no table lists is its service (`http` where nobody knows the host) and its method; what can't be read says so."""


def unknown(key: str, said: str, catalog: Catalog) -> str | None:
    """What is wrong with an action or a service that a rule names; None where it can be met."""
    if key == "service":
        found = any(_meets(said, service) for service in catalog.services())
        return None if found else f"no service '{said}' is known{meant(said, catalog.services())}"
    service, _, operation = said.partition(".")
    if service in catalog.services() and _BY_METHOD.fullmatch(operation):
        return None
    if any(_meets(said, operation.name) for operation in catalog.operations()):
        return None
    return f"no action '{said}' is known{_meant_action(said, catalog)}"


def _meant_action(said: str, catalog: Catalog) -> str:
    """The nearest action; where the service is known, of that service."""
    names = [operation.name for operation in catalog.operations()]
    own = [name for name in names if name.startswith(f"{said.partition('.')[0]}.")]
    remedy = meant(said, own or names)
    if own or remedy.startswith(", did"):
        return remedy
    return ", `outgate explain` says the name of a request's action"


def reach(scope: Scope, catalog: Catalog) -> tuple[Operation, ...]:
    """The operations that a scope can meet, by service, action and access. Tiers depend on the request: they are not asked."""
    service, action, access = scope.test("service"), scope.test("action"), scope.test("access")
    named = tuple(
        operation
        for operation in catalog.operations()
        if (service is None or service.wanted.has(operation.service)) and (action is None or _wants(action, operation))
    )
    if access is None:
        return named
    return tuple(operation for operation in named if access.wanted.has(operation.access.value)) or named


def models(scope: Scope, catalog: Catalog) -> frozenset[str]:
    """The services that a scope meets and of which some operation has a language model answer."""
    met = {operation.service for operation in reach(scope, catalog)}
    answers = (o for o in catalog.operations() if "model" in o.params and o.access is Access.EXECUTE)
    return frozenset(operation.service for operation in answers) & met


def named(operations: Sequence[Operation]) -> str:
    """The first of them, for people, and how many more."""
    names = [operation.name for operation in operations[:_MOST_NAMED]]
    more = len(operations) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def is_open(operation: Operation) -> bool:
    """Whether the request chooses the rest of the name, and its parameters."""
    return operation.operation.endswith("*")


def _wants(test: Test, operation: Operation) -> bool:
    if test.wanted.has(operation.name):
        return True
    return is_open(operation) and any(_meets(said, operation.name) for said in _said(test))


def _said(test: Test) -> Iterator[str]:
    yield from test.wanted.texts
    yield from ("*".join(parts) for parts in test.wanted.globs)


def _meets(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in each of which `*` is any text."""
    head, other_head = one.partition("*")[0], other.partition("*")[0]
    if "*" not in one and "*" not in other:
        return one == other
    if "*" not in one or "*" not in other:
        pattern, text = (one, other) if "*" in one else (other, one)
        return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    tail, other_tail = one.rpartition("*")[2], other.rpartition("*")[2]
    heads = head.startswith(other_head) or other_head.startswith(head)
    return heads and (tail.endswith(other_tail) or other_tail.endswith(tail))
