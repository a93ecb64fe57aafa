"""What we know about services: which request is which operation, its access and tier."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.actions.router import HostRouter, host_variables
from outgate.actions.service import METHODS, WEBSOCKET, Auth, fallback
from outgate.actions.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from outgate.actions.operation import Operation
    from outgate.actions.service import Service
    from outgate.actions.vocabulary import Kind
    from outgate.intake.request import Request

REST, GIT, MCP = "rest", "git", "mcp"
_BESIDE = (GIT, MCP)
"""Protocols that are spoken at a host beside what else is: a request shows which one it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What is known of a host: the service that it belongs to, and the protocols that it is declared to speak beside."""

    main: Service | None
    git: Service | None
    mcp: Service | None
    captures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What the host says by itself, under the names in its pattern: region, bucket, tenant …"""

    @property
    def all(self) -> tuple[Service, ...]:
        return tuple(service for service in (self.main, self.git, self.mcp) if service is not None)


GENERIC = "http"
_HOSTS_AT_HAND = 1024


class Catalog:
    """Everything that is known. Built once, read by every request."""

    def __init__(self, *services: Service, captured: Collection[str] = ()) -> None:
        """`captured` names variables in paths that were mined.

        Raises ValueError with a sentence where two services claim a host, or a parameter's name has two kinds.
        """
        generic = tuple(fallback(GENERIC, method) for method in (*METHODS, WEBSOCKET))
        self._services = MappingProxyType({service.name: service for service in services})
        self._listed = (*generic, *(o for service in services for o in service.operations))
        self._captured = frozenset(captured)
        mined: dict[str, Kind] = dict.fromkeys(self._captured, "string")
        self._params = MappingProxyType(mined | _kinds(_said(self._listed, services)))
        self._hosts: dict[str, HostRouter[tuple[Service, tuple[str, ...]]]] = {}
        for service in services:
            router = self._hosts.setdefault(service.speaks if service.speaks in _BESIDE else REST, HostRouter())
            for host in service.hosts:
                router.add(host, (service, host_variables(host)))
        self.at = lru_cache(maxsize=_HOSTS_AT_HAND)(self._at)
        """Whose host an authority is. A port counts: `api.x.test` is the default port's, `api.x.test:8443` another's."""

    def __reduce__(self) -> tuple[Callable[..., Catalog], tuple[tuple[Service, ...], frozenset[str]]]:
        """Go to another process as what it was built of: what it remembers is built again there."""
        return _again, (tuple(self._services.values()), self._captured)

    def services(self) -> tuple[str, ...]:
        """Names of services, sorted. `http` is what no service file knows."""
        return tuple(sorted({GENERIC, *self._services}))

    def service(self, name: str) -> Service | None:
        """Give a service by its name."""
        return self._services.get(name)

    def hosts(self, service: str) -> tuple[str, ...]:
        """The patterns of the hosts of a service; none where it is not known."""
        known = self._services.get(service)
        return () if known is None else known.hosts

    def listed(self) -> tuple[Operation, ...]:
        """Every operation that a file or a protocol lists. What was mined comes by `operations`, a service at a time."""
        return self._listed

    def operations(self, service: str) -> tuple[Operation, ...]:
        """Every operation of a service, those that were mined among them."""
        return tuple(self.each(service))

    def each(self, service: str, prefix: str = "") -> Iterator[Operation]:
        """Give the operations of a service one by one: those that are listed, then those mined whose names start so."""
        known = self._services.get(service)
        if known is None:
            yield from (operation for operation in self._listed if operation.service == service)
            return
        yield from known.operations
        yield from known.mined_operations(prefix)

    def operation(self, name: str) -> Operation | None:
        """Give an operation by its name."""
        service, _, said = name.partition(".")
        return next((operation for operation in self.each(service, said) if operation.name == name), None)

    def params(self) -> Mapping[str, Kind]:
        """Every parameter that some operation has, and its kind."""
        return self._params

    def auth_of(self, request: Request) -> Auth | None:
        """Where this request may carry its credentials; None where nobody said so."""
        found = [service.auth for service in self.at(request.authority).all]
        if not found:
            return None
        return Auth(
            headers=frozenset().union(*(auth.headers for auth in found)),
            query=frozenset().union(*(auth.query for auth in found)),
            keys=frozenset().union(*(auth.keys for auth in found)) if all(auth.keys for auth in found) else frozenset(),
        )

    def owners(self, authority: str) -> frozenset[str]:
        """The names of all services that a host belongs to: what a request there does may be git's, or MCP's."""
        return frozenset(service.name for service in self.at(authority).all)

    def _at(self, authority: str) -> Spoken:
        found = {speaks: router.find(authority) for speaks, router in self._hosts.items()}
        main, git, mcp = (found.get(speaks) for speaks in (REST, GIT, MCP))
        captured = {} if main is None else dict(zip(main.value[1], main.captures, strict=True))
        return Spoken(
            main=None if main is None else main.value[0],
            git=None if git is None else git.value[0],
            mcp=None if mcp is None else mcp.value[0],
            captures=MappingProxyType(captured),
        )


def _again(services: tuple[Service, ...], captured: frozenset[str]) -> Catalog:
    return Catalog(*services, captured=captured)


def _said(operations: tuple[Operation, ...], services: tuple[Service, ...]) -> Iterator[tuple[str, Kind, str]]:
    """Every parameter that a file gives an operation: its name, its kind and where."""
    for operation in operations:
        yield from ((name, kind, operation.name) for name, kind in operation.params.items())
    for service in services:
        for operation_name, override in service.overrides.items():
            yield from ((param.name, param.kind, f"{service.name}.{operation_name}") for param in override.params)


def _kinds(said: Iterable[tuple[str, Kind, str]]) -> dict[str, Kind]:
    kinds: dict[str, tuple[Kind, str]] = {name: (kind, "every service") for name, kind in VOCABULARY.items()}
    for name, kind, place in said:
        known, where = kinds.setdefault(name, (kind, place))
        if known != kind:
            raise ValueError(f"parameter '{name}' is {known} in {where} and {kind} in {place}, rename one")
    return {name: kind for name, (kind, _) in kinds.items()}
