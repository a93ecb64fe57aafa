"""gRPC, gRPC-Web and Connect: the path names a method of a service, and what it does is judged by that name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.access import judge
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation
from outgate.actions.paths import readable
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable, form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.access import Judged
    from outgate.actions.catalog import Catalog
    from outgate.actions.mined import Fact
    from outgate.actions.service import Service
    from outgate.intake.request import Request

GENERIC = "grpc"
"""The service that a method belongs to where no file says which."""

_KIND = re.compile(r"application/(?:grpc(?:-web(?:-text)?)?|connect)(?:\+[a-z0-9.-]+)?")
_UNARY = frozenset({"application/json", "application/proto"})
"""Connect's requests of one message, told by their version header."""
_METHOD = re.compile(r"/((?:[A-Za-z_][A-Za-z0-9_]{0,127}\.){0,15}[A-Za-z_][A-Za-z0-9_]{0,127})/([A-Za-z_][A-Za-z0-9_]{0,127})")
_LONGEST = 254
"""Characters of a service and its method."""
_KNOWN: Mapping[str, tuple[Access, Tier, str]] = {
    "grpc.health.v1.Health/Check": (Access.READ, Tier.T0, "asks whether the server is well"),
    "grpc.health.v1.Health/Watch": (Access.READ, Tier.T0, "asks whether the server is well"),
    "grpc.health.v1.Health/List": (Access.LIST, Tier.T0, "asks whether the server is well"),
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": (Access.LIST, Tier.T0, "asks which methods there are"),
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": (Access.LIST, Tier.T0, "asks which methods there are"),
}
"""What gRPC itself defines, the same on every server."""
_GOOGLE = "google"


def speaks(request: Request) -> bool:
    """Whether a request is a call of one of the three, by its head: whatever host it is for."""
    kinds = [value.partition(";")[0].strip().lower() for name, value in request.headers if name == "content-type"]
    if any(_KIND.fullmatch(kind) for kind in kinds):
        return True
    versioned = any(name == "connect-protocol-version" for name, _ in request.headers)
    return (request.method == "POST" and versioned and bool(_UNARY & {*kinds})) or _by_get(request)


def is_googles(request: Request, service: Service) -> bool:
    """Whether a request to a host of Google's is a call: by its path, which no REST method has."""
    return service.name == _GOOGLE and request.path.startswith("/google.") and _METHOD.fullmatch(request.path) is not None


def operations(service: str) -> tuple[Operation, ...]:
    """What can be said of a service that nobody described: gRPC's own methods, and whatever it has."""
    known = (
        Operation(service=service, operation=name, access=access, tier=tier, why=why)
        for name, (access, tier, why) in _KNOWN.items()
    )
    return (
        *known,
        Operation(service=service, operation="unreadable", access=Access.UNKNOWN, tier=Tier.T2, why="the path names no method"),
        Operation(service=service, operation="*", access=Access.UNKNOWN, tier=Tier.T2, why="a method, judged by its name"),
    )


def wants_body(_request: Request, _service: Service, _catalog: Catalog) -> bool:
    """Whether the body says what is done: never, the path does."""
    return False


def identify(request: Request, service: Service | None, _catalog: Catalog | None = None) -> tuple[Action, ...]:
    """Give the action of a call; none where the request is none. `service`: whose host it is, if anybody said so."""
    if not speaks(request) and not (service is not None and is_googles(request, service)):
        return ()
    found = _METHOD.fullmatch(request.path)
    if found is None or len(request.path) > _LONGEST or (request.method != "POST" and not _by_get(request)):
        return (_unreadable(request, service),)
    called = f"{found[1]}/{found[2]}"
    twin = _twin(service, request.authority, found[2]) if service is not None and service.name == _GOOGLE else None
    action = _action(request, service, called) if twin is None else _twinned(request, called, twin, found[2])
    return (action,) if service is not None else (guessed(action, request, "gRPC"),)


def _by_get(request: Request) -> bool:
    """Connect's GET, which servers take for methods without side effects alone."""
    if request.method != "GET" or "connect=v1" not in (request.query or ""):
        return False
    said = form(request.query or "")
    names = [] if isinstance(said, Undecodable) else [name for name, _ in said]
    return {"encoding", "message"} <= {*names} and ("connect", "v1") in (said if not isinstance(said, Undecodable) else ())


def _action(request: Request, service: Service | None, called: str) -> Action:
    name = GENERIC if service is None else service.name
    operation = f"grpc.{called}" if name == _GOOGLE else called
    access, tier, why, evidence = _judged(called, request)
    override = None if service is None else service.overrides.get(operation)
    if override is not None:
        access, tier = override.access or access, tier if override.tier is None else override.tier
        why, evidence = override.why or why, (f"services/{name}",)
    return Action(
        service=name,
        operation=operation,
        resource=f"{request.authority}/{called.partition('/')[0]}",
        access=access,
        tier=tier,
        confidence=Confidence.PROTOCOL if override is None else Confidence.CATALOG,
        why=why,
        evidence=("grpc", *evidence),
    )


def _judged(called: str, request: Request) -> tuple[Access, Tier, str, tuple[str, ...]]:
    if called in _KNOWN:
        return *_KNOWN[called], ()
    judged: Judged = judge(called.partition("/")[2], method="GET" if _by_get(request) else "")
    return judged.access, judged.tier, judged.why, judged.evidence


def _unreadable(request: Request, service: Service | None) -> Action:
    return Action(
        service=GENERIC if service is None else service.name,
        operation="unreadable",
        resource=readable(request.path[1:]),
        confidence=Confidence.UNKNOWN,
        why="The call names no method of a service.",
        evidence=("grpc",),
    )


def _twin(service: Service, authority: str, method: str) -> Fact | None:
    """The REST method that is this one, if only one can be it: of Pub/Sub's `Publish`, `pubsub.projects.topics.publish`.

    Google's RPCs are a verb and what it is done to; ids of its REST methods end with the plural of that, and the verb.
    """
    words = re.findall(r"[A-Z][a-z0-9]*", method)
    part = service.mined.at(authority)
    if not words or part is None:
        return None
    verb, noun = words[0].lower(), "".join(words[1:]).lower()
    ends = {(plural, verb) for plural in (noun, f"{noun}s", f"{noun}es", f"{noun[:-1]}ies")} if noun else {verb}
    found = [fact for fact in part.facts if _ending(fact.name, with_noun=bool(noun)) in ends]
    return found[0] if len(found) == 1 else None


def _ending(name: str, *, with_noun: bool) -> tuple[str, str] | str:
    *_, noun, verb = ("", *name.lower().split("."))
    return (noun, verb) if with_noun else verb


def _twinned(request: Request, called: str, twin: Fact, method: str) -> Action:
    """The worse of what the REST method's data and the RPC's own name say."""
    judged = max(_both(twin, method), key=lambda one: (one.tier, not one.access.only_reads))
    return Action(
        service=_GOOGLE,
        operation=twin.name,
        resource=f"{request.authority}/{called.partition('/')[0]}",
        access=judged.access,
        tier=judged.tier,
        confidence=Confidence.PROTOCOL,
        why=judged.why,
        evidence=("grpc", called, *judged.evidence),
    )


def _both(twin: Fact, method: str) -> Iterator[Judged]:
    yield judge(twin.name, level=twin.level, marks=twin.marks)
    yield judge(method)
