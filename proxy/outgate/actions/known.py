"""Known: everything that the catalog says of one operation, or of one service, for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outgate.actions.action import Confidence
from outgate.actions.router import is_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.action import Access, Tier
    from outgate.actions.catalog import Catalog
    from outgate.actions.mined import Part
    from outgate.actions.operation import Operation, Param, Route, Source, Told, Worse
    from outgate.actions.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One operation: how requests for it look, what is read from them, and where that is from."""

    operation: Operation
    requests: tuple[str, ...]
    """`POST https://api.stripe.com/v1/refunds`, and what tells it apart where method and path are not enough."""
    hosts: tuple[str, ...]
    params: tuple[tuple[str, str, str], ...]
    """Name, kind, and where in the request."""
    worse: tuple[Worse, ...] = ()
    egress: bool = False
    reads: Told | None = None
    source: str = ""
    confidence: Confidence = Confidence.CATALOG


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """One service: its hosts, and how many operations of each tier and access."""

    name: str
    speaks: str
    hosts: tuple[str, ...]
    tiers: Mapping[Tier, int]
    accesses: Mapping[Access, int]
    by_hand: int
    mined: int
    files: tuple[str, ...] = ()
    """The mined ones."""


def known(name: str, catalog: Catalog) -> Known | None:
    """Give what is known of an operation by its name, also one that a request chooses the end of (`mcp.tools/call:…`)."""
    service = catalog.service(name.partition(".")[0])
    operation = catalog.operation(name) or _starred(name, catalog)
    if operation is None:
        return None
    routes = list(_routes(service, operation.operation)) if service is not None else []
    return _made(operation, service, routes)


def summed(name: str, catalog: Catalog) -> Summed | None:
    """Count what is known of a service."""
    service = catalog.service(name)
    if service is None:
        return None
    operations = catalog.operations(name)
    return Summed(
        name=name,
        speaks=service.speaks,
        hosts=service.hosts,
        tiers=Counter(one.tier for one in operations),
        accesses=Counter(one.access for one in operations),
        by_hand=len(service.operations),
        mined=len(operations) - len(service.operations),
        files=tuple(sorted(part.file.rpartition("/")[2] for part in service.mined.parts)),
    )


def _starred(name: str, catalog: Catalog) -> Operation | None:
    found = catalog.operations(name.partition(".")[0])
    fitting = (one for one in found if one.name.endswith("*") and name.startswith(one.name[:-1]))
    return max(fitting, key=lambda one: len(one.name), default=None)


def _routes(service: Service, operation: str) -> Iterator[tuple[str, Route, Part | None]]:
    """Each way to ask for it: the request, its route, and the mined part that it is of."""
    for method, template, route in service.routes.routes():
        if route.operation.operation == operation:
            yield f"{method} {_named(template, route.captures)}", route, None
    if operation in {one.operation for one in service.operations}:
        return
    for part in service.mined.parts:
        for index in (index for index, fact in enumerate(part.facts) if fact.name == operation):
            yield from _mined(service, part, index)


def _mined(service: Service, part: Part, index: int) -> Iterator[tuple[str, Route, Part | None]]:
    ways = [(method, template) for method, template, at in part.routes() if at == index]
    for method, template in ways:
        route = service.route(part, index, method)
        yield f"{method} {_named(template, route.captures)}", route, part
    if not ways:
        route = service.route(part, index)
        yield from ((written, route, part) for written in _without_path(service, part, route.operation.operation))


def _without_path(service: Service, part: Part, operation: str) -> Iterator[str]:
    """How it is asked for where the path does not say it: in a header, in a form, in a document."""
    last = operation.rpartition(".")[2]
    graphql = [(m, t) for m, t, route in service.routes.routes() if route.reads is not None and route.reads.language == "graphql"]
    if operation.startswith("graphql.") and graphql:
        kind = operation.split(".")[1]
        yield from (f"{method} {template}   {kind} {{ {last} … }}" for method, template in graphql if method == "POST")
        return
    protocols: Any = part.meta.get("protocols", ())
    for protocol in protocols:
        match protocol:
            case "query" | "ec2":
                yield f"POST /   Action={last}"
            case "json":
                yield f"POST /   X-Amz-Target: {part.meta.get('target', '')}.{last}"
            case "smithy-rpc-v2-cbor":
                yield f"POST /service/{part.meta.get('cbor', part.name)}/operation/{last}"
            case _:
                pass


def _named(template: str, names: Iterable[str]) -> str:
    """Fill the names of variables in; one that is matched and forgotten stays without."""
    made, rest = "", template
    for name in names:
        before, hole, after = rest.partition("{}") if _first(rest) == "{}" else rest.partition("{+}")
        made += before + hole.replace("{", "{" + name)
        rest = after
    return made + rest


def _first(text: str) -> str:
    at = text.find("{")
    return text[at : at + 2] if at >= 0 else ""


def _made(operation: Operation, service: Service | None, routes: list[tuple[str, Route, Part | None]]) -> Known:
    hosts = service.hosts if service is not None else ()
    part = next((part for _, _, part in routes if part is not None), None)
    if service is not None and part is not None:
        own = tuple(host for host, name in service.mined.hosts if name == part.name)
        hosts = own or hosts
    first = routes[0][1] if routes else None
    return Known(
        operation=operation,
        requests=tuple(dict.fromkeys(written for written, _, _ in routes)),
        hosts=hosts,
        params=tuple(_params(operation, first)),
        worse=first.worse if first else (),
        egress=first.egress if first else False,
        reads=first.reads if first else None,
        source=part.file.rpartition("/")[2] if part is not None else f"services/{operation.service}",
        confidence=Confidence.CATALOG if routes else Confidence.PROTOCOL,
    )


def _params(operation: Operation, route: Route | None) -> Iterator[tuple[str, str, str]]:
    read = {param.name: _where(param) for param in route.params} if route else {}
    captured = {name for name in route.captures if is_kept(name)} if route else set()
    for name, kind in operation.params.items():
        yield name, kind, read.get(name) or ("path" if name in captured else "the protocol")


def _where(param: Param) -> str:
    currency = f", currency {_place(param.currency)}" if param.currency is not None else ""
    return f"{_place(param.source)}{currency}"


def _place(source: Source) -> str:
    return ".".join((source.place, *source.path))
