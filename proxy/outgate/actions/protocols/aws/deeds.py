"""Deeds: the actions of a request, once it is clear which operation it is: what it is done to, how often, whose that is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.action import Action, Confidence, Tier
from outgate.actions.arguments import Unclear as Ambiguous
from outgate.actions.arguments import read_param
from outgate.actions.languages import LANGUAGES, Envelope
from outgate.actions.paths import readable
from outgate.actions.protocols import llm
from outgate.actions.protocols.aws import s3
from outgate.actions.protocols.aws.asked import Unclear
from outgate.actions.router import is_kept
from outgate.actions.unreadable import unreadable
from outgate.intake.bodies import Undecodable
from outgate.intake.media import media_of

if TYPE_CHECKING:
    from outgate.actions.action import Param
    from outgate.actions.operation import Route
    from outgate.actions.protocols.aws.asked import Asked, Found
    from outgate.intake.request import Request

_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:([0-9]{12}):.*")
_QUEUE = re.compile(r"https?://[^/]+/([0-9]{12})/.+")
_COUNTED = ("ids", "names")
_NO_RESOURCE = frozenset({"region", "account", "limit", "statement"})
_MOST_SHOWN = 10


def actions(found: Found, asked: Asked) -> tuple[Action, ...]:
    """Give what a request does: the operation, what comes along with it, and `unreadable` where not all can be told."""
    route = route_of(found, asked)
    said, unknown, fault = _said(route, found, asked)
    action = _action(route, found, asked, said, unknown)
    beside: tuple[Action, ...] = ()
    if found.part.name == s3.PART:
        action, fault, beside = _of_s3(action, found, asked, fault)
    if fault:
        return (action, *beside, unreadable(asked.service.name, action.resource, fault))
    if route.egress:
        return (*_sent_out(action, found, asked), *beside)
    return (action, *beside) if route.reads is None else (*_told(action, route, found, asked), *beside)


def route_of(found: Found, asked: Asked) -> Route:
    """Give the route of the operation that was found."""
    return asked.service.route(found.part, found.index, asked.request.method if found.how == "path" else "")


def _said(route: Route, found: Found, asked: Asked) -> tuple[dict[str, Param], frozenset[str], str]:
    """Give parameters, the names of those that can't be told, and why not."""
    said: dict[str, Param] = {}
    if found.captures:
        said = {name: readable(raw) for name, raw in zip(route.captures, found.captures, strict=True) if is_kept(name)}
    region = asked.endpoint.region or asked.signed.region
    for name, value in (("region", region), ("account", asked.endpoint.account), ("bucket", found.bucket), ("key", found.key)):
        if value:
            said[name] = value
    return (said, frozenset(), "") if not route.params else _read(route, found, asked, said)


def _read(route: Route, found: Found, asked: Asked, said: dict[str, Param]) -> tuple[dict[str, Param], frozenset[str], str]:
    """Read what stands beside the path, and add it."""
    arguments = found.arguments
    fault = arguments.fault(route.params)
    media = None if fault is not None else media_of(asked.request.headers)
    if fault is not None or (media is not None and not media.is_utf8 and route.reads_body):
        return said, frozenset(param.name for param in route.params), fault.why if fault is not None else "its body is not UTF-8"
    unclear: set[str] = set()
    unread: set[str] = set()
    for param in route.params:
        if arguments.unread and param.source.in_body and found.how != "Action":
            unread.add(param.name)
        elif isinstance(value := read_param(param, arguments), Ambiguous):
            unclear.add(param.name)
        elif value is not None:
            said[param.name] = value
    if unclear:
        return said, frozenset(unclear | unread), f"'{min(unclear)}' is said twice, or is not of its kind"
    why = "its body is too large to count what it names" if unread.intersection(_COUNTED) else ""
    return said, frozenset(unread), why


def _action(route: Route, found: Found, asked: Asked, said: dict[str, Param], unknown: frozenset[str]) -> Action:
    operation = route.operation
    access, tier, why = operation.access, operation.tier, operation.why
    for worse in route.worse:
        if all(name in unknown or said.get(name) == wanted for name, wanted in worse.when.items()):
            access = worse.access or access
            tier, why = (worse.tier, worse.why or why) if worse.tier > tier else (tier, why)
    also = []
    for part, index in found.also:
        other = asked.service.route(part, index, asked.request.method if found.how == "path" else "").operation
        also.append(f"also {other.operation}")
        if other.tier > tier or (access.only_reads and not other.access.only_reads):
            access, tier, why = other.access, max(tier, other.tier), other.why
    return Action(
        service=operation.service,
        operation=operation.operation,
        resource=_resource(route, said),
        instance=_instance(asked, said),
        access=access,
        tier=tier,
        params=said,
        count=_count(said),
        confidence=Confidence.CATALOG,
        exact=found.part.name == s3.PART,
        why=why,
        evidence=(*operation.evidence, found.how, *also, asked.signed.how),
    )


