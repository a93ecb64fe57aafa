"""GraphQL: one action for each field of the root that a request runs, and for each set of arguments that it does so with."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outgate.actions.access import judge
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, Unclear, is_coded, is_json, read_param
from outgate.actions.operation import Operation
from outgate.actions.protocols.graphql_arguments import FieldArguments, free, resource_of, said
from outgate.actions.protocols.graphql_document import is_loaded, operations_of, preload
from outgate.actions.protocols.graphql_request import calls_of
from outgate.actions.protocols.guess import guessed
from outgate.actions.unreadable import unreadable
from outgate.actions.written import param_of
from outgate.intake.bodies import Undecodable
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from outgate.actions.action import Param as Value
    from outgate.actions.languages import Envelope
    from outgate.actions.operation import Param
    from outgate.actions.protocols.graphql_document import Operation as Asked
    from outgate.actions.protocols.graphql_document import Root
    from outgate.actions.protocols.graphql_request import Call
    from outgate.actions.service import Service
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

    type _Knows = Callable[[str, str], _Known]

MOST = 100
"""Actions of one request. Of more, those of a field are one, without arguments."""
HEAVY = 2048
"""Bytes of a body from which on a document is parsed in a process of its own."""

_READING = frozenset({"GET", "HEAD"})
_ESCAPED = re.compile(rb"\\u00[2-7]")
"""A plain character that is written as an escape: a key may be there that can't be seen."""
_GUESSED = "graphql"
_MUTATION = "mutation"
OPERATIONS = (
    Operation(service=_GUESSED, operation="query.*", access=Access.READ, tier=Tier.T0, why="by the fields of the document"),
    Operation(
        service=_GUESSED, operation="subscription.*", access=Access.READ, tier=Tier.T0, why="by the fields of the document"
    ),
    Operation(service=_GUESSED, operation="mutation.*", access=Access.UNKNOWN, tier=Tier.T2, why="by the fields of the document"),
    Operation(service=_GUESSED, operation="stored", access=Access.UNKNOWN, tier=Tier.T2, why="by the fields of the document"),
    Operation(service=_GUESSED, operation="unreadable", access=Access.UNKNOWN, tier=Tier.T2, why="by the fields of the document"),
)
_STORED = "graphql.stored"
_READS = "a GraphQL query reads"


__all__ = [
    "HEAVY",
    "OPERATIONS",
    "guess",
    "heavy",
    "is_loaded",
    "may_be",
    "operations",
    "preload",
    "read",
    "spoken",
    "wants_body",
]


def operations(service: str) -> tuple[Operation, ...]:
    """What a service may be told in GraphQL, beside what was mined of it."""

    def one(name: str, access: Access, tier: Tier, why: str) -> Operation:
        return Operation(service=service, operation=name, access=access, tier=tier, why=why)

    return (
        one("graphql.query.*", Access.READ, Tier.T0, _READS),
        one("graphql.subscription.*", Access.READ, Tier.T0, _READS),
        one("graphql.mutation.*", Access.UNKNOWN, Tier.T2, "what a mutation does is judged by its name"),
        one(_STORED, Access.UNKNOWN, Tier.T2, "only the server knows the document"),
    )


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why servers may read a request in another way than the one that was found."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A field of the root as a call runs it. `arguments` are None where something in them is said twice."""

    kind: str
    root: Root
    arguments: Mapping[str, JsonValue] | None
    call: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a field: the operation, and the arguments worth having. None: nobody listed them."""

    operation: Operation
    params: tuple[Param, ...] | None = None
    confidence: Confidence = Confidence.PROTOCOL


def read(envelope: Envelope) -> tuple[Action, ...]:
    """Give the actions of a request to a service that speaks GraphQL. The operation that carries them does nothing itself."""
    service, resource = envelope.service, envelope.action.resource
    calls = calls_of(envelope.request, envelope.arguments)
    found = _found(calls, envelope.request, service.name, lambda kind, name: _known(service, kind, name))
    return tuple(
        replace(action, resource=action.resource or resource, instance=action.instance or envelope.action.instance)
        for action in found
    )


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared could be GraphQL, from its head alone."""
    return not request.websocket and (
        (request.method == "POST" and (is_json(request) or _at_home(request)))
        or (request.method in _READING and _at_home(request) and "query" in (request.query or ""))
    )


