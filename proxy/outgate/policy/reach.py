"""Reach: which known operations a rule can meet, and what it names that nobody knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access
from outgate.policy.shapes import meant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

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
    if any(_meets(said, operation.name) for operation in _operations(said, catalog, catalog.services())):
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


def _operations(said: str, catalog: Catalog, among: Collection[str]) -> Iterator[Operation]:
    """Those of the services that an action's name can be of."""
    head, dot, rest = said.partition(".")
    whole = bool(dot) and "*" not in head
    for service in among:
        if service == head if whole else _meets(said, f"{service}.*") or _meets(head, service):
            yield from catalog.each(service, rest.partition("*")[0] if whole else "")


def reach(scope: Scope, catalog: Catalog) -> tuple[Operation, ...]:
    """Every operation that `met` gives."""
    return tuple(met(scope, catalog))


def met(scope: Scope, catalog: Catalog, only: str = "") -> Iterator[Operation]:
    """Give the operations that a scope can meet, by service, action and access. Tiers depend on the request: they are not asked.

    Only as many as are asked for are looked up: a service may have thousands. Where nothing has that access, all of any access.
    Of a scope that names neither service nor action, those that files list stand for all: there are too many. `only`: of this
    service.
    """
    access, none = scope.test("access"), True
    for operation in _named(scope, catalog, only):
        if access is None or access.wanted.has(operation.access.value):
            none = False
            yield operation
    if none and access is not None:
        yield from _named(scope, catalog, only)


def _named(scope: Scope, catalog: Catalog, only: str) -> Iterator[Operation]:
    service, action = scope.test("service"), scope.test("action")
    among = [name for name in (catalog.services() if not only else (only,)) if service is None or service.wanted.has(name)]
    if action is not None:
        yield from _wanted(action, catalog, among)
    elif service is not None:
        yield from (one for name in among for one in catalog.each(name))
    else:
        yield from (one for one in catalog.listed() if only in {"", one.service})


def _wanted(action: Test, catalog: Catalog, among: Collection[str]) -> Iterator[Operation]:
    seen: set[str] = set()
    for said in _said(action):
        for operation in _operations(said, catalog, among):
            if operation.name not in seen and _wants(action, operation):
                seen.add(operation.name)
                yield operation


def services(scope: Scope, catalog: Catalog) -> frozenset[str]:
    """The services of which a scope can meet some operation."""
    asked = {operation.service for operation in catalog.listed()}
    return frozenset(name for name in asked if next(met(scope, catalog, name), None) is not None)


def can_meet(access: Test, scope: Scope, catalog: Catalog) -> bool:
    """Whether something that a scope meets has this access, or may have."""
    return any(is_open(operation) or access.wanted.has(operation.access.value) for operation in met(scope, catalog))


def models(scope: Scope, catalog: Catalog) -> frozenset[str]:
    """The services that a scope meets and of which some operation has a language model answer."""
    return frozenset(name for name in services(scope, catalog) if any(map(_answers, _spoken_of(name, catalog))))


def _spoken_of(name: str, catalog: Catalog) -> Iterator[Operation]:
    """Those of a service that people wrote something of."""
    yield from (operation for operation in catalog.listed() if operation.service == name)
    service = catalog.service(name)
    for said, over in service.overrides.items() if service is not None else ():
        if any(param.name == "model" for param in over.params) and (found := catalog.operation(f"{name}.{said}")) is not None:
            yield found


def _answers(operation: Operation) -> bool:
    return "model" in operation.params and operation.access is Access.EXECUTE


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
