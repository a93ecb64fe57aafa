"""PostgREST, as Supabase has it: tables by method and path, the rows by filters in the query, functions by their names."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from outgate.actions.access import judge
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation
from outgate.actions.unreadable import unreadable
from outgate.intake.bodies import Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param as Value
    from outgate.actions.languages import Envelope
    from outgate.actions.vocabulary import Kind
    from outgate.intake.request import Request

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_FILTERS = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict", "apikey"})
_TOGETHER = frozenset({"and", "or"})
_PICKING = re.compile(
    r"(?:eq|in|match|imatch|cs|cd|ov|sl|sr|nxr|nxl|adj|fts|plfts|phfts|wfts)(?:\([^)]*\))?\..+"
    r"|is\.(?:null|true|false|unknown)|i?like(?:\([^)]*\))?\.(?=.*[^*%{}, ]).+|[lg]te?\.(?!-|0*(?:\.0*)?$).+",
    re.DOTALL,
)
"""Filters that pick some rows. `not.`, `neq`, `like.*`, `gt.0` leave nearly all of them."""
_INNER = re.compile(r"(?<![.\w])(?:\w+:)?(\w+)(?:!\w+)*\(")
"""A table in `select=*,orders(id)`; `amount.sum()` is none."""
_COLUMN = re.compile(r"[\w*]+")
_NAME = re.compile(r"\w{1,128}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_RANGE = re.compile(r"(?:items=)?([0-9]{1,9})-([0-9]{1,9})")
_UPSERTS = "resolution=merge-duplicates"

_PARAMS: Mapping[str, Kind] = {
    "tables": "list",
    "columns": "list",
    "names": "list",
    "schema": "string",
    "limit": "int",
    "where": "bool",
    "dry_run": "bool",
}
_KINDS: Final = {
    "select": (Access.READ, Tier.T0, "it reads rows"),
    "insert": (Access.WRITE, Tier.T1, "it adds rows"),
    "upsert": (Access.WRITE, Tier.T1, "it adds rows, and changes those that are there"),
    "update": (Access.WRITE, Tier.T1, "it changes rows"),
    "delete": (Access.DELETE, Tier.T2, "it deletes rows"),
    "call": (Access.EXECUTE, Tier.T1, "it calls a function of the database"),
}
_METHODS: Final = {"POST": "insert", "PUT": "upsert", "PATCH": "update", "DELETE": "delete"}
_BULK = "all rows, or nearly: no filter says which"


def operations(service: str) -> tuple[Operation, ...]:
    """What a service that speaks PostgREST may be told."""
    return tuple(
        Operation(service=service, operation=f"postgrest.{kind}", access=access, tier=tier, why=why, params=_PARAMS)
        for kind, (access, tier, why) in _KINDS.items()
    )


def read(envelope: Envelope) -> tuple[Action, ...]:
    """Give what is done to a table (`{table}` in the path), or by a function (`{function}`)."""
    request, arguments = envelope.request, envelope.arguments
    query = arguments.query()
    if isinstance(query, Undecodable):
        return (unreadable(envelope.service.name, envelope.action.resource, query.why),)
    try:
        said = _said(request, query)
    except ValueError as error:
        return (unreadable(envelope.service.name, envelope.action.resource, str(error)),)
    function = envelope.action.params.get("function")
    if isinstance(function, str):
        return (_called(envelope, function, said),)
    return _of_table(envelope, query, said)


def _said(request: Request, query: tuple[tuple[str, str], ...]) -> dict[str, Value]:
    """What headers and query say beside filters. Raises ValueError for what is said twice."""
    reading = request.method in _READING
    schema = request.header("accept-profile" if reading else "content-profile")
    preferred = {word.strip() for name, value in request.headers if name == "prefer" for word in value.split(",")}
    columns = [value for name, value in query if name == "select"]
    limits = [value for name, value in query if name == "limit"]
    if len(limits) > 1 or len(columns) > 1:
        raise ValueError("'limit' or 'select' is said twice.")
    said: dict[str, Value] = {"dry_run": True} if "tx=rollback" in preferred else {}
    if schema is not None:
        said["schema"] = schema
    ranged = _RANGE.fullmatch(request.header("range") or "")
    if limits and _DIGITS.fullmatch(limits[0]):
        said["limit"] = int(limits[0])
    elif ranged and int(ranged[2]) >= int(ranged[1]) and reading:
        said["limit"] = int(ranged[2]) - int(ranged[1]) + 1
    return said


def _of_table(envelope: Envelope, query: tuple[tuple[str, str], ...], said: dict[str, Value]) -> tuple[Action, ...]:
    table, method = str(envelope.action.params.get("table", "")), envelope.request.method
    if not _NAME.fullmatch(table):
        return (unreadable(envelope.service.name, envelope.action.resource, "The table has a name that is read differently."),)
    selected = next((value for name, value in query if name == "select"), "*" if method in _READING else "")
    tables = tuple(dict.fromkeys((table, *_INNER.findall(selected))))
    columns = tuple(dict.fromkeys(_COLUMN.findall(selected)))
    kind = _kind(envelope.request)
    _, tier, why = _KINDS[kind]
    params: dict[str, Value] = {**said, "tables": tables, "columns": columns}
    if kind in {"update", "delete"}:
        params["where"] = picks = any(_picks(name, value) for name, value in query)
        tier, why = (tier, why) if picks else (Tier.T3, _BULK)
    return (replace(_action(envelope, kind, ", ".join(tables), params), tier=tier, why=why),)


def _kind(request: Request) -> str:
    kind = _METHODS.get(request.method, "select")
    prefer = ",".join(value for name, value in request.headers if name == "prefer").replace(" ", "")
    return "upsert" if kind == "insert" and _UPSERTS in prefer.split(",") else kind


def _picks(name: str, value: str) -> bool:
    """Filters of inner tables (`orders.id`) pick none of this one."""
    if name in _NO_FILTERS or "." in name:
        return False
    if name not in _TOGETHER:
        return _PICKING.fullmatch(value) is not None
    inner = list(_conditions(value))
    return bool(inner) and (all if name == "or" else any)(inner)


def _conditions(value: str) -> Iterator[bool]:
    """The parts of `(a.eq.1,b.in.(1,2))`; what is nested further picks nothing that could be told."""
    if not (value.startswith("(") and value.endswith(")")):
        return
    for part in re.split(r",(?![^(]*\))", value[1:-1]):
        column, _, condition = part.partition(".")
        yield _NAME.fullmatch(column) is not None and column != "not" and _PICKING.fullmatch(condition) is not None


def _called(envelope: Envelope, function: str, said: dict[str, Value]) -> Action:
    judged = judge(function)
    access, tier, why = _KINDS["call"]
    if envelope.request.method not in _READING and not (judged.access.only_reads or judged.access is Access.UNKNOWN):
        access, tier, why = judged.access, max(tier, judged.tier), "it calls a function whose name says so"
    made = _action(envelope, "call", function, {**said, "names": (function,)})
    return replace(made, access=access, tier=tier, why=why)


def _action(envelope: Envelope, kind: str, resource: str, params: dict[str, Value]) -> Action:
    carrier, (access, tier, why) = envelope.action, _KINDS[kind]
    kept = {name: value for name, value in carrier.params.items() if name not in {"table", "function"}}
    return Action(
        service=carrier.service,
        operation=f"postgrest.{kind}",
        resource=resource,
        access=access,
        tier=tier,
        params={**kept, **params},
        instance=carrier.instance,
        confidence=Confidence.PROTOCOL,
        why=why,
        evidence=(*carrier.evidence, carrier.operation, "postgrest"),
    )
