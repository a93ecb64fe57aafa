"""AWS: every wire protocol that its services speak, at every name that their hosts have."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier
from outgate.actions.arguments import Arguments
from outgate.actions.languages import LANGUAGES
from outgate.actions.operation import Operation
from outgate.actions.paths import readable
from outgate.actions.protocols.aws import deeds, hosted, rest, rpc, s3
from outgate.actions.protocols.aws.asked import Asked, Found, Unclear
from outgate.actions.protocols.aws.atlas import atlas_of
from outgate.actions.protocols.aws.hosts import EXPRESS_CONTROL, HOSTED, endpoint
from outgate.actions.protocols.aws.scope import disagreement, signature
from outgate.actions.unreadable import unreadable
from outgate.intake.bodies import Undecodable
from outgate.intake.request import NoBody

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.actions.protocols.aws.asked import Pairs
    from outgate.actions.protocols.aws.hosts import Endpoint
    from outgate.actions.service import Service
    from outgate.intake.request import Request

_GATEWAY = "apigatewaymanagementapi"
_CONNECTION = re.compile(r"(?:/[^/]+)?(/@connections/[^/]+)")
_CONTROL = "/v20180820/"
"""How paths of S3's control plane begin, where both planes have one host."""


def identify(request: Request, service: Service, _catalog: Catalog) -> tuple[Action, ...]:
    """Give every action of a request; none at names that nobody knows, and for questions about what another site may do.

    1. The name of the host says which services it may be for, and whose bucket or account.
    2. Who signed it signed it for that host, or nobody signed it.
    3. Just one thing says which operation it is, in a protocol that the service declares.
    """
    atlas = atlas_of(service)
    if atlas is None or (request.method == "OPTIONS" and isinstance(request.body, NoBody)):
        return ()
    at = endpoint(request.host, atlas)
    if at.kind == "other":
        return ()
    query = Arguments(request).query() if request.query else ()
    if isinstance(query, Undecodable):
        return (_unreadable(request, service, query.why),)
    found = _found(request, service, at, query)
    match found:
        case None:
            return hosted.actions(request, service, at, query)
        case Unclear(why):
            return (_unreadable(request, service, why),)
        case asked, operation:
            return deeds.actions(operation, asked)


def wants_body(request: Request, service: Service, _catalog: Catalog) -> bool:
    """Whether the body must be seen: it names the operation, what it is done to, or how often."""
    atlas = atlas_of(service)
    if atlas is None or isinstance(request.body, NoBody):
        return False
    query = Arguments(request).query() if request.query else ()
    at = endpoint(request.host, atlas)
    if hosted.is_graphql(request, at):
        return True
    if isinstance(query, Undecodable) or at.kind in {"other", "hosted"}:
        return False
    found = _found(request, service, at, query, head=True)
    match found:
        case None:
            return False
        case Unclear():
            return request.method == "POST"
        case asked, operation:
            return operation.operation == s3.DELETES or deeds.route_of(operation, asked).reads_body or operation.how == "Action"


def operations(service: str) -> tuple[Operation, ...]:
    """What no file lists: what is done at hosts where customers' programs answer, a method each."""
    hosts = tuple(
        Operation(
            service=service,
            operation=f"{name}.*",
            access=Access.UNKNOWN,
            tier=Tier.T2,
            params={"region": "string"},
            why="nothing says what it does",
        )
        for name in sorted(HOSTED)
    )
    return (*hosts, *LANGUAGES["graphql"].operations(service))


def _found(
    request: Request, service: Service, at: Endpoint, query: Pairs, *, head: bool = False
) -> tuple[Asked, Found] | Unclear | None:
    """Give what it is; None at a host where customers' programs answer."""
    if at.kind == "hosted" and not (at.name == "execute-api" and _CONNECTION.fullmatch(request.path)):
        return None
    signed = signature(request.headers, query)
    if isinstance(signed, Undecodable):
        return Unclear(signed.why)
    if request.websocket:
        return Unclear("a WebSocket says afterwards what it is about")
    if at.kind == "hosted":
        request, at = _connection(request, at)
    if why := disagreement(signed, at):
        return Unclear(why)
    atlas = atlas_of(service)
    assert atlas is not None
    parts = tuple(part for part in at.parts if not signed.service or signed.service in atlas.signing[part])
    asked = Asked(request=request, service=service, atlas=atlas, endpoint=at, signed=signed, parts=parts, query=query)
    named = rpc.find(asked, head=head)
    if named is None:
        control = at.name == EXPRESS_CONTROL and request.path.startswith(_CONTROL)
        named = s3.find(asked) if at.kind == "s3" and not control else rest.find(asked)
    return named if isinstance(named, Unclear) else (asked, named)


def _connection(request: Request, at: Endpoint) -> tuple[Request, Endpoint]:
    """A WebSocket of an API that is hosted here, which its backend writes to by AWS's own API: `/STAGE/@connections/ID`."""
    match = _CONNECTION.fullmatch(request.path)
    assert match is not None
    return replace(request, path=match[1]), replace(at, kind="api", parts=(_GATEWAY,), signing=frozenset({"execute-api"}))


def _unreadable(request: Request, service: Service, why: str) -> Action:
    return unreadable(service.name, readable(request.path[1:]) or request.host, why)
