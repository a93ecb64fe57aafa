"""Service files: what people wrote about a service, checked whole, compiled into the catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from outgate.actions.action import Access, Tier
from outgate.actions.catalog import (
    CREDENTIALS,
    METHODS,
    WEBSOCKET,
    Auth,
    Catalog,
    Kind,
    Operation,
    Param,
    Place,
    Route,
    Service,
    Source,
    Worse,
    fallback,
)
from outgate.actions.protocols import git, jsonrpc, llm
from outgate.actions.router import HostRouter, Router, is_kept, variables
from outgate.errors import ConfigError
from outgate.intake.destination import canonical_authority

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from outgate.document import Document, Path
    from outgate.errors import Problem

LANGUAGE = "service/v1alpha"
KINDS: tuple[str, ...] = get_args(Kind.__value__)
UNREADABLE = "unreadable"

_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}")
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_WRITTEN = re.compile(r"([a-z]+) +([a-z]+)\.([^\s]+)(?: +in +([a-z]+)\.([^\s]+))?")
_ON = re.compile(r"([A-Z]+(?:\|[A-Z]+)*) +(/\S*)")
_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FIELD = re.compile(r"[A-Za-z0-9_-]+")
_HOST = re.compile(r"(?:\*\.)?(?:\{[a-z]+\}\.)*([^{}*]+)")
_PLACES: tuple[str, ...] = get_args(Place.__value__)
_PROTOCOLS: Mapping[str, tuple[Operation, ...]] = {"git": git.OPERATIONS, "mcp": jsonrpc.OPERATIONS}
_ALL_METHODS = (*METHODS, WEBSOCKET)

TOP_KEYS = {
    *("outgate", "service", "adds-to", "title", "docs", "speaks", "hosts", "auth", "bodies"),
    *("resources", "otherwise", "operations", "examples"),
}
OPERATION_KEYS = {"on", "access", "tier", "why", "resource", "params", "worse", "egress"}
_EXAMPLE_KEYS = {"request", "headers", "json", "form", "text", "is", "resource", "access", "tier", "params"}


@dataclass(frozen=True, slots=True)
class _At:
    """A place in a file. Problems of all places end up in `found`."""

    document: Document
    path: Path
    value: Any
    found: list[Problem]

    def say(self, message: str, *, key: bool = False) -> None:
        self.found.append(self.document.problem(self.path, message, key=key))

    def get(self, name: str) -> _At:
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return _At(self.document, (*self.path, name), value, self.found)

    def items(self, allowed: Collection[str] | None = None) -> Iterator[tuple[str, _At]]:
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            self.say("this must be a table of `key: value`")
            return
        for name in self.value:
            inside = self.get(name)
            if allowed is not None and name not in allowed:
                inside.say(f"unknown key '{name}', use one of {', '.join(sorted(allowed))}", key=True)
            else:
                yield name, inside

    def each(self) -> Iterator[_At]:
        """One or many, as many."""
        if isinstance(self.value, list):
            yield from (_At(self.document, (*self.path, i), v, self.found) for i, v in enumerate(self.value))
        elif self.value is not None:
            yield self

    def text(self, what: str, pattern: re.Pattern[str] | None = None) -> str:
        if isinstance(self.value, str) and self.value and (pattern is None or pattern.fullmatch(self.value)):
            return self.value
        self.say(f"{what} must be text" + (f" like {pattern.pattern}" if pattern else ""))
        return ""

    def choice(self, what: str, choices: Collection[str]) -> str:
        if isinstance(self.value, str) and self.value in choices:
            return self.value
        self.say(f"unknown {what} '{self.value}', use one of {', '.join(choices)}")
        return ""


@dataclass(slots=True)
class _Draft:
    """A service while its files are read."""

    name: str
    speaks: str
    auth: Auth
    json: bool = False
    resources: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)
    otherwise: dict[str, Operation] = field(default_factory=dict)
    routes: Router[Route] = field(default_factory=Router)
    egress: bool = False


@dataclass(slots=True)
class _Whole:
    """What may be said once in all files."""

    drafts: dict[str, _Draft] = field(default_factory=dict)
    hosts: dict[str, HostRouter[str]] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)


def compile_catalog(documents: Iterable[Document]) -> Catalog:
    """Compile service files, in any order. Raises ConfigError with every problem in every file."""
    found: list[Problem] = []
    whole = _Whole()
    roots = [_At(document, (), document.value, found) for document in documents]
    for root in roots:
        _declare(root, whole)
    for root in sorted(roots, key=lambda at: at.get("service").value is None):
        _fill(root, whole)
    if found:
        raise ConfigError(*sorted(found))
    return Catalog(*(_service(draft) for draft in whole.drafts.values()))


def _declare(root: _At, whole: _Whole) -> None:
    """Find what each service is, before anything is added to it."""
    for _ in root.items(TOP_KEYS):
        pass
    if not isinstance(root.value, dict):
        root.say("a service file starts with `outgate: service/v1alpha`")
        return
    root.get("outgate").choice("language", (LANGUAGE,))
    if (root.get("service").value is None) == (root.get("adds-to").value is None):
        root.say("say which service this is, with `service: NAME`, or which it adds to, with `adds-to: NAME`")
    if root.get("service").value is None:
        return
    name = root.get("service").text("a service's name", _SERVICE)
    speaks = root.get("speaks").choice("protocol", ("rest", *_PROTOCOLS)) if root.get("speaks").value is not None else "rest"
    if name in whole.drafts or name == "http":
        root.get("service").say(f"service '{name}' is here twice, write `adds-to: {name}` in one of them")
    protocol = speaks if speaks in _PROTOCOLS else name
    if protocol in _PROTOCOLS and name != speaks:
        root.get("service").say(f"hosts that speak {protocol} are added with `adds-to: {protocol}`")
    bodies = root.get("bodies")
    whole.drafts[name] = _Draft(
        name,
        speaks,
        _auth(root.get("auth")),
        json=bodies.value is not None and bodies.choice("form of bodies", ("json",)) == "json",
    )


def _fill(root: _At, whole: _Whole) -> None:
    if not isinstance(root.value, dict):
        return
    key = "adds-to" if root.get("service").value is None else "service"
    draft = whole.drafts.get(str(root.get(key).value))
    if draft is None:
        if key == "adds-to" and root.get(key).value is not None:
            known = ", ".join(sorted(whole.drafts)) or "none"
            root.get(key).say(f"no service '{root.get(key).value}' to add to, there are {known}")
        return
    if key == "adds-to":
        for name in ("speaks", "auth", "bodies", "otherwise"):
            if root.get(name).value is not None:
                root.get(name).say(f"'{name}' belongs in the file of the service, not in one that adds to it", key=True)
    _hosts(root.get("hosts"), draft, whole)
    draft.resources = [template.text("a resource") for template in root.get("resources").each()] or draft.resources
    for method, at in root.get("otherwise").items(_ALL_METHODS):
        draft.otherwise[method] = _operation(method, at, draft.name, ())
    _operations(root.get("operations"), draft, whole)
    for example in root.get("examples").each():
        for _ in example.items(_EXAMPLE_KEYS):
            pass


def _auth(at: _At) -> Auth:
    said = {name: frozenset(_slot(name, one) for one in inside.each()) for name, inside in at.items(_AUTH_KEYS)}
    if any(name != name.lower() for name in said.get("headers", ())):
        at.get("headers").say("names of headers are written in small letters")
    return Auth(**said)


def _slot(name: str, at: _At) -> str:
    return at.choice("kind of credential", CREDENTIALS) if name == "keys" else at.text(f"one of {name}", _FIELD)


_AUTH_KEYS = ("headers", "query", "keys")


def _hosts(at: _At, draft: _Draft, whole: _Whole) -> None:
    router = whole.hosts.setdefault(draft.speaks, HostRouter())
    for one in at.each():
        host = one.text("a host")
        fixed = _HOST.fullmatch(host)
        try:
            if not fixed or _written(fixed[1]) != fixed[1]:
                one.say(f"host '{host}' must be a lower-case name, with '*.' or '{{label}}.' before it, and ':port' after it")
            else:
                router.add(host, draft.name)
        except ValueError as error:
            one.say(str(error))
        draft.hosts.append(host)


def _written(authority: str) -> str:
    host, port = canonical_authority(authority, 0)
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def _operations(at: _At, draft: _Draft, whole: _Whole) -> None:
    if at.value is not None and draft.speaks in _PROTOCOLS:
        at.say(f"what {draft.speaks} does is known, a file says only which hosts speak it", key=True)
        return
    for name, inside in at.items():
        if not _OPERATION.fullmatch(name) or name in {UNREADABLE, *_ALL_METHODS} or name in draft.operations:
            inside.say(f"'{name}' can't be an operation's name here, or is one already", key=True)
            continue
        for _ in inside.items(OPERATION_KEYS):
            pass
        _routes(name, inside, draft, whole)


def _routes(name: str, at: _At, draft: _Draft, whole: _Whole) -> None:
    params = tuple(p for p in (_param(key, inside) for key, inside in at.get("params").items()) if p is not None)
    places = [(place, match[1].split("|"), match[2]) for place in at.get("on").each() if (match := _on(place))]
    captured = tuple(dict.fromkeys(v for place, _, template in places for v in _variables(place, template) if is_kept(v)))
    for param in params:
        if param.name in captured:
            at.get("params").get(param.name).say(f"'{param.name}' is already read from the path", key=True)
    operation = _operation(name, at, draft.name, (*((c, "string") for c in captured), *((p.name, p.kind) for p in params)))
    draft.operations[name] = operation
    for key, kind in operation.params.items():
        known, where = whole.kinds.setdefault(key, (kind, operation.name))
        if known != kind:
            at.say(f"parameter '{key}' is {kind} here and {known} in {where}: one name has one kind, rename one")
    worse = tuple(_worse(one, params) for one in at.get("worse").each())
    egress = at.get("egress").value is True
    draft.egress = draft.egress or egress
    if at.get("egress").value not in {None, True}:
        at.get("egress").say("'egress' is true or left out")
    for place, methods, template in places:
        names = _variables(place, template)
        resource = _resource(at, draft, names, params)
        route = Route(operation=operation, captures=names, resource=resource, params=params, worse=worse, egress=egress)
        _add(place, draft, methods, template, route)
    if not places and not at.get("on").value:
        at.say(f"operation '{name}' needs `on: METHOD /path`")


def _on(at: _At) -> re.Match[str] | None:
    match = _ON.fullmatch(at.text("'on'"))
    if match is None or not set(match[1].split("|")) <= {*_ALL_METHODS}:
        at.say(f"'{at.value}' is not `METHOD /path`, with methods of {', '.join(_ALL_METHODS)}")
        return None
    return match


def _variables(at: _At, template: str) -> tuple[str, ...]:
    try:
        return variables(template)
    except ValueError as error:
        at.say(str(error))
        return ()


def _add(at: _At, draft: _Draft, methods: Iterable[str], template: str, route: Route) -> None:
    for method in methods:
        try:
            draft.routes.add(method, template, route)
        except ValueError as error:
            at.say(str(error))


def _operation(name: str, at: _At, service: str, params: Iterable[tuple[str, str]]) -> Operation:
    access = at.get("access").choice("access", [a.value for a in Access])
    tier = at.get("tier").choice("tier", [t.name for t in Tier])
    kinds: Any = dict(params)
    return Operation(
        service=service,
        operation=name,
        access=Access(access) if access else Access.UNKNOWN,
        tier=Tier[tier] if tier else Tier.T3,
        params=kinds,
        why=_sentence(at.get("why")),
    )


def _sentence(at: _At) -> str:
    return "" if at.value is None else at.text("'why'")


def _param(name: str, at: _At) -> Param | None:
    match = _WRITTEN.fullmatch(at.value) if isinstance(at.value, str) else None
    if not _PARAM.fullmatch(name) or match is None or match[1] not in KINDS or {match[2], match[4] or "json"} - {*_PLACES}:
        at.say(f"a parameter is `name: KIND PLACE.FIELD`, KIND of {', '.join(KINDS)}, PLACE of {', '.join(_PLACES)}")
        return None
    if match[4] and match[1] != "money":
        at.say("only money is `in` a currency")
    kind: Any = match[1]
    return Param(
        name=name, kind=kind, source=_source(match[2], match[3]), currency=_source(match[4], match[5]) if match[4] else None
    )


def _source(place: str, fields: str) -> Source:
    known: Any = place
    return Source(place=known, path=(fields.lower(),) if place == "header" else tuple(fields.split(".")))


def _worse(at: _At, params: tuple[Param, ...]) -> Worse:
    for _ in at.items({"if", "tier", "access", "why"}):
        pass
    when = dict(at.get("if").value) if isinstance(at.get("if").value, dict) else {}
    kinds = {param.name: param.kind for param in params}
    wanted = {"bool": bool, "string": str}
    if not when or any(wanted.get(kinds.get(name, "")) is not type(value) for name, value in when.items()):
        at.say("`if` names parameters of this operation, each with the text or the true or false that makes it worse")
    access = at.get("access").value
    return Worse(
        when=when,
        tier=Tier[at.get("tier").choice("tier", [t.name for t in Tier]) or "T3"],
        access=Access(at.get("access").choice("access", [a.value for a in Access]) or Access.UNKNOWN) if access else None,
        why=_sentence(at.get("why")),
    )


def _resource(at: _At, draft: _Draft, captures: tuple[str, ...], params: tuple[Param, ...]) -> tuple[str, ...]:
    """The operation's own template, else the first of its service that its names can fill."""
    known = {*captures, *(param.name for param in params if param.kind == "string")}
    own = at.get("resource")
    if own.value is not None:
        parts = tuple(_HOLE.split(own.text("'resource'")))
        if not {*parts[1::2]} <= known:
            own.say(f"resource '{own.value}' names something that is neither in the path nor a string parameter")
        return parts
    split = (tuple(_HOLE.split(template)) for template in draft.resources)
    return next((parts for parts in split if {*parts[1::2]} <= known), ())


def _service(draft: _Draft) -> Service:
    unlisted = {method: fallback(draft.name, method) for method in _ALL_METHODS}
    unreadable = Operation(
        service=draft.name, operation=UNREADABLE, access=Access.UNKNOWN, tier=Tier.T2, why="the body can't be read"
    )
    operations = _PROTOCOLS.get(draft.speaks) or (
        *draft.operations.values(),
        *(unlisted | draft.otherwise).values(),
        unreadable,
        *(llm.operations(draft.name) if draft.egress else ()),
    )
    speaks: Any = draft.speaks
    return Service(
        name=draft.name,
        speaks=speaks,
        hosts=tuple(draft.hosts),
        operations=operations,
        auth=draft.auth,
        json=draft.json,
        routes=draft.routes,
        otherwise=unlisted | draft.otherwise,
        listed=frozenset(draft.otherwise),
    )