def wants_body(request: Request) -> bool:
    """Whether a request that may be GraphQL must be seen whole to know."""
    return request.method not in _READING


def heavy(request: Request) -> bool:
    """Whether what may be GraphQL at a host that nobody declared takes long to parse, or longer as nothing was parsed yet."""
    if not isinstance(request.body, WholeBody) or not may_be(request):
        return False
    content = request.body.content
    said = b"query" in content or _ESCAPED.search(content) is not None or is_coded(request)
    return said and (len(content) >= HEAVY or not is_loaded())


def spoken(request: Request, service: Service) -> tuple[Action, ...]:
    """Give the actions of a request to a host that is declared to speak GraphQL; none where it is something else there."""
    return _named(request, lambda kind, name: _judged(service.name, kind, name))


def guess(request: Request) -> tuple[Action, ...]:
    """Give the actions of what reads as GraphQL at a host that nobody declared, or that stands where GraphQL does."""
    found = _named(request, lambda kind, name: _judged(_GUESSED, kind, name))
    return tuple(guessed(action, request, "GraphQL") for action in found)


def _named(request: Request, known: _Knows) -> tuple[Action, ...]:
    """Where the service is GraphQL itself, its operations need not say so."""
    calls = calls_of(request, Arguments(request))
    if not _at_home(request) and (isinstance(calls, Undecodable) or not any(_is_graphql(call) for call in calls)):
        return ()
    where = f"{request.authority}{request.path}"
    return tuple(
        replace(action, operation=action.operation.removeprefix("graphql."), resource=action.resource or where)
        for action in _found(calls, request, _GUESSED, known)
    )


def _at_home(request: Request) -> bool:
    return request.path.rstrip("/").lower().endswith(("/graphql", "/gql", "/graphql.json"))


def _is_graphql(call: Call) -> bool:
    return bool(call.document) and not isinstance(operations_of(call.document), Undecodable)


def _found(calls: tuple[Call, ...] | Undecodable, request: Request, service: str, known: _Knows) -> tuple[Action, ...]:
    if isinstance(calls, Undecodable):
        return (unreadable(service, "", calls.why),)
    if request.method not in {*_READING, "POST"}:
        return (unreadable(service, "", "GraphQL is asked by GET and POST alone."),)
    runs = [run for at, call in enumerate(calls) for run in _runs(call, at)]
    faults = [run.why for run in runs if isinstance(run, _Fault)]
    fields = [run for run in runs if isinstance(run, _Run)]
    if request.method in _READING and any(run.kind == _MUTATION for run in fields):
        faults.append("A mutation comes by GET, which servers refuse or don't.")
    actions, more = _actions(fields, request, known)
    stored = [_stored(service, call) for call in calls if call.stored]
    return (*actions, *stored, *(unreadable(service, "", why) for why in (*faults, *more)[:1]))


def _runs(call: Call, at: int) -> Iterator[_Run | _Fault]:
    if not call.document:
        return
    asked = operations_of(call.document)
    if isinstance(asked, Undecodable):
        yield _Fault(asked.why)
        return
    picked = tuple(one for one in asked if one.name == call.operation) if call.operation else asked
    if len(picked) != 1:
        yield _Fault("The request does not say which operation of its document is meant.")
    for one in picked or asked:
        yield from _fields(one, call, at)


def _fields(asked: Asked, call: Call, at: int) -> Iterator[_Run | _Fault]:
    for root in asked.roots:
        arguments = said(root.arguments, call.variables, asked.defaults)
        if arguments is None:
            yield _Fault(f"An argument of '{root.name}' is said twice.")
        yield _Run(kind=asked.kind, root=root, arguments=arguments, call=at)


def _actions(runs: list[_Run], request: Request, known: _Knows) -> tuple[list[Action], list[str]]:
    """What has one key is run once, so keys are what is counted: whatever fragments and aliases say again."""
    found: dict[tuple[str, str, tuple[tuple[str, Value], ...]], set[tuple[int, str]]] = {}
    unclear: list[str] = []
    listed: dict[tuple[str, str], _Known] = {}
    for run in runs:
        of = listed.setdefault((run.kind, run.root.name), known(run.kind, run.root.name))
        params, fault = _params(run, of, request)
        unclear.extend(fault)
        found.setdefault((run.kind, run.root.name, tuple(params.items())), set()).add((run.call, run.root.key))
    if len(found) > MOST:
        found, whole = {}, found
        for (kind, name, _), keys in whole.items():
            found.setdefault((kind, name, ()), set()).update(keys)
    made = [_action(listed[kind, name], dict(params), len(keys)) for (kind, name, params), keys in found.items()]
    if len(made) > MOST:
        unclear.append("The request does too many things at once.")
        made = sorted(made, key=lambda action: -action.tier)[:MOST]
    return made, unclear


