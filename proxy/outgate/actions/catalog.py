"""What we know about services: which request is which operation, its access and tier."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from outgate.actions.action import Access, Tier
from outgate.actions.router import HostRouter, Router

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.router import Found
    from outgate.intake.request import Request

type Kind = Literal["string", "int", "bool", "money", "list"]
"""What a parameter is; one name has one kind in the whole catalog, so that `params.amount` always means the same type."""

type Place = Literal["query", "header", "form", "json", "args"]
"""Where in a request: `args` is the query and the body together, JSON or form, as it comes."""

type Speaks = Literal["rest", "git", "mcp"]
"""How a host is spoken to: by paths, or by a protocol that says what is done."""

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
WEBSOCKET = "WEBSOCKET"
"""Stands for the method where a request opens a WebSocket: that is no read, whatever GET says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a service can do. `name` may end in `*`: the rest is chosen by the request (`mcp.tools/call:*`)."""

    service: str
    operation: str
    access: Access
    tier: Tier
    params: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    why: str = ""
    name: str = field(init=False)
    """`service.operation`, as rules say it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.service}.{self.operation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where in a request a value stands. In `path`, `*` is every item of a list."""

    place: Place
    path: tuple[str, ...]

    @property
    def in_body(self) -> bool:
        return self.place in {"form", "json", "args"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A typed parameter and where it comes from. `currency` is an amount's."""

    name: str
    kind: Kind
    source: Source
    currency: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """An operation is this when its parameters are those: `force: true`. It also is when they can't be read."""

    when: Mapping[str, str | bool]
    tier: Tier
    access: Access | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How requests for one operation look, and what is read from them."""

    operation: Operation
    captures: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    """Text and names in turn, text first: `owner/repo` is `("", "owner", "/", "repo", "")`. Empty: the path."""
    params: tuple[Param, ...] = ()
    worse: tuple[Worse, ...] = ()
    egress: bool = False
    """The body may tell the service to fetch from elsewhere or to call others: those are actions too."""

    @property
    def reads_body(self) -> bool:
        return self.egress or any(param.source.in_body for param in self.params)


CREDENTIALS = (
    *("age", "anthropic", "aws", "azure", "databricks", "digitalocean", "docker", "github", "gitlab", "google", "huggingface"),
    *("linear", "npm", "openai", "outgate", "private-key", "pypi", "sendgrid", "shopify", "slack", "stripe", "vault"),
)
"""Kinds of credentials that `inspect.secrets` tells apart by their form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Where a service wants its credentials, and of which kinds; none for any."""

    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What one or more service files say of a service. `otherwise` is by method, for paths that no operation has."""

    name: str
    speaks: Speaks
    hosts: tuple[str, ...]
    operations: tuple[Operation, ...]
    auth: Auth
    json: bool = False
    """Reads every body as JSON, whatever Content-Type says."""
    routes: Router[Route] = field(repr=False)
    otherwise: Mapping[str, Operation] = field(repr=False)
    listed: frozenset[str] = frozenset()
    """Methods whose `otherwise` its file says: mapped. The others are guesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What is known of a host: the service that it belongs to, and the protocols that it is declared to speak."""

    rest: Service | None
    git: Service | None
    mcp: Service | None


GENERIC = "http"
_HOSTS_AT_HAND = 1024


class Catalog:
    """Everything that is known. Built once, read by every request."""

    def __init__(self, *services: Service) -> None:
        """Raises ValueError with a sentence where two services claim a host, or a parameter's name has two kinds."""
        generic = tuple(fallback(GENERIC, method) for method in (*METHODS, WEBSOCKET))
        self._services = MappingProxyType({service.name: service for service in services})
        self._operations = (*generic, *(o for service in services for o in service.operations))
        self._params = MappingProxyType(_kinds(self._operations))
        self._hosts: dict[Speaks, HostRouter[Service]] = {"rest": HostRouter(), "git": HostRouter(), "mcp": HostRouter()}
        for service in services:
            for host in service.hosts:
                self._hosts[service.speaks].add(host, service)
        self.at = lru_cache(maxsize=_HOSTS_AT_HAND)(self._at)
        """Whose host an authority is. A port counts: `api.x.test` is the default port's, `api.x.test:8443` another's."""

    def __reduce__(self) -> tuple[type[Catalog], tuple[Service, ...]]:
        """Go to another process as what it was built of: what it remembers is built again there."""
        return Catalog, tuple(self._services.values())

    def services(self) -> tuple[str, ...]:
        """Names of services, sorted. `http` is what no service file knows."""
        return tuple(sorted({GENERIC, *self._services}))

    def hosts(self, service: str) -> tuple[str, ...]:
        """The patterns of the hosts of a service; none where it is not known."""
        known = self._services.get(service)
        return () if known is None else known.hosts

    def operations(self) -> tuple[Operation, ...]:
        """Every operation."""
        return self._operations

    def params(self) -> Mapping[str, Kind]:
        """Every parameter that some operation has, and its kind."""
        return self._params

    def auth_of(self, request: Request) -> Auth | None:
        """Where this request may carry its credentials; None where nobody said so."""
        spoken = self.at(request.authority)
        found = [service.auth for service in (spoken.rest, spoken.git, spoken.mcp) if service is not None]
        if not found:
            return None
        return Auth(
            headers=frozenset().union(*(auth.headers for auth in found)),
            query=frozenset().union(*(auth.query for auth in found)),
            keys=frozenset().union(*(auth.keys for auth in found)) if all(auth.keys for auth in found) else frozenset(),
        )

    def owners(self, authority: str) -> frozenset[str]:
        """The names of all services that a host belongs to: what a request there does may be git's, or MCP's."""
        spoken = self.at(authority)
        return frozenset(service.name for service in (spoken.rest, spoken.git, spoken.mcp) if service is not None)

    def _at(self, authority: str) -> Spoken:
        found = {speaks: None if match is None else match.value for speaks, match in self._matches(authority)}
        return Spoken(rest=found["rest"], git=found["git"], mcp=found["mcp"])

    def _matches(self, authority: str) -> Iterator[tuple[Speaks, Found[Service] | None]]:
        return ((speaks, router.find(authority)) for speaks, router in self._hosts.items())


def fallback(service: str, method: str) -> Operation:
    """What a request is when only its method says anything: a read if that is one, else unknown; never nothing."""
    reads = method in {"GET", "HEAD", "OPTIONS"}
    return Operation(
        service=service,
        operation=method,
        access=Access.READ if reads else Access.UNKNOWN,
        tier=Tier.T0 if reads else Tier.T2,
        why="the method alone says so" if reads else "nothing says what it does",
    )


def _kinds(operations: tuple[Operation, ...]) -> dict[str, Kind]:
    kinds: dict[str, tuple[Kind, str]] = {}
    for operation in operations:
        for name, kind in operation.params.items():
            known, where = kinds.setdefault(name, (kind, operation.name))
            if known != kind:
                raise ValueError(f"parameter '{name}' is {known} in {where} and {kind} in {operation.name}, rename one")
    return {name: kind for name, (kind, _) in kinds.items()}
