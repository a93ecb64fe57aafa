"""What does a request do? Request in, one or more actions out; never none, never an exception."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outgate.actions.access import access_of
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, Unclear, read_param
from outgate.actions.catalog import GENERIC
from outgate.actions.guessing import generic, guessed, method_of
from outgate.actions.languages import LANGUAGES, Envelope
from outgate.actions.overriding import hides, may_be_renamed, may_name_methods, overridden, renamed
from outgate.actions.paths import plainest, readable
from outgate.actions.protocols import git, grpc, jsonrpc, llm, nested
from outgate.actions.protocols.mcp_servers import server_at
from outgate.actions.router import is_kept
from outgate.actions.service import fallback
from outgate.actions.speakers import GUESSERS, SPEAKERS, unreadable
from outgate.intake.bodies import Undecodable
from outgate.intake.request import NoBody, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.actions.catalog import Catalog
    from outgate.actions.languages import Language
    from outgate.actions.operation import Route, Template, Told
    from outgate.actions.router import Found
    from outgate.actions.service import Service
    from outgate.actions.speakers import Speaker
    from outgate.intake.request import Request

_OVERRIDDEN = "a header asks for another method, and without it this would be worse"
_RENAMED = "a field asks for another method, which some servers go by"
_LENIENT = "a server that is lenient about paths would take it for this"
_COLON = re.compile(r"%(?:25)*3[aA]")
_FORMAT = re.compile(r"\.(?:json|xml|csv|html)\Z")


def identify(request: Request, catalog: Catalog) -> tuple[Action, ...]:
    """Give every action of a request, at least one. Total: what can't be understood is an action too.

    A host that is declared for a protocol speaks it; a host that belongs to a service is read by its file; of any other
    host git, MCP and other protocols are recognised, as guesses; what is left is `http.` and its method.
    """
    return _identify(request, catalog, inside=False)


def _identify(request: Request, catalog: Catalog, *, inside: bool) -> tuple[Action, ...]:
    meant = overridden(request)
    sent = _as_sent(request, catalog, inside=inside)
    more = tuple(_renamed(request, catalog, inside=inside)) if may_name_methods(request) else ()
    if meant is None:
        return (*sent, *more)
    actions = _as_sent(meant, catalog, inside=inside)
    if not _overrides(request, catalog):
        return (*actions, *sent, *more)
    floor = max((action.tier for action in sent if action.mapped), default=Tier.T0)
    actions = tuple(replace(action, tier=floor, why=_OVERRIDDEN) if action.tier < floor else action for action in actions)
    return (*actions, *more)


def _renamed(request: Request, catalog: Catalog, *, inside: bool) -> Iterator[Action]:
    """What it would be by the method that a field of it names, and that nobody can tell where more is hidden in its query."""
    known = catalog.at(request.authority).main
    if known is None or request.opaque:
        return
    if hides(request):
        yield unreadable(known.name, readable(request.path[1:]), "its query holds headers or a body")
    if _may_be_renamed(request, known):
        for meant in renamed(request):
            yield from (
                replace(action, why=_RENAMED) for action in _as_sent(meant, catalog, inside=inside) if action.tier > Tier.T0
            )


def _may_be_renamed(request: Request, service: Service) -> bool:
    speaker = _speaker(service)
    return speaker is None or speaker.overrides or request.host.endswith(".googleapis.com")


def _overrides(request: Request, catalog: Catalog) -> bool:
    known = catalog.at(request.authority).main
    speaker = None if known is None else _speaker(known)
    return speaker is not None and speaker.overrides


def _speaker(service: Service) -> Speaker | None:
    """The protocol of its hosts: one that a plug-in brought, or ours."""
    return service.speaker or SPEAKERS.get(service.speaks)


def _as_sent(request: Request, catalog: Catalog, *, inside: bool) -> tuple[Action, ...]:
    known = catalog.at(request.authority)
    if request.opaque:
        return (_tunnel(request, known.main),)
    if (known.main is None or known.git is not None) and git.speaks(request):
        return git.identify(request, declared=known.git is not None)
    if known.mcp is not None or (known.main is None and jsonrpc.may_be_jsonrpc(request)):
        tools = server_at(known.mcp, request.authority)
        called = jsonrpc.identify(request, declared=known.mcp is not None, known=tools)
        if called:
            return called
    if known.main is None:
        return _guessed_protocol(request) or (generic(request),)
    speaker = _speaker(known.main)
    spoken = () if speaker is None else speaker.identify(request, known.main, catalog)
    if not spoken and grpc.is_googles(request, known.main):
        spoken = grpc.identify(request, known.main)
    if spoken:
        return spoken
    plain = request if speaker is None else speaker.plainly(request, known.main)
    arguments = Arguments(plain, json=known.main.json)
    return _rest(_Asked(plain, known.main, known.captures, arguments, catalog, inside))


def _guessed_protocol(request: Request) -> tuple[Action, ...]:
    for guesser in GUESSERS:
        if guesser.may_be(request) and (guessed := guesser.identify(request)):
            return guessed
    return ()


def wants_body(request: Request, catalog: Catalog) -> bool:
    """Whether `identify` must see the body to say what the request does."""
    if request.opaque or overridden(request) is not None:
        return not request.opaque
    known = catalog.at(request.authority)
    if (known.main is None or known.git is not None) and git.speaks(request):
        return git.wants_body(request)
    if known.mcp is not None:
        return request.method == "POST"
    if known.main is None:
        told = (guesser.wants_body(request) for guesser in GUESSERS if guesser.may_be(request))
        return jsonrpc.may_be_jsonrpc(request) or any(told)
    speaker = _speaker(known.main)
    if speaker is not None and speaker.wants_body(request, known.main, catalog):
        return True
    named = may_be_renamed(request) and _may_be_renamed(request, known.main)
    return named or any(route.value.reads_body for route in _routes(request, known.main) if route is not None)


def heavy(request: Request, catalog: Catalog) -> bool:
    """Whether it must be read in a process of its own though it is small: its language takes long to parse."""
    if request.opaque or (isinstance(request.body, NoBody) and not request.query):
        return False
    known = catalog.at(request.authority)
    calls = known.mcp is not None or (known.main is None and jsonrpc.may_be_jsonrpc(request))
    if calls and nested.heavy(request):
        return True
    if known.main is None or known.main.speaks == "graphql":
        return any(guesser.heavy(request) for guesser in GUESSERS)
    if not known.main.languages:
        return False
    size = len(request.query or "") + (len(request.body.content) if isinstance(request.body, WholeBody) else 0)
    told = [route.value.reads for route in _routes(request, known.main) if route is not None]
    told.extend(_told_at(request, known.main))
    return any(reads is not None and _is_heavy(LANGUAGES[reads.language], size) for reads in told)


def _told_at(request: Request, service: Service) -> list[Told]:
    """What operations of a service may be told that are not found by their path: those whose part the host names."""
    if _speaker(service) is None:
        return []
    parts: dict[str, list[Told]] | None = service.at_hand.get("told")
    if parts is None:
        parts = service.at_hand["told"] = {}
        for name, over in service.overrides.items():
            if over.reads is not None:
                parts.setdefault(name.partition(".")[0].partition("-")[0], []).append(over.reads)
    return [reads for part, many in parts.items() if part in request.host for reads in many]


def _is_heavy(language: Language, size: int) -> bool:
    return size > 0 and (size >= language.heavy or not language.is_loaded())


def _routes(sent: Request, service: Service) -> tuple[Found[Route] | None, ...]:
    """What the path leads to, and what it would for a lenient server, where that is something else."""
    speaker = _speaker(service)
    request = sent if speaker is None else speaker.plainly(sent, service)
    found = _find(service, request, request.path)
    lenient = plainest(request.path)
    lenient = _COLON.sub(":", lenient) if "%" in lenient else lenient
    spelled = () if lenient == request.path else (lenient,)
    if found is None:
        spelled = (*spelled, *_formatted(lenient))
    others = (other for path in spelled if (other := _find(service, request, path)) is not None)
    other = next((other for other in others if found is None or not _alike(found, other)), None)
    return (found,) if other is None else (found, other)


def _formatted(path: str) -> tuple[str, ...]:
    """The path as a server may take it that tells by its end, or by none, in which format to answer (Rails, Twilio)."""
    bare = _FORMAT.sub("", path)
    return (f"{bare}.json",) if bare == path else (bare, f"{bare}.json")


def _alike(found: Found[Route], other: Found[Route]) -> bool:
    same = found.value.operation.name == other.value.operation.name
    return same and list(map(readable, found.captures)) == list(map(readable, other.captures))


def _find(service: Service, request: Request, path: str) -> Found[Route] | None:
    method = method_of(request)
    found = service.find(method, path, request.authority)
    return service.find("GET", path, request.authority) if found is None and method == "HEAD" else found


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of a service, while it is read by method and path. `inside`: another request brought it."""

    request: Request
    service: Service
    host: Mapping[str, str]
    arguments: Arguments
    catalog: Catalog
    inside: bool

    def unreadable(self, why: str) -> Action:
        return unreadable(self.service.name, readable(self.request.path[1:]), why)

    def inner(self, request: Request) -> tuple[Action, ...]:
        if self.inside:
            return (self.unreadable("a request inside of a request inside of a request"),)
        return _identify(request, self.catalog, inside=True)


