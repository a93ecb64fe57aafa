"""Service: what files and machines say of one, and the routes that come of both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from outgate.actions.access import judge, why_of
from outgate.actions.action import Access, Tier
from outgate.actions.mined import NOTHING
from outgate.actions.operation import Operation, Override, Route, Template
from outgate.actions.protocols import llm
from outgate.actions.router import Found, host_variables, is_kept
from outgate.actions.written import param_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.mined import Fact, Mined, Part
    from outgate.actions.operation import Param
    from outgate.actions.protocols.mcp_servers import Server
    from outgate.actions.router import Router
    from outgate.actions.speakers import Speaker
    from outgate.actions.vocabulary import Kind

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
WEBSOCKET = "WEBSOCKET"
"""Stands for the method where a request opens a WebSocket: that is no read, whatever GET says."""


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
    speaks: str
    """The protocol of its hosts, by its name in `speakers.py`; `rest` where method and path say what is done."""
    hosts: tuple[str, ...]
    operations: tuple[Operation, ...]
    auth: Auth
    json: bool = False
    """Reads every body as JSON, whatever Content-Type says."""
    routes: Router[Route] = field(repr=False)
    otherwise: Mapping[str, Operation] = field(repr=False)
    listed: frozenset[str] = frozenset()
    """Methods whose `otherwise` its file says: mapped. The others are guesses."""
    mined: Mined = field(default=NOTHING, repr=False)
    overrides: Mapping[str, Override] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    resources: tuple[Template, ...] = ()
    """For operations without one of their own: the first that can be filled."""
    instances: tuple[Template, ...] = ()
    servers: tuple[Server, ...] = field(default=(), repr=False)
    """Of MCP alone: what is said of the tools of some of its hosts."""
    languages: frozenset[str] = frozenset()
    """Those that some body of it may be in: what `reads` says."""
    speaker: Speaker | None = field(default=None, repr=False)
    """The protocol that it speaks, where a plug-in brought it."""
    at_hand: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """Routes made of what was mined, once each, by `route`. Protocols keep here what they made of it, too."""

    def find(self, method: str, path: str, authority: str) -> Found[Route] | None:
        """Find the operation of a request by method and raw path: in its file, and in what was mined.

        The more literal one counts, that of the file where both are alike: `/api/{method}` there hides no method that was mined.
        """
        found = self.routes.find(method, path)
        if (found is not None and not found.captures) or (part := self.mined.at(authority, path)) is None:
            return found
        mined = part.find(method, path)
        if mined is None or (found is not None and _caught(found) <= _caught(mined)):
            return found
        return Found(self._worst(part, mined.value, method, path), mined.captures)

    def route(self, part: Part, index: int, method: str = "") -> Route:
        """Give the route of an operation that was mined, by its place in its part."""
        key = part.name, index, method
        route = self.at_hand.get(key)
        if route is None:
            route = self.at_hand[key] = self._made(part, part.facts[index], method)
        made: Route = route
        return made

    def mined_operations(self, prefix: str = "") -> Iterator[Operation]:
        """Give every operation that was mined and that its file does not list, a part at a time; `prefix` of their names."""
        listed = {operation.operation for operation in self.operations}
        for part in self.mined.starting(prefix):
            wanted = [index for index, fact in enumerate(part.facts) if fact.name.startswith(prefix) and fact.name not in listed]
            methods = {index: method for method, _, index in part.routes()} if wanted else {}
            for index in wanted:
                yield self.route(part, index, methods.get(index, "")).operation

    def _worst(self, part: Part, found: int | list[int], method: str, path: str) -> Route:
        """Where nothing tells several apart, or servers may take another template, the one of the highest tier."""
        indexes = found if isinstance(found, list) else [found]
        if len(indexes) == 1 and "a" not in part.facts[indexes[0]].marks:
            return self.route(part, indexes[0], method)
        first = self.route(part, indexes[0], method)
        worst = max((self.route(part, index, method) for index in part.every(method, path)), key=_tier)
        return first if worst.operation.tier <= first.operation.tier else replace(worst, captures=first.captures)

    def _made(self, part: Part, fact: Fact, method: str) -> Route:
        over = self.overrides.get(fact.name, _NOTHING_SAID)
        mined = tuple(filter(None, (param_of(*text.split(" ", 1)) for text in fact.params)))
        said = {param.name for param in over.params}
        params = (*over.params, *(param for param in mined if param.name not in said))
        names = {*fact.captures, *(param.name for param in params if param.kind == "string")}
        return Route(
            operation=self._operation(part, fact, method, over, params),
            captures=fact.captures,
            resource=over.resource or _fillable(self.resources, names),
            instance=over.instance or _fillable(self.instances, names) or _fillable(self.instances, names | self._host_names),
            params=params,
            worse=over.worse,
            egress=over.egress or "e" in fact.marks,
            reads=over.reads,
        )

    @property
    def _host_names(self) -> set[str]:
        """What its hosts can say: `{cluster}.acme.example`."""
        return {name for host in self.hosts for name in host_variables(host)}

    def _operation(self, part: Part, fact: Fact, method: str, over: Override, params: tuple[Param, ...]) -> Operation:
        told_by = "" if part.rpc else method
        judged = judge(fact.name, method=told_by, level=fact.level, marks=fact.marks)
        by_hand = over.access is not None or over.tier is not None
        kinds: dict[str, Kind] = dict.fromkeys(filter(is_kept, fact.captures), "string")
        kinds |= {param.name: param.kind for param in params}
        if over.egress:
            kinds |= dict(llm.PARAMS)
        access = over.access or judged.access
        why = over.why if over.why is not None else (why_of(access) if by_hand else judged.why)
        where = f"mined/{self.name}.{part.name}" if part.name else f"mined/{self.name}"
        return Operation(
            service=self.name,
            operation=fact.name,
            access=access,
            tier=judged.tier if over.tier is None else over.tier,
            params=MappingProxyType(kinds),
            why=why,
            evidence=(where, f"services/{self.name}") if by_hand else (where, *judged.evidence),
        )


_NOTHING_SAID = Override()


def _caught(found: Found[Any]) -> int:
    """How much of a path variables hold: the less, the more literal."""
    return sum(map(len, found.captures))


def _tier(route: Route) -> Tier:
    return route.operation.tier


def _fillable(templates: tuple[Template, ...], names: set[str]) -> Template:
    return next((parts for parts in templates if {*parts[1::2]} <= names), ())


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
