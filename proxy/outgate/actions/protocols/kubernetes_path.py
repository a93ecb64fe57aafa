"""Kubernetes' own grammar of paths: which verb on which resource, subresource and name a request asks for (RequestInfo)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from outgate.intake.bodies import Undecodable, form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.intake.request import Request

CONNECT = "connect"
"""The verb of what opens a way into a pod, a node or a service: GET, POST and WebSocket are one and the same there."""
CONNECTING = frozenset({"exec", "attach", "portforward", "proxy"})

_BY_METHOD: Mapping[str, str] = {
    "POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete",
}  # fmt: skip
_WATCH, _PROXY = "watch", "proxy"
"""Verbs that may stand in a path, before the resource."""
_OF_NAMESPACES = frozenset({"status", "finalize"})
_WORD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAME = re.compile(r"[^\x00-\x20\x7f/%]{1,253}")
_NO_WATCH = frozenset({"false", "0"})
_EXACT_NAME = re.compile(r"metadata\.name==?([^,=!]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of the API. Empty where the path does not say: no `name` is all of them."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def kind(self) -> str:
        """`apps.deployments/scale`: the group, the resource and what of it."""
        kind = f"{self.group}.{self.resource}" if self.group else self.resource
        return f"{kind}/{self.subresource}" if self.subresource else kind

    @property
    def place(self) -> str:
        """`default/pods/web`: for people."""
        return "/".join(part for part in (self.namespace, self.resource, self.name) if part)


def asked(request: Request) -> Asked | Undecodable | None:
    """Read a request as the API server's RequestInfo does; None for what names no resource (`/version`, `/apis/apps/v1`).

    The server undoes escapes before it looks for slashes.
    """
    path = unquote(request.path, "latin-1")
    if "//" in path:
        return Undecodable("The path has an empty segment.")
    parts = path.strip("/").split("/")
    if len(parts) < 3 or parts[0] not in {"api", "apis"}:
        return None
    group = parts[1] if parts[0] == "apis" else ""
    rest = parts[3:] if group else parts[2:]
    if not rest:
        return None
    prefixed = rest[0] in {_WATCH, _PROXY}
    verb = rest[0] if prefixed else _BY_METHOD.get(request.method, "")
    rest = rest[1:] if prefixed else rest
    return _resource(verb, group, rest, request) if rest else Undecodable("The path has a verb, and nothing to do it to.")


def _resource(verb: str, group: str, parts: list[str], request: Request) -> Asked | Undecodable:
    namespace = parts[1] if parts[0] == "namespaces" and len(parts) > 1 else ""
    if namespace and len(parts) > 2 and parts[2] not in _OF_NAMESPACES:
        parts = parts[2:]
    name = parts[1] if len(parts) > 1 else ""
    below = _PROXY if verb == _PROXY else parts[2] if len(parts) > 2 else ""
    if not all(map(_WORD.fullmatch, filter(None, (group, parts[0], below)))):
        return Undecodable("The path names a resource that can't be one.")
    if not all(map(_NAME.fullmatch, filter(None, (namespace, name)))):
        return Undecodable("The path has a name that can't be one.")
    verb, name = (CONNECT, name) if below in CONNECTING else _of_all(verb, request) if not name else (verb, name)
    if not verb:
        return Undecodable(f"{request.method} is no verb of Kubernetes.")
    return Asked(verb=verb, resource=parts[0], group=group, subresource=below, namespace=namespace, name=name)


def _of_all(verb: str, request: Request) -> tuple[str, str]:
    """Without a name, what reads lists or watches, and what deletes deletes all. A selector may name one all the same."""
    if verb == "delete":
        return "deletecollection", ""
    if verb != "get":
        return verb, ""
    watched, names = said(request, "watch"), _selected(request)
    watches = any(value.lower() not in _NO_WATCH for value in watched)
    return "watch" if watches else "list", names


def _selected(request: Request) -> str:
    """`fieldSelector=metadata.name=x`: that one, as the server's authorizer sees it."""
    found = [match[1] for value in said(request, "fieldSelector")[:1] for match in _EXACT_NAME.finditer(value)]
    return found[0] if len(found) == 1 and _NAME.fullmatch(found[0]) else ""


def said(request: Request, name: str) -> list[str]:
    """What the query says of a name, each time; nothing of one that can't be read."""
    return [value for key, value in _pairs(request.query) if key == name] if request.query else []


@lru_cache(maxsize=64)  # of one query it is asked several times in a row
def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    pairs = form(query)
    return () if isinstance(pairs, Undecodable) else pairs
