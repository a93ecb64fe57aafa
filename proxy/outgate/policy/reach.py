"""Reach: which known operations a rule can meet, and what it names that nobody knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access
from outgate.policy.shapes import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from outgate.actions.catalog import Catalog
    from outgate.actions.operation import Operation
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
    if any(_meets(said, operation.name) for operation in _operations(said, catalog)):
        return None
    return f"no action '{said}' is known{_meant_action(said, catalog)}"


def _meant_action(said: str, catalog: Catalog) -> str:
    """The nearest action; where the service is known, of that service."""
    service = said.partition(".")[0]
    own = [operation.name for operation in catalog.operations(service)]
    remedy = meant(said, own or [operation.name for operation in catalog.listed()])
    if own or remedy.startswith(", did"):
        return remedy
    return ", `outgate explain` says the name of a request's action"


def _operations(said: str, catalog: Catalog) -> Iterator[Operation]:
    """Those of the services that an action's name can be of."""
    head, dot, _ = said.partition(".")
    whole = bool(dot) and "*" not in head
    for service in (head,) if whole else catalog.services():
        if whole or _meets(said, f"{service}.*") or _meets(head, service):
            yield from catalog.operations(service)


def reach(scope: Scope, catalog: Catalog) -> tuple[Operation, ...]:
    """The operations that a scope can meet, by service, action and access. Tiers depend on the request: they are not asked.

    Of a scope that names neither service nor action, those that files list stand for all: there are too many.
    """
    service, action, access = scope.test("service"), scope.test("action"), scope.test("access")
    met = catalog.services() if service is None else tuple(name for name in catalog.services() if service.wanted.has(name))
    if service is not None:
        known: Iterable[Operation] = (operation for name in met for operation in catalog.operations(name))
    elif action is not None:
        known = {operation.name: operation for said in _said(action) for operation in _operations(said, catalog)}.values()
    else:
        known = catalog.listed()
    named = tuple(
        operation
        for operation in known
        if (service is None or service.wanted.has(operation.service)) and (action is None or _wants(action, operation))
    )
    if access is None:
        return named
    return tuple(operation for operation in named if access.wanted.has(operation.access.value)) or named


def models(scope: Scope, catalog: Catalog) -> frozenset[str]:
    """The services that a scope meets and of which some operation has a language model answer."""
    met = {operation.service for operation in reach(scope, catalog)}
    answers = (o for o in catalog.listed() if "model" in o.params and o.access is Access.EXECUTE)
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