def _count(said: dict[str, Param]) -> int:
    ids, named = said.get("ids"), said.get("names")
    return max(1, len(ids) if isinstance(ids, tuple) else 1, len(named) if isinstance(named, tuple) else 1)


def _resource(route: Route, said: dict[str, Param]) -> str:
    """Bucket and key; what the path names; what is listed; or the first that is named. Overrides say it themselves."""
    if route.resource:
        parts = [part if at % 2 == 0 else said.get(part, "") for at, part in enumerate(route.resource)]
        return "".join(map(str, parts)) if all(parts[1::2]) else ""
    if bucket := said.get("bucket"):
        return f"{bucket}/{said['key']}" if "key" in said else str(bucket)
    if captured := [str(said[name]) for name in route.captures if name in said]:
        return "/".join(captured)
    for name in _COUNTED:
        if isinstance(listed := said.get(name), tuple):
            return ",".join(listed[:_MOST_SHOWN])
    named = (said.get(param.name) for param in route.params if param.kind == "string" and param.name not in _NO_RESOURCE)
    return next((value for value in named if isinstance(value, str)), "")


def _instance(asked: Asked, said: dict[str, Param]) -> str:
    """Whose it is: the bucket; else the account that resources name by themselves, that of the host, that of the key."""
    if bucket := said.get("bucket"):
        return f"bucket:{bucket}"
    accounts = {match[1] for text in _texts(said) if (match := _ARN.fullmatch(text) or _QUEUE.fullmatch(text))}
    if len(accounts) > 1:
        return ""
    account = "".join(accounts) or asked.endpoint.account or asked.signed.account
    return f"account:{account}" if account else ""


def _texts(said: dict[str, Param]) -> list[str]:
    texts = [value for value in said.values() if isinstance(value, str)]
    return texts + [one for value in said.values() if isinstance(value, tuple) for one in value]


def _of_s3(action: Action, found: Found, asked: Asked, fault: str) -> tuple[Action, str, tuple[Action, ...]]:
    """S3's own: what is copied is read elsewhere, what is deleted at once counts, and headers may let everybody in."""
    if not action.access.only_reads and s3.is_public(asked.request, asked.query):
        tier = max(action.tier, Tier.T2)
        action = replace(action, tier=tier, params={**action.params, "public": True}, why="Everybody may read it then.")
    if found.operation == s3.DELETES:
        keys = s3.deleted(asked.request)
        if isinstance(keys, Unclear):
            return action, fault or keys.why, ()
        action = replace(action, params={**action.params, "ids": keys}, count=len(keys))
    source = s3.copied(asked.request)
    if isinstance(source, Unclear):
        return action, fault or source.why, ()
    return action, fault, () if source is None else (_copied(source, found, asked),)


def _copied(source: tuple[str, str], found: Found, asked: Asked) -> Action:
    bucket, key = source
    place = asked.atlas.place(found.part, "GetObject")
    assert place is not None
    operation = asked.service.route(found.part, place, "GET").operation
    return Action(
        service=operation.service,
        operation=operation.operation,
        resource=f"{bucket}/{key}",
        instance=f"bucket:{bucket}",
        access=operation.access,
        tier=operation.tier,
        params={"bucket": bucket, "key": key},
        confidence=Confidence.CATALOG,
        exact=True,
        why="It is copied from there.",
        evidence=(*operation.evidence, "x-amz-copy-source"),
    )


def _sent_out(action: Action, found: Found, asked: Asked) -> tuple[Action, ...]:
    """The places that the body sends AWS to, beside the operation."""
    if found.arguments.unread:
        return (action, unreadable(asked.service.name, action.resource, "the body is too large to see where AWS is sent to"))
    body = found.arguments.json()
    if isinstance(body, Undecodable):
        return (action, unreadable(asked.service.name, action.resource, body.why))
    return (llm.described(action, body), *llm.egress(asked.service.name, body))


def _told(action: Action, route: Route, found: Found, asked: Asked) -> tuple[Action, ...]:
    """What its body says in a language of its own, beside the operation that carries it: rules may name either."""
    assert route.reads is not None
    if found.arguments.unread:
        return (action, unreadable(asked.service.name, action.resource, "the body is too large to see what it asks for"))
    body = found.arguments.json()
    if isinstance(body, Undecodable):
        return (action, unreadable(asked.service.name, action.resource, body.why))
    said = LANGUAGES[route.reads.language].read(
        Envelope(
            action=action,
            request=asked.request,
            arguments=found.arguments,
            told=route.reads,
            service=asked.service,
            inner=lambda inner: _inside(inner, asked),
        )
    )
    return (action, *(one for one in said if one != action))


def _inside(inner: Request, asked: Asked) -> tuple[Action, ...]:
    return (unreadable(asked.service.name, readable(inner.path[1:]), "a request inside of a request to AWS"),)