def _rest(asked: _Asked) -> tuple[Action, ...]:
    first, *others = _routes(asked.request, asked.service)
    made = (_unlisted(asked.request, asked.service),) if first is None else _routed(first, asked)
    for other in filter(None, others):
        made = (*made, *(replace(action, confidence=Confidence.HEURISTIC, why=_LENIENT) for action in _routed(other, asked)))
    told = None if first is None else first.value.reads
    return made if told is None else (*_told(made[0], told, asked), *made[1:])


def _told(action: Action, told: Told, asked: _Asked) -> tuple[Action, ...]:
    """What the body says in its own language, in place of the operation that carries it."""
    if asked.arguments.unread:
        return (action, asked.unreadable("the body is too large to see what it asks for"))
    return LANGUAGES[told.language].read(
        Envelope(
            action=action,
            request=asked.request,
            arguments=asked.arguments,
            told=told,
            service=asked.service,
            inner=asked.inner,
        )
    )


def _routed(found: Found[Route], asked: _Asked) -> tuple[Action, ...]:
    """Give the action of an operation, and those that come with it: `unreadable` where not all of it can be told."""
    route, request, arguments = found.value, asked.request, asked.arguments
    captured = zip(route.captures, found.captures, strict=True)
    said: dict[str, Param] = {**asked.host, **{name: readable(raw) for name, raw in captured if is_kept(name)}}
    if not route.params and not route.egress:
        return (_action(route, request, said, frozenset()),)
    fault = _fault(route, arguments)
    if fault is not None:
        action = _action(route, request, said, frozenset(param.name for param in route.params))
        return (action, asked.unreadable(fault.why))
    read = {param.name: read_param(param, arguments) for param in route.params}
    said |= {name: value for name, value in read.items() if value is not None and not isinstance(value, Unclear)}
    unclear = frozenset(name for name, value in read.items() if isinstance(value, Unclear))
    unread = frozenset(param.name for param in route.params if param.source.in_body) if arguments.unread else frozenset()
    action = _action(route, request, said, unclear | unread)
    if unclear:
        return (action, asked.unreadable(f"'{min(unclear)}' is said twice, or is not of its kind"))
    body = arguments.structure() if route.egress else None
    if body is None or isinstance(body, Undecodable):
        return (action,)
    return (llm.described(action, body), *llm.egress(asked.service.name, body))


