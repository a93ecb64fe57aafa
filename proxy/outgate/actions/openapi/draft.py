"""A document as service files: one for all hosts that do the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from outgate.actions.action import Tier
from outgate.actions.openapi.judging import Judgement, ambiguous, judged
from outgate.actions.openapi.naming import distinct, operation_name, routed, service_name
from outgate.actions.openapi.operations import Described, described
from outgate.actions.openapi.overlay import NOTHING
from outgate.actions.openapi.references import Reading
from outgate.actions.openapi.servers import Server, old_servers_of, servers_of
from outgate.actions.openapi.worth import is_minor, kind_of, name_of, one_kind_each, renamed, worth
from outgate.actions.service_file import LANGUAGE, UNREADABLE
from outgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from outgate.actions.openapi.fields import Field
    from outgate.actions.openapi.overlay import Overlay
    from outgate.actions.vocabulary import Kind
    from outgate.document import Document
    from outgate.errors import Problem

SERVICE = "x-outgate-service"
SERVICE_SAYABLE = ("name", "title", "docs", "hosts", "auth", "bodies", "resources", "otherwise")
"""What `x-outgate-service` and an overlay may say of the service."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TAKEN = frozenset({UNREADABLE, "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation of a draft: its part of the service file, and what a person should know beside."""

    name: str
    value: Mapping[str, Any]
    tag: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One service file."""

    service: str
    head: Mapping[str, Any]
    entries: tuple[Entry, ...]
    adds: bool = False
    """To a service that is there already."""

    @property
    def value(self) -> dict[str, Any]:
        """The whole file, as it is when it is read."""
        name = "adds-to" if self.adds else "service"
        return {"outgate": LANGUAGE, name: self.service, **self.head, "operations": {e.name: e.value for e in self.entries}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a document: its service files, the first with most operations, and what could not be told."""

    title: str
    version: str
    drafts: tuple[Draft, ...]
    notes: tuple[Problem, ...]
    skipped: int = 0


def imported(
    document: Document,
    *,
    service: str = "",
    servers: tuple[Server, ...] = (),
    overlay: Overlay = NOTHING,
    kinds: Mapping[str, Kind] | None = None,
) -> Imported:
    """Make service files of a document. `kinds` are those that names of parameters have elsewhere.

    Raises ConfigError with everything that is wrong in the document, each with its line and what to do about it.
    """
    reading = Reading(document)
    _check_version(reading)
    said = _service_said(reading, overlay)
    whole = described(reading, overlay.operations)
    _check_overlay(reading, overlay, whole)
    own = servers or (old_servers_of(reading) if _is_old(reading) else servers_of(reading, reading.at("servers")))
    own = _at_hosts(own, said.get("hosts"))
    drafting = _Drafting(reading=reading, kinds=_kinds(whole, kinds or {}))
    listed = [one for one in whole if one.said.get("skip") is not True]
    for one in listed:
        drafting.add(one, own if servers or said.get("hosts") else one.servers or own)
    if not own and any(not one.servers for one in listed):
        reading.fault((), "the document says no server: name one with --server https://api.example.com")
    title = str(said.get("title") or _info(reading, "title"))
    name = service or str(said.get("name") or service_name(title))
    if not _NAME.fullmatch(name):
        reading.fault(("info", "title"), f"'{title}' gives no name for the service, say one with --service NAME")
    if reading.faults:
        raise ConfigError(*sorted(reading.faults))
    if not drafting.entries:
        raise ConfigError(document.problem(("paths",), "the document has no operation", key=True))
    return Imported(
        title=title,
        version=str(_info(reading, "version")),
        drafts=drafting.drafts(name, _head(reading, said, title)),
        notes=tuple(sorted(reading.notes)),
        skipped=len(whole) - len(listed),
    )


def _check_version(reading: Reading) -> None:
    root = reading.document.value
    if not isinstance(root, dict) or not {"openapi", "swagger"} & root.keys():
        raise ConfigError(
            reading.document.problem((), 'is no OpenAPI document: it has no `openapi: 3.…` and no `swagger: "2.0"`')
        )
    version = str(root.get("openapi", root.get("swagger")))
    if not re.match(r"3\.|2\.0$|2$", version):
        raise ConfigError(reading.document.problem(("openapi",), f"OpenAPI {version} is not read, 3.x and Swagger 2.0 are"))
    if not isinstance(root.get("paths"), dict):
        reading.fault(("paths",), "the document has no table of `paths`")


def _is_old(reading: Reading) -> bool:
    return "swagger" in reading.document.value


def _info(reading: Reading, name: str) -> str:
    value = reading.at("info", name).value
    return str(value) if isinstance(value, str | int | float) else ""


def _service_said(reading: Reading, overlay: Overlay) -> dict[str, Any]:
    said = reading.at(SERVICE)
    if said.value is not None and not isinstance(said.value, dict):
        reading.fault(said.path, f"`{SERVICE}` is a table of {', '.join(SERVICE_SAYABLE)}")
        return dict(overlay.service)
    for key in said.value or ():
        if key not in SERVICE_SAYABLE:
            reading.fault((SERVICE, key), f"unknown key '{key}', use one of {', '.join(SERVICE_SAYABLE)}", key=True)
    return {**(said.value or {}), **overlay.service}


def _check_overlay(reading: Reading, overlay: Overlay, whole: tuple[Described, ...]) -> None:
    known = {name for one in whole for name in (one.name, f"{one.method} {one.template}")}
    reading.faults.extend(overlay.strays(known))


def _at_hosts(servers: tuple[Server, ...], hosts: object) -> tuple[Server, ...]:
    """Hosts that are said elsewhere stand for those of the document; what paths begin with stays."""
    if not hosts:
        return servers
    listed = hosts if isinstance(hosts, list) else [hosts]
    bases = list(dict.fromkeys(server.base for server in servers)) or [""]
    return tuple(Server(host=str(host), base=base) for host, base in product(listed, bases))


def _kinds(whole: tuple[Described, ...], known: Mapping[str, Kind]) -> dict[str, Kind]:
    """What is in a path is always a text, so such a name is one everywhere, but where it is known as something else."""
    kinds = one_kind_each((field for one in whole for field in worth(one.fields)), known)
    for one in whole:
        for name in routed(one.template, {n for n, kind in kinds.items() if kind != "string"})[1].values():
            kinds.setdefault(name, "string")
    return kinds


def _head(reading: Reading, said: Mapping[str, Any], title: str) -> dict[str, Any]:
    docs = reading.inside(reading.at("externalDocs"), "url").value
    auth = said.get("auth") or _auth(reading)
    head = {"title": title, "docs": said.get("docs") or (docs if isinstance(docs, str) else None), "auth": auth}
    head |= {key: said.get(key) for key in ("bodies", "resources", "otherwise")}
    return {key: value for key, value in head.items() if value}


def _auth(reading: Reading) -> dict[str, list[str]]:
    """The slots of all security schemes of the document."""
    schemes = (
        reading.at("securityDefinitions") if _is_old(reading) else reading.inside(reading.at("components"), "securitySchemes")
    )
    headers: set[str] = set()
    query: set[str] = set()
    for _, scheme in reading.members(schemes):
        match scheme.value:
            case {"type": "apiKey", "in": "query", "name": str(name)}:
                query.add(name)
            case {"type": "apiKey", "in": "header", "name": str(name)}:
                headers.add(name.lower())
            case {"type": "apiKey", "in": "cookie"}:
                headers.add("cookie")
            case {"type": "http" | "basic" | "oauth2" | "openIdConnect"}:
                headers.add("authorization")
            case _:
                reading.note(scheme.path, "no credential of this kind is known: where one stands, it is data")
    slots = {"headers": sorted(headers), "query": sorted(query)}
    return {name: found for name, found in slots.items() if found}


@dataclass(slots=True, kw_only=True)
class _Drafting:
    reading: Reading
    kinds: Mapping[str, Kind]
    entries: dict[str, Entry] = field(default_factory=dict)
    hosts: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """By host: name, method and template of what is done there."""

    def add(self, one: Described, servers: Collection[Server]) -> None:
        said = one.said
        method = "POST" if one.remote else one.method
        name = operation_name(str(said.get("name") or one.name or ("unknown" if one.remote else "")), method, one.template)
        if one.remote and (known := next((e for e in self.entries.values() if e.tag == one.template), None)):
            name = known.name
        elif name in self.entries or name in _TAKEN:
            name = distinct(name, one.template, {*self.entries, *_TAKEN})
        others = {name for name, kind in self.kinds.items() if kind != "string"}
        template, variables = routed(one.template, others)
        value, remark = self._value(one, judged(one, operation_name(one.name, one.method, one.template)), variables)
        self.entries[name] = Entry(name=name, value=value, tag=one.template if one.remote else one.tag, remark=remark)
        for server in servers:
            self.hosts.setdefault(server.host, []).append((name, one.method, server.base + template))

    def _value(self, one: Described, found: Judgement, variables: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        params, remark = self._params(one, {*variables.values()})
        params |= one.said["params"] if isinstance(one.said.get("params"), dict) else {}
        value: dict[str, Any] = {"access": found.access.value, "tier": found.tier.name}
        if found.tier >= Tier.T2:
            value["why"] = found.why
        if ("access" in one.said or "tier" in one.said) and "why" not in one.said:
            value.pop("why", None)
        value |= {key: one.said[key] for key in ("access", "tier", "why", "resource") if key in one.said}
        value |= {"params": params} if params else {}
        value |= {key: one.said[key] for key in ("worse", "egress", "reads") if key in one.said}
        remarks = [*(["deprecated"] if one.deprecated else []), *([remark] if remark else [])]
        return value, "; ".join(remarks)

    def _params(self, one: Described, taken: set[str]) -> tuple[dict[str, str], str]:
        made: dict[str, str] = {}
        remark = ""
        fields = worth(one.fields)
        for each in fields:
            kind = kind_of(each)
            if name_of(each) == "amount" and each.type in {"integer", "number"}:
                currency = next((f for f in one.fields if f.name.lower() == "currency" and f.place == each.place), None)
                if is_minor(each) and currency:
                    made["amount"] = _money(each, currency)
                    continue
                remark = f"amount: say `amount: {_money(each, currency)}` if it is in the minor unit"
                continue
            name = None if kind is None else renamed(name_of(each), kind, self.kinds)
            if name and name not in taken and name not in made:
                made[name] = f"{kind} {each.place}.{each.name.lower() if each.place == 'header' else each.name}"
        return made, remark

    def drafts(self, service: str, head: Mapping[str, Any]) -> tuple[Draft, ...]:
        """Hosts with the very same routes are one service; of several, those beside the largest are named by their host."""
        alike: dict[frozenset[tuple[str, str, str]], list[str]] = {}
        for host, routes in self.hosts.items():
            alike.setdefault(frozenset(routes), []).append(host)
        largest = sorted(alike.items(), key=lambda one: (-len(one[0]), one[1]))
        made: list[Draft] = []
        for _, hosts in largest:
            name = service if not made else _beside(service, hosts[0], [draft.service for draft in made])
            made.append(self._draft(name, head, hosts, self.hosts[hosts[0]]))
        return tuple(made)

    def _draft(self, service: str, head: Mapping[str, Any], hosts: list[str], routes: list[tuple[str, str, str]]) -> Draft:
        on: dict[str, dict[str, list[str]]] = {}
        for name, method, template in dict.fromkeys(routes):
            on.setdefault(name, {}).setdefault(template, []).append(method)
        names = {(method, template): name for name, method, template in routes}
        worse = {names[one]: names[other] for one, other in ambiguous(names).items()}
        entries = tuple(self._routed(self.entries[name], places, worse.get(name)) for name, places in on.items())
        said = {"title": head.get("title"), "docs": head.get("docs"), "hosts": hosts, **head}
        return Draft(service=service, head={key: value for key, value in said.items() if value}, entries=entries)

    def _routed(self, entry: Entry, places: Mapping[str, list[str]], other: str | None) -> Entry:
        on = [f"{'|'.join(methods)} {template}" for template, methods in places.items()]
        value = {"on": on[0] if len(on) == 1 else on, **entry.value}
        remark = entry.remark
        if other is not None:
            weightier = self.entries[other].value
            if str(weightier["tier"]) > str(value["tier"]):
                value |= {"access": weightier["access"], "tier": weightier["tier"]}
                value["why"] = f"a server may take it for {other}"
            remark = "; ".join(filter(None, (remark, f"some paths of it fit {other} as well: it has the higher tier of the two")))
        return Entry(name=entry.name, value=value, tag=entry.tag, remark=remark)


def _money(amount: Field, currency: Field | None) -> str:
    written = f"money {amount.place}.{amount.name}"
    return f"{written} in {currency.place}.{currency.name}" if currency else written


def _beside(service: str, host: str, taken: Collection[str]) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\{[^}]*\}\.", "", host).partition(".")[0].lower()).strip("-") or "other"
    name = f"{service}-{label}"[:60]
    return name if name not in taken else f"{name}-{len(taken) + 1}"