def _params(run: _Run, known: _Known, request: Request) -> tuple[dict[str, Value], list[str]]:
    if run.arguments is None:
        return {}, []
    if known.params is None:
        return free(run.arguments), []
    arguments = FieldArguments(request, run.arguments)
    read = {param.name: read_param(param, arguments) for param in known.params}
    unclear = [f"'{name}' is not of its kind, or is said twice." for name, value in read.items() if isinstance(value, Unclear)]
    return {name: value for name, value in read.items() if value is not None and not isinstance(value, Unclear)}, unclear


def _action(known: _Known, params: dict[str, Value], count: int) -> Action:
    operation = known.operation
    return Action(
        service=operation.service,
        operation=operation.operation,
        resource=resource_of(params),
        access=operation.access,
        tier=operation.tier,
        params=params,
        count=count,
        confidence=known.confidence,
        why=operation.why,
        evidence=operation.evidence,
    )


def _stored(service: str, call: Call) -> Action:
    known = next(one for one in operations(service) if one.operation == _STORED)
    return Action(
        service=service,
        operation=_STORED,
        resource=call.stored if call.stored.isprintable() else "",
        access=known.access,
        tier=known.tier,
        confidence=Confidence.UNKNOWN,
        why=known.why,
        evidence=("graphql",),
    )


def _known(service: Service, kind: str, name: str) -> _Known:
    """What people and machines say of a field, else what its name does. Names that are the agent's own are not remembered."""
    key = "graphql", kind, name
    found: _Known | None = service.at_hand.get(key)
    if found is None:
        found = _listed(service, kind, name)
        if found is None:
            return _judged(service.name, kind, name)
        service.at_hand[key] = found
    return found


def _listed(service: Service, kind: str, name: str) -> _Known | None:
    full = f"graphql.{kind}.{name}"
    fact, over = service.mined.fact(full), service.overrides.get(full)
    if fact is None and over is None:
        return None
    judged = _judged(service.name, kind, name, *((fact.level, fact.marks) if fact else ())).operation
    mined = tuple(filter(None, (param_of(*text.split(" ", 1)) for text in fact.params))) if fact else ()
    by_hand = over.params if over else ()
    names = {param.name for param in by_hand}
    params = (*by_hand, *(param for param in mined if param.name not in names))
    evidence = (*((f"mined/{service.name}",) if fact else ()), *((f"services/{service.name}",) if over else ()))
    return _Known(
        operation=replace(
            judged,
            access=(over and over.access) or judged.access,
            tier=judged.tier if over is None or over.tier is None else over.tier,
            why=judged.why if over is None or over.why is None else over.why,
            evidence=(*evidence, *judged.evidence),
        ),
        params=params or None,
        confidence=Confidence.CATALOG,
    )


def _judged(service: str, kind: str, name: str, level: str = "", marks: str = "") -> _Known:
    """A query reads: that is what GraphQL means by one. A mutation is no read, whatever its name says."""
    if kind != _MUTATION:
        judged = judge(name, level=level or "r", marks=marks)
        access, tier, why = (
            (Access.READ, judged.tier, judged.why) if judged.access.only_reads else (judged.access, judged.tier, "")
        )
    else:
        judged = judge(name, level=level, marks=marks)
        reads = judged.access.only_reads
        access, tier, why = (
            (Access.WRITE, Tier.T1, "a mutation, whatever its name says") if reads else (judged.access, judged.tier, judged.why)
        )
    meta = ("introspection",) if name.startswith("__") else ()
    return _Known(
        operation=Operation(
            service=service,
            operation=f"graphql.{kind}.{name}",
            access=access,
            tier=tier,
            why=why,
            evidence=(f"graphql {kind}", *meta, *judged.evidence),
        )
    )
