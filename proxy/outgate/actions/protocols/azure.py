"""Azure Resource Manager: each request is the operation that roles in Azure name, a batch as many as it brings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.access import judge
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, has_variants
from outgate.actions.operation import Operation
from outgate.actions.paths import readable
from outgate.actions.protocols.azure_names import classified, named
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable, form
from outgate.intake.request import NoBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.actions.catalog import Catalog
    from outgate.actions.mined import Fact
    from outgate.actions.protocols.azure_names import Named
    from outgate.actions.service import Service
    from outgate.actions.vocabulary import Kind
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

_SERVICE = "azure"
MOST = 500
"""Requests in a batch, which is what Azure takes."""

_PARAMS: Mapping[str, Kind] = {"subscription": "string", "resource_group": "string", "name": "string"}
_SUBSCRIBED = re.compile(r"/subscriptions/[0-9a-f]{8}-[0-9a-f-]{27}(?:/.*)?", re.IGNORECASE)
_BAD = re.compile(r"//|%2[fF]|%5[cC]|%25|;")
_METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"})
_BATCH = frozenset({"requests"})
_METHOD_KEYS = ("httpMethod", "method")
_URL_KEYS = ("relativeUrl", "url", "uri")
_ONE = frozenset({*_METHOD_KEYS, *_URL_KEYS})
_HOST = re.compile(r"https://([^/?#\\@]+)(/.*)", re.IGNORECASE)
_AT_HAND = "azure.names"


def operations(service: str) -> tuple[Operation, ...]:
    """What it gives beside the operations that were mined."""
    return (
        Operation(service=service, operation="batch", access=Access.EXECUTE, tier=Tier.T1, why="several requests in one"),
        Operation(service=service, operation="*", access=Access.UNKNOWN, tier=Tier.T2, why="judged by its name", params=_PARAMS),
    )


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared looks like one to a Resource Manager: a subscription, and a version."""
    return _SUBSCRIBED.fullmatch(request.path) is not None and len(_versions(request)) == 1


def wants_body(request: Request, _service: Service, _catalog: Catalog) -> bool:
    """Whether the body says what is done: of a batch it does."""
    return _is_batch(request)


def guess(request: Request) -> tuple[Action, ...]:
    """Give the action of a request to a host that nobody declared; names are spelled in small letters there."""
    return tuple(guessed(action, request, "Azure Resource Manager") for action in _single(request, None))


def identify(request: Request, service: Service, _catalog: Catalog) -> tuple[Action, ...]:
    """Give every action of a request to a Resource Manager."""
    if request.websocket or request.method not in _METHODS:
        return ()
    if _is_batch(request):
        return tuple(_batched(request, service))
    return _single(request, service)


def _is_batch(request: Request) -> bool:
    return request.method == "POST" and request.path.lower().rstrip("/") == "/batch"


def _versions(request: Request) -> list[str]:
    pairs = form(request.query) if request.query else ()
    return [] if isinstance(pairs, Undecodable) else [value for key, value in pairs if key.lower() == "api-version"]


def _single(request: Request, service: Service | None) -> tuple[Action, ...]:
    """1. The path is one. 2. It says once which version of the API it means. 3. It names a provider's operation."""
    if _BAD.search(request.path):
        return (_unreadable(request, "The path can be read in more than one way."),)
    if len(_versions(request)) != 1:
        return (_unreadable(request, "The request does not say once which api-version it means."),)
    found = named(request.method, [readable(segment) for segment in request.path.strip("/").split("/")])
    return (
        (_unreadable(request, "The path names no operation of a provider."),)
        if found is None
        else (_made(request, service, found),)
    )


def _made(request: Request, service: Service | None, found: Named) -> Action:
    fact = None if service is None else _facts(service).get(found.name.lower())
    name = found.name.lower() if fact is None else fact.name
    level, marks = classified(name) if fact is None else (fact.level, fact.marks)
    judged = judge(name, level="l" if level == "r" and found.listing and request.method != "POST" else level, marks=marks)
    override = None if service is None else service.overrides.get(name)
    access, tier, why = judged.access, judged.tier, judged.why
    if override is not None:
        access, tier, why = override.access or access, tier if override.tier is None else override.tier, override.why or why
    params: dict[str, Param] = {"name": found.last} if found.last else {}
    params |= {"resource_group": found.group} if found.group else {}
    params |= {"subscription": found.scope.partition(":")[2]} if found.scope.startswith("subscription:") else {}
    return Action(
        service=_SERVICE,
        operation=name,
        resource=readable(request.path[1:]),
        access=access,
        tier=tier,
        params=params,
        confidence=Confidence.PROTOCOL if fact is None else Confidence.CATALOG,
        why=why,
        evidence=(_SERVICE if fact is None else "mined/azure", *judged.evidence),
        instance=found.scope,
    )


def _facts(service: Service) -> Mapping[str, Fact]:
    """The names that were mined, by their small letters: Azure takes them in any case, and rules should not."""
    facts = service.at_hand.get(_AT_HAND)
    if facts is None:
        facts = service.at_hand[_AT_HAND] = {fact.name.lower(): fact for fact in service.mined.facts()}
    known: Mapping[str, Fact] = facts
    return known


def _batched(request: Request, service: Service) -> Iterator[Action]:
    arguments = Arguments(request)
    body = Undecodable("The batch is too large to be read.") if arguments.unread else arguments.json()
    inner = body.get("requests") if isinstance(body, dict) and not has_variants(body, _BATCH) else None
    if not isinstance(inner, list) or not inner or len(inner) > MOST:
        yield _unreadable(request, "The batch can't be read, is empty or too long.")
        return
    yield Action(
        service=_SERVICE,
        operation="batch",
        access=Access.EXECUTE,
        tier=Tier.T1,
        count=len(inner),
        confidence=Confidence.PROTOCOL,
        why="several requests in one",
        evidence=(_SERVICE,),
    )
    for one in inner:
        asked = _inner(request, one)
        yield from (
            (_unreadable(request, "The batch has a request that can't be read."),) if asked is None else _single(asked, service)
        )


def _inner(request: Request, one: JsonValue) -> Request | None:
    """One request of a batch, as if it had been sent by itself: `httpMethod` and `relativeUrl`, or `url`, on this host."""
    if not isinstance(one, dict):
        return None
    methods, urls = [one[key] for key in _METHOD_KEYS if key in one], [one[key] for key in _URL_KEYS if key in one]
    method = methods[0] if len(methods) == 1 and not has_variants(one, _ONE) else None
    if not isinstance(method, str) or method.upper() not in _METHODS or len(urls) != 1 or not isinstance(urls[0], str):
        return None
    url = urls[0]
    absolute = _HOST.fullmatch(url)
    if absolute is not None:
        url = absolute[2] if absolute[1].lower() == request.authority else ""
    path, _, query = url.partition("?")
    plain = url.isascii() and url.isprintable() and "\\" not in url and "#" not in url and " " not in url
    if not plain or not path.startswith("/") or {".", ".."} & {*readable(path).split("/")}:
        return None
    return replace(request, method=method.upper(), path=path, query=query or None, body=NoBody())


def _unreadable(request: Request, why: str) -> Action:
    return Action(
        service=_SERVICE,
        operation="unreadable",
        resource=readable(request.path[1:]),
        confidence=Confidence.UNKNOWN,
        why=why,
        evidence=(_SERVICE,),
    )
