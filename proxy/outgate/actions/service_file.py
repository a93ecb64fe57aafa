"""Service files: what people wrote about a service, checked whole, compiled into the catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier
from outgate.actions.catalog import Catalog
from outgate.actions.entries import Entry
from outgate.actions.languages import LANGUAGES
from outgate.actions.mined import NOTHING
from outgate.actions.operation import Operation, Override, Route
from outgate.actions.operation_entries import HOLE, operation_of, override_of, params_of, template_of, told_of, worse_of
from outgate.actions.protocols import git, jsonrpc, llm
from outgate.actions.router import HostRouter, Router, host_variables, is_kept, variables
from outgate.actions.service import CREDENTIALS, METHODS, WEBSOCKET, Auth, Service, fallback
from outgate.actions.speakers import SPEAKERS
from outgate.actions.tool_entries import server_of
from outgate.actions.vocabulary import VOCABULARY
from outgate.errors import ConfigError
from outgate.intake.destination import canonical_authority

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from outgate.actions.mined import Mined
    from outgate.actions.protocols.mcp_servers import Server
    from outgate.actions.speakers import Speaker
    from outgate.document import Document
    from outgate.errors import Problem

LANGUAGE = "service/v1alpha"
UNREADABLE = "unreadable"

_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}")
_ON = re.compile(r"([A-Z]+(?:\|[A-Z]+)*) +(/\S*)")
_FIELD = re.compile(r"[A-Za-z0-9_-]+")
_HOST = re.compile(r"(?:\*\.)?(?:(?:[a-z0-9-]+\.)*[a-z0-9-]*\{[a-z][a-z0-9_]*\}[a-z0-9-]*\.)*([^{}*]+)")
_PROTOCOLS: Mapping[str, tuple[Operation, ...]] = {"git": git.OPERATIONS, "mcp": jsonrpc.OPERATIONS}
_ALL_METHODS = (*METHODS, WEBSOCKET)

TOP_KEYS = {
    *("outgate", "service", "adds-to", "title", "docs", "speaks", "hosts", "auth", "bodies"),
    *("resources", "instances", "otherwise", "operations", "examples", "tools", "trusted"),
}
OPERATION_KEYS = {"on", "access", "tier", "why", "resource", "instance", "params", "worse", "egress", "reads"}
_EXAMPLE_KEYS = {"request", "headers", "json", "form", "text", "is", "resource", "instance", "access", "tier", "params"}


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
    instances: list[str] = field(default_factory=list)
    overrides: dict[str, Override] = field(default_factory=dict)
    egress: bool = False
    told: set[str] = field(default_factory=set)
    mined: Mined = NOTHING
    speaker: Speaker | None = None
    servers: list[Server] = field(default_factory=list)


@dataclass(slots=True)
class _Whole:
    """What may be said once in all files."""

    drafts: dict[str, _Draft] = field(default_factory=dict)
    hosts: dict[str, HostRouter[str]] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {name: (kind, "every service") for name, kind in VOCABULARY.items()}
    )
    mined: Mapping[str, Mined] = field(default_factory=dict)
    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    """What plug-ins brought."""
    believed: Collection[str] = ()
    """Sources of documents that tests check."""


def compile_catalog(
    documents: Iterable[Document],
    mined: Mapping[str, Mined] | None = None,
    captured: Collection[str] = (),
    speakers: Mapping[str, Speaker] | None = None,
    believed: Collection[str] = (),
) -> Catalog:
    """Compile service files, in any order, over what was `mined` of each service; `captured` names variables in paths there.

    `speakers` are protocols that plug-ins brought, by the name that `speaks` says. `believed` are sources of documents whose
    overrides are of operations that were mined: they come with Outgate, and tests see to that.

    Raises ConfigError with every problem in every file.
    """
    found: list[Problem] = []
    whole = _Whole(mined=mined or {}, speakers=speakers or {}, believed=believed)
    roots = [Entry(document, (), document.value, found) for document in documents]
    for root in roots:
        _declare(root, whole)
    for root in sorted(roots, key=lambda at: at.get("service").value is None):
        _fill(root, whole)
    if found:
        raise ConfigError(*sorted(found))
    return Catalog(*(_service(draft) for draft in whole.drafts.values()), captured=captured)


def _declare(root: Entry, whole: _Whole) -> None:
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
    said = root.get("speaks")
    speaks = "rest" if said.value is None else said.choice("protocol", ("rest", *_PROTOCOLS, *SPEAKERS, *whole.speakers))
    if name in whole.drafts or name == "http":
        root.get("service").say(f"service '{name}' is here twice, write `adds-to: {name}` in one of them")
    shared = {*_PROTOCOLS, *(speaker.name for speaker in SPEAKERS.values() if speaker.shared)}
    protocol = speaks if speaks in shared else name
    if protocol in shared and name != speaks:
        root.get("service").say(f"hosts that speak {protocol} are added with `adds-to: {protocol}`")
    bodies = root.get("bodies")
    whole.drafts[name] = _Draft(
        name,
        speaks,
        _auth(root.get("auth")),
        json=bodies.value is not None and bodies.choice("form of bodies", ("json",)) == "json",
        mined=whole.mined.get(name, NOTHING),
        speaker=whole.speakers.get(speaks),
    )


def _fill(root: Entry, whole: _Whole) -> None:
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
    draft.instances = [template.text("an instance") for template in root.get("instances").each()] or draft.instances
    draft.resources = [template.text("a resource") for template in root.get("resources").each()] or draft.resources
    for method, at in root.get("otherwise").items(_ALL_METHODS):
        draft.otherwise[method] = operation_of(method, at, draft.name, ())
    _operations(root.get("operations"), draft, whole)
    _servers(root, draft)
    for example in root.get("examples").each():
        for _ in example.items(_EXAMPLE_KEYS):
            pass


def _servers(root: Entry, draft: _Draft) -> None:
    """Tools are those of the hosts in the same file."""
    said = [root.get(name) for name in ("tools", "trusted") if root.get(name).value is not None]
    if said and draft.speaks != "mcp":
        said[0].say("'tools' and 'trusted' are of MCP servers: `adds-to: mcp`, and their hosts", key=True)
    elif said:
        hosts = [host.value for host in root.get("hosts").each() if isinstance(host.value, str)]
        draft.servers.append(server_of(root, tuple(hosts)))


def _auth(at: Entry) -> Auth:
    said = {name: frozenset(_slot(name, one) for one in inside.each()) for name, inside in at.items(_AUTH_KEYS)}
    if any(name != name.lower() for name in said.get("headers", ())):
        at.get("headers").say("names of headers are written in small letters")
    return Auth(**said)


def _slot(name: str, at: Entry) -> str:
    return at.choice("kind of credential", CREDENTIALS) if name == "keys" else at.text(f"one of {name}", _FIELD)


_AUTH_KEYS = ("headers", "query", "keys")


def _hosts(at: Entry, draft: _Draft, whole: _Whole) -> None:
    router = whole.hosts.setdefault(draft.speaks if draft.speaks in _PROTOCOLS else "rest", HostRouter())
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


def _operations(at: Entry, draft: _Draft, whole: _Whole) -> None:
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


def _routes(name: str, at: Entry, draft: _Draft, whole: _Whole) -> None:
    if at.get("on").value is None and draft.mined is not NOTHING:
        _override(name, at, draft, whole)
        return
    params, told = params_of(at), told_of(at.get("reads"))
    draft.told |= set() if told is None else {told.language}
    places = [(place, match[1].split("|"), match[2]) for place in at.get("on").each() if (match := _on(place))]
    captured = tuple(dict.fromkeys(v for place, _, template in places for v in _variables(place, template) if is_kept(v)))
    for param in params:
        if param.name in captured:
            at.get("params").get(param.name).say(f"'{param.name}' is already read from the path", key=True)
    kinds = (*((c, "string") for c in captured), *((p.name, p.kind) for p in params))
    operation = operation_of(name, at, draft.name, (*llm.PARAMS, *kinds) if at.get("egress").value is True else kinds)
    draft.operations[name] = operation
    _kinds(operation.params, operation.name, at, whole)
    worse = tuple(worse_of(one, params) for one in at.get("worse").each())
    egress = _egress(at, draft)
    for place, methods, template in places:
        names = _variables(place, template)
        route = Route(
            operation=operation,
            captures=names,
            resource=template_of("resource", at, draft.resources, names, params),
            instance=template_of("instance", at, draft.instances, (*names, *_host_names(draft)), params),
            params=params,
            worse=worse,
            egress=egress,
            reads=told,
        )
        _add(place, draft, methods, template, route)
    if not places and not at.get("on").value:
        at.say(f"operation '{name}' needs `on: METHOD /path`")


def _override(name: str, at: Entry, draft: _Draft, whole: _Whole) -> None:
    """What people say of an operation that machines mined: it must be there, or a typo would say nothing.

    Files that tests check are believed: to look into what was mined takes longer than to read everything else.
    """
    params, told = params_of(at), told_of(at.get("reads"))
    draft.told |= set() if told is None else {told.language}
    names: tuple[str, ...] | None = None
    if at.document.source not in whole.believed:
        fact = draft.mined.fact(name)
        if fact is None:
            at.say(f"no operation '{name}' was mined of {draft.name}: give it `on: METHOD /path`, or its right name", key=True)
            return
        names = (*fact.captures, *(text.partition(" ")[0] for text in fact.params), *_host_names(draft))
    _kinds({param.name: param.kind for param in params}, f"{draft.name}.{name}", at, whole)
    draft.overrides[name] = override_of(at, names, params, told, egress=_egress(at, draft))


def _kinds(params: Mapping[str, str], where: str, at: Entry, whole: _Whole) -> None:
    for key, kind in params.items():
        known, first = whole.kinds.setdefault(key, (kind, where))
        if known != kind:
            at.say(f"parameter '{key}' is {kind} here and {known} in {first}: one name has one kind, rename one")


def _egress(at: Entry, draft: _Draft) -> bool:
    egress = at.get("egress").value is True
    draft.egress = draft.egress or egress
    if at.get("egress").value not in {None, True}:
        at.get("egress").say("'egress' is true or left out")
    return egress


def _host_names(draft: _Draft) -> tuple[str, ...]:
    return tuple(name for host in draft.hosts for name in host_variables(host))


def _on(at: Entry) -> re.Match[str] | None:
    match = _ON.fullmatch(at.text("'on'"))
    if match is None or not set(match[1].split("|")) <= {*_ALL_METHODS}:
        at.say(f"'{at.value}' is not `METHOD /path`, with methods of {', '.join(_ALL_METHODS)}")
        return None
    return match


def _variables(at: Entry, template: str) -> tuple[str, ...]:
    try:
        return variables(template)
    except ValueError as error:
        at.say(str(error))
        return ()


def _add(at: Entry, draft: _Draft, methods: Iterable[str], template: str, route: Route) -> None:
    for method in methods:
        try:
            draft.routes.add(method, template, route)
        except ValueError as error:
            at.say(str(error))


def _service(draft: _Draft) -> Service:
    unlisted = {method: fallback(draft.name, method) for method in _ALL_METHODS}
    unreadable = Operation(
        service=draft.name, operation=UNREADABLE, access=Access.UNKNOWN, tier=Tier.T2, why="the body can't be read"
    )
    speaker = draft.speaker or SPEAKERS.get(draft.speaks)
    operations = _PROTOCOLS.get(draft.speaks) or (
        *draft.operations.values(),
        *(unlisted | draft.otherwise).values(),
        unreadable,
        *(llm.operations(draft.name) if draft.egress else ()),
        *(() if speaker is None else speaker.operations(draft.name)),
        *(operation for name in sorted(draft.told & LANGUAGES.keys()) for operation in LANGUAGES[name].operations(draft.name)),
    )
    return Service(
        name=draft.name,
        speaks=draft.speaks,
        hosts=tuple(draft.hosts),
        operations=operations,
        auth=draft.auth,
        json=draft.json,
        routes=draft.routes,
        otherwise=unlisted | draft.otherwise,
        listed=frozenset(draft.otherwise),
        mined=draft.mined,
        speaker=draft.speaker,
        overrides=draft.overrides,
        servers=tuple(draft.servers),
        languages=frozenset(draft.told),
        resources=tuple(tuple(HOLE.split(template)) for template in draft.resources),
        instances=tuple(tuple(HOLE.split(template)) for template in draft.instances),
    )
