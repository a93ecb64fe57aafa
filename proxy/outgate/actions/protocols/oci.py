"""Container registries (OCI distribution): which repository is pulled from, pushed to or deleted in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation
from outgate.actions.paths import readable
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable, form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.actions.vocabulary import Kind
    from outgate.intake.request import Request

_SERVICE = "oci"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_PATH = re.compile(
    r"/v2/(?P<name>.+)/(?:(?P<kind>manifests|blobs|referrers)/(?P<of>[^/]+)|(?P<tags>tags/list)|blobs/uploads/(?P<upload>[^/]*))"
)
"""The name is the longest that there can be."""
_REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*(?::|%3[aA])[A-Za-z0-9=_-]+")
_LONGEST = 255
_PARAMS: Mapping[str, Kind] = {"repository": "string", "reference": "string"}
_READING = {"GET": "get", "HEAD": "get"}

type _Said = tuple[Access, Tier, str]

_OPERATIONS: Mapping[str, _Said] = {
    "ping": (Access.READ, Tier.T0, "asks whether there is a registry"),
    "catalog.list": (Access.LIST, Tier.T0, "lists repositories"),
    "tags.list": (Access.LIST, Tier.T0, "lists tags"),
    "referrers.list": (Access.LIST, Tier.T0, "lists what refers to an image"),
    "manifests.get": (Access.READ, Tier.T0, "an image is pulled"),
    "manifests.put": (Access.PUBLISH, Tier.T2, "whoever pulls this tag or digest gets this from now on"),
    "manifests.delete": (Access.DELETE, Tier.T2, "an image or a tag is gone for whoever pulls it"),
    "blobs.get": (Access.READ, Tier.T0, "a layer is pulled"),
    "blobs.delete": (Access.DELETE, Tier.T2, "images that have this layer can't be pulled any more"),
    "blobs.upload": (Access.WRITE, Tier.T1, "a layer is uploaded"),
    "blobs.mount": (Access.READ, Tier.T0, "a layer of another repository is taken"),
    "unreadable": (Access.UNKNOWN, Tier.T2, "no path of a registry"),
}
OPERATIONS = tuple(
    Operation(service=_SERVICE, operation=name, access=access, tier=tier, why=why, params=_PARAMS)
    for name, (access, tier, why) in _OPERATIONS.items()
)
_BY_METHOD: Mapping[str, frozenset[str]] = {
    "manifests": frozenset({"get", "put", "delete"}),
    "blobs": frozenset({"get", "delete"}),
    "referrers": frozenset({"get"}),
}


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared looks like one to a registry."""
    found = _PATH.fullmatch(request.path)
    return found is not None and _NAME.fullmatch(found["name"]) is not None


def wants_body(_request: Request) -> bool:
    """Whether the body says what is done: never, method and path do."""
    return False


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the actions of a request to a registry; none for what is not under `/v2/`."""
    if request.path != "/v2" and not request.path.startswith("/v2/"):
        return ()
    actions = tuple(_actions(request))
    return actions if declared else tuple(guessed(action, request, "OCI") for action in actions)


def _actions(request: Request) -> Iterator[Action]:
    reads = request.method in _READING
    if request.path in {"/v2", "/v2/"} and reads:
        yield _made(request, "ping", "")
    elif request.path == "/v2/_catalog" and reads:
        yield _made(request, "catalog.list", "")
    else:
        yield from _in_repository(request)


def _in_repository(request: Request) -> Iterator[Action]:
    found = _PATH.fullmatch(request.path)
    name = found["name"] if found else ""
    if found is None or len(name) > _LONGEST or not _NAME.fullmatch(name):
        yield _made(request, "unreadable", "")
    elif found["upload"] is not None:
        yield from _upload(request, name)
    elif found["tags"]:
        yield _made(request, "tags.list" if request.method in _READING else "unreadable", name)
    else:
        yield _of(request, name, found["kind"], found["of"])


def _of(request: Request, name: str, kind: str, of: str) -> Action:
    verb = _READING.get(request.method, request.method.lower())
    fits = _DIGEST.fullmatch(of) or (kind == "manifests" and _REFERENCE.fullmatch(of))
    if verb not in _BY_METHOD[kind] or not fits:
        return _made(request, "unreadable", name)
    return _made(request, "referrers.list" if kind == "referrers" else f"{kind}.{verb}", name, reference=readable(of))


def _upload(request: Request, name: str) -> Iterator[Action]:
    """Begun by POST, gone on with by PATCH, ended by PUT, given up by DELETE; `mount` takes what another repository has."""
    if request.method not in {"POST", "PATCH", "PUT", "DELETE", "GET", "HEAD"}:
        yield _made(request, "unreadable", name)
        return
    yield _made(request, "blobs.upload", name)
    said = form(request.query) if request.query else ()
    taken = Undecodable("") if isinstance(said, Undecodable) else [value for key, value in said if key == "from"]
    if isinstance(taken, Undecodable) or len(taken) > 1 or not all(map(_NAME.fullmatch, taken)):
        yield _made(request, "unreadable", name)
    elif taken:
        yield _made(request, "blobs.mount", taken[0])


def _made(request: Request, operation: str, name: str, *, reference: str = "") -> Action:
    access, tier, why = _OPERATIONS[operation]
    said: dict[str, Param] = {key: value for key, value in (("repository", name), ("reference", reference)) if value}
    unknown = operation == "unreadable"
    return Action(
        service=_SERVICE,
        operation=operation,
        resource=f"{request.authority}/{name}" if name else request.authority,
        access=access,
        tier=tier,
        params=said,
        confidence=Confidence.UNKNOWN if unknown else Confidence.PROTOCOL,
        why=why,
        evidence=("oci",),
        instance=f"organisation:{name.partition('/')[0]}" if "/" in name else "",
    )
