"""Kubernetes: verb, resource and name of each request to an API server, as its own authorizer sees them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments
from outgate.actions.operation import Operation
from outgate.actions.paths import is_ambiguous, readable
from outgate.actions.protocols.guess import guessed
from outgate.actions.protocols.kubernetes_kinds import is_core, judge, operations
from outgate.actions.protocols.kubernetes_path import CONNECT, Asked, asked, said
from outgate.intake.bodies import Undecodable
from outgate.intake.request import NoBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.actions.vocabulary import Kind
    from outgate.intake.request import Request

_SERVICE = "kubernetes"
_PARAMS: Mapping[str, Kind] = {
    "namespace": "string",
    "name": "string",
    "selector": "string",
    "dry_run": "bool",
    "force": "bool",
    "patch": "string",
    "argv": "list",
    "container": "string",
}
_IMPERSONATE = "impersonate-"
_VERSION = re.compile(r"v[0-9]{1,3}((alpha|beta)[0-9]{1,3})?")
_OPEN = frozenset({"", "version", "openapi", "openid", "api", "apis", "healthz", "livez", "readyz", "metrics", ".well-known"})
"""What anybody who may use the cluster reads: which resources there are, whether it is well."""
_NEVER_TRIED = frozenset({"serviceaccounts/token", "pods/binding"})
_PATCHES: Mapping[str, str] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
    "application/apply-patch+cbor": "apply",
}


def _operation(name: str, access: Access, tier: Tier, why: str, *, params: Mapping[str, Kind] | None = None) -> Operation:
    return Operation(service=_SERVICE, operation=name, access=access, tier=tier, why=why, params=params or {})


OPERATIONS = (
    *(_operation(f"{kind}.{verb}", *judge(kind, verb), params=_PARAMS) for kind, verb in operations()),
    _operation("nonresource.get", Access.READ, Tier.T0, "which resources there are, and whether the server is well"),
    _operation("users.impersonate", Access.ADMIN, Tier.T2, "it is done in somebody else's name", params={"groups": "list"}),
    _operation("unreadable", Access.UNKNOWN, Tier.T2, "the request is none of the API's"),
    _operation("*", Access.UNKNOWN, Tier.T2, "a custom resource, judged by its verb", params=_PARAMS),
)


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared looks like one to an API server."""
    parts = request.path.split("/", 6)[1:]
    match parts:
        case ["apis", _, version, _, *_]:
            return _VERSION.fullmatch(version) is not None
        case ["api", "v1", "namespaces", _, resource, *_]:
            return is_core(resource)
        case ["api", "v1", resource, *_]:
            return is_core(resource)
        case _:
            return False


def wants_body(request: Request) -> bool:
    """Whether the body says what is done: of a deletion it may say that it is only tried out; then the query does not count."""
    return request.method == "DELETE"


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the actions of a request to an API server: what is asked, and in whose name where that is another's."""
    what = asked(request)
    if isinstance(what, Undecodable):
        return (_unreadable(request, what.why),)
    found = _other(request) if what is None else _action(request, what)
    actions = (found, *_impersonations(request))
    return actions if declared else tuple(guessed(action, request, "Kubernetes") for action in actions)


def _made(request: Request, name: str, resource: str, judged: tuple[Access, Tier, str], params: Mapping[str, Param]) -> Action:
    access, tier, why = judged
    return Action(
        service=_SERVICE,
        operation=name,
        resource=resource,
        access=access,
        tier=tier,
        params=params,
        confidence=Confidence.PROTOCOL,
        why=why or f"verb {name.rpartition('.')[2]}",
        evidence=("kubernetes", f"verb {name.rpartition('.')[2]}"),
        instance=f"cluster:{request.authority}",
    )


def _unreadable(request: Request, why: str) -> Action:
    action = _made(request, "unreadable", readable(request.path[1:]), (Access.UNKNOWN, Tier.T2, why), {})
    return replace(action, confidence=Confidence.UNKNOWN, evidence=("kubernetes",))


def _action(request: Request, what: Asked) -> Action:
    action = _made(request, f"{what.kind}.{what.verb}", what.place, judge(what.kind, what.verb), dict(_params(request, what)))
    return replace(action, confidence=Confidence.HEURISTIC) if is_ambiguous(request.path) else action


def _other(request: Request) -> Action:
    """No resource: discovery and health are read; what else a server may have there is its own affair."""
    first = request.path.split("/", 2)[1]
    if request.method in {"GET", "HEAD"} and first in _OPEN and isinstance(request.body, NoBody):
        return _made(request, "nonresource.get", readable(request.path[1:]), (Access.READ, Tier.T0, ""), {})
    return _unreadable(request, "The path names no resource.")


def _params(request: Request, what: Asked) -> Iterator[tuple[str, Param]]:
    yield from ((name, value) for name, value in (("namespace", what.namespace), ("name", what.name)) if value)
    selectors = [value for name in ("labelSelector", "fieldSelector") for value in said(request, name)]
    if selectors and not what.name:
        yield "selector", ",".join(selectors)
    if what.verb != CONNECT and what.kind not in _NEVER_TRIED and _tried_out(request):
        yield "dry_run", True
    if what.verb == "patch":
        yield "patch", _patch(request)
        yield "force", "true" in map(str.lower, said(request, "force"))
    if what.verb == CONNECT and (argv := said(request, "command")):
        yield "argv", tuple(argv)
    if containers := said(request, "container"):
        yield "container", containers[0] if len(set(containers)) == 1 else ""


def _patch(request: Request) -> str:
    kinds = [value.partition(";")[0].strip().lower() for name, value in request.headers if name == "content-type"]
    return _PATCHES.get(kinds[0], "") if len(kinds) == 1 else ""


def _tried_out(request: Request) -> bool:
    """Whether the server is asked, once and without another word, to change nothing."""
    if request.method in {"GET", "HEAD"}:
        return False
    if request.method == "DELETE" and not isinstance(request.body, NoBody):
        body = Arguments(request).json()
        return isinstance(body, dict) and body.get("dryRun") == ["All"] and not _has_twins(body)
    return said(request, "dryRun") == ["All"]


def _has_twins(body: Mapping[str, object]) -> bool:
    """Whether a key differs from `dryRun` in case alone."""
    return sum(key.casefold() == "dryrun" for key in body) > 1


def _impersonations(request: Request) -> Iterator[Action]:
    """RBAC's own verb for it (Impersonate-User, Impersonate-Group, Impersonate-Uid, Impersonate-Extra-…)."""
    said_so = [(name, value) for name, value in request.headers if name.startswith(_IMPERSONATE)]
    if said_so:
        users = [value for name, value in said_so if name == "impersonate-user"]
        groups = tuple(value for name, value in said_so if name == "impersonate-group")
        judged = (Access.ADMIN, Tier.T2, "it is done in somebody else's name")
        yield _made(request, "users.impersonate", ",".join(users), judged, {"groups": groups} if groups else {})