def _fault(route: Route, arguments: Arguments) -> Undecodable | None:
    if not route.egress:
        return arguments.fault(route.params)
    if arguments.unread:
        return Undecodable("the body is too large to see where the provider is sent to")
    body = arguments.structure()
    return body if isinstance(body, Undecodable) else arguments.fault(route.params)


def _action(route: Route, request: Request, said: Mapping[str, Param], unknown: frozenset[str]) -> Action:
    """`unknown` are parameters that nobody can tell: what they could make worse is worse."""
    operation = route.operation
    tier, access, why = operation.tier, operation.access, operation.why
    for worse in route.worse:
        if all(name in unknown or said.get(name) == wanted for name, wanted in worse.when.items()):
            access = worse.access or access
            tier, why = (worse.tier, worse.why or why) if worse.tier > tier else (tier, why)
    return Action(
        service=operation.service,
        operation=operation.operation,
        resource=_filled(route.resource, said) if route.resource else readable(request.path[1:]),
        instance=_filled(route.instance, said),
        access=access,
        tier=tier,
        params=said,
        confidence=Confidence.CATALOG,
        why=why,
        evidence=operation.evidence or (f"services/{operation.service}",),
    )


def _filled(template: Template, said: Mapping[str, Param]) -> str:
    """Fill a template; empty where something of it is not known."""
    parts = [part if at % 2 == 0 else said.get(part, "") for at, part in enumerate(template)]
    return "".join(map(str, parts)) if all(parts[1::2]) else ""


def _unlisted(request: Request, service: Service) -> Action:
    """Of a service's host, but no operation that is listed: what its file says of the method, else a guess."""
    method = method_of(request)
    operation = service.otherwise.get(method) or fallback(service.name, method)
    if method not in service.listed:
        return guessed(operation, request, readable(request.path[1:]))
    secret = operation.access.only_reads and _names_a_secret(request.path)
    return Action(
        service=service.name,
        operation=operation.operation,
        resource=readable(request.path[1:]),
        access=operation.access,
        tier=max(operation.tier, Tier.T1) if secret else operation.tier,
        confidence=Confidence.CATALOG,
        why="it may read credentials" if secret else operation.why,
        evidence=(f"services/{service.name}", "otherwise", *(("sensitive by name",) if secret else ())),
    )


def _names_a_secret(path: str) -> bool:
    """Whether the last part of a path is named as credentials are: `/v1/api_keys`, `/storefront_access_tokens.json`."""
    return access_of(f"get {plainest(path).rpartition('/')[2][:_LONGEST_NAME]}")[1] is not Tier.T0


_LONGEST_NAME = 64


def _tunnel(request: Request, service: Service | None) -> Action:
    """Anything that can be done at that host may be done in it."""
    return Action(
        service=GENERIC if service is None else service.name,
        operation="tunnel",
        resource=f"{request.host}:{request.port}",
        access=Access.UNKNOWN,
        tier=Tier.T2,
        confidence=Confidence.PROTOCOL,
        why="its TLS is the agent's own: what is asked in it is not inspected",
        evidence=("destinations",),
    )
