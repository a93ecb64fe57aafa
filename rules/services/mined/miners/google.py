"""Google: every method of the newest discovery document of each API and version, by the hosts that serve it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fetch import members
from miners.google_marks import marks
from write import Level, Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_DOCUMENTS = r"googleapiclient/discovery_cache/documents/(?!index\.json).*\.json"
_SHARED = "www.googleapis.com"
_DOMAIN = ".googleapis.com"
_READ_ONLY = re.compile(r"readonly|\.read$|read_only|\.read-only")
"""How scopes that let nobody change anything end."""

_NOT_A_READ = re.compile(r".*\.(?:watch|stop|copy|prewarm\w*|removePrewarmed\w*)")
"""Read-only scopes let callers subscribe an address of theirs, copy what they may read, warm caches: none of it is a read."""

_PARAMS = {
    "maxResults": "limit int query.maxResults",
    "pageSize": "limit int query.pageSize",
    "force": "force bool query.force",
    "dryRun": "dry_run bool query.dryRun",
    "validateOnly": "dry_run bool query.validateOnly",
    "ids": "ids list query.ids",
}
_TYPES = {"int": "integer", "bool": "boolean", "string": "string", "list": "string"}

_BODY_PARAMS = {
    "bigquery.jobs.query": ("statement string json.query", "limit int json.maxResults", "dry_run bool json.dryRun"),
    "bigquery.jobs.insert": ("statement string json.configuration.query.query", "dry_run bool json.configuration.dryRun"),
    "storage.objects.compose": ("names list json.sourceObjects.*.name",),
    "gmail.users.messages.batchDelete": ("ids list json.ids.*",),
    "gmail.users.messages.batchModify": ("ids list json.ids.*",),
    "drive.permissions.create": ("role string json.role", "type string json.type", "emailAddress string json.emailAddress"),
    "storage.buckets.insert": ("name string json.name",),
    "compute.instances.insert": ("machineType string json.machineType",),
}


@dataclass(frozen=True, slots=True)
class _Method:
    """One method of one document. `reads`: a read-only scope is enough for it."""

    host: str
    base: str
    said: dict[str, Any]
    reads: bool

    @property
    def path(self) -> str:
        return self.base + str(self.said.get("flatPath") or self.said["path"])

    @property
    def shared(self) -> bool:
        """Whether its path names its API too, so that the shared host serves it: it did before APIs had hosts of their own."""
        return self.base != "/" or self.said["id"].split(".")[0] == self.path.split("/")[1]


def mine(archive: Path) -> Iterable[Part]:
    methods = [method for document in _documents(archive) for method in _methods(document)]
    levels = _levels(methods)
    by_host: dict[str, list[_Method]] = defaultdict(list)
    for method in methods:
        by_host[method.host].append(method)
        if method.shared and method.host != _SHARED:
            by_host[_SHARED].append(method)
    for host, found in sorted(by_host.items()):
        operations = tuple(one for method in found for one in _mined(method, levels))
        yield Part(service="google", part=host.split(".")[0], hosts=_hosts(host), operations=operations)


def _documents(archive: Path) -> list[dict[str, Any]]:
    """Give of each API and version the newest document."""
    newest: dict[str, dict[str, Any]] = {}
    for _, content in members(archive, _DOCUMENTS):
        said = json.loads(content)
        if said["id"] not in newest or said.get("revision", "") > newest[said["id"]].get("revision", ""):
            newest[said["id"]] = said
    return [said for _, said in sorted(newest.items())]


def _methods(document: dict[str, Any]) -> list[_Method]:
    host = document["rootUrl"].split("/")[2]
    base = f"/{document['servicePath']}"
    said = sorted(_walk(document), key=lambda method: str(method["id"]))
    strict = is_strict(said)
    return [_Method(host, base, one, strict and reads(one)) for one in said]


def _walk(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for below in document.get("resources", {}).values():
        yield from _walk(below)
    yield from document.get("methods", {}).values()


def reads(method: dict[str, Any]) -> bool:
    """Whether Google lets a caller do it who may only read."""
    return any(_READ_ONLY.search(scope) for scope in method.get("scopes", ()))


def is_strict(methods: Iterable[dict[str, Any]]) -> bool:
    """Whether an API's read-only scopes mean it: (nearly) all that gets accepts one, nothing that creates or deletes."""
    getting = [one for one in methods if one["httpMethod"] == "GET" and one["id"].rpartition(".")[2] in {"get", "list"}]
    changing = [one for one in methods if one["id"].rpartition(".")[2] in {"delete", "insert", "create"}]
    return len(getting) >= 2 and sum(map(reads, getting)) / len(getting) >= 0.95 and not any(map(reads, changing))


def _levels(methods: Iterable[_Method]) -> dict[str, Level]:
    """Give `r` to what is a read in every version that has scopes."""
    said: dict[str, set[bool]] = defaultdict(set)
    for method in methods:
        if method.said.get("scopes"):
            said[method.said["id"]].add(method.reads)
    return {name: "r" for name, found in said.items() if found == {True} and not _NOT_A_READ.fullmatch(name)}


def _mined(method: _Method, levels: dict[str, Level]) -> Iterator[Mined]:
    name = method.said["id"]
    for verb, path in _routes(method):
        yield Mined(
            name=name,
            method=verb,
            template=path,
            level=levels.get(name, ""),
            marks=marks(name),
            params=(*_params(method.said), *_BODY_PARAMS.get(name, ())),
        )


def _routes(method: _Method) -> Iterator[tuple[str, str]]:
    """Give method and path, those of uploads too: a resumable one goes on by PUT."""
    verb = method.said["httpMethod"]
    yield verb, method.path
    for protocol, upload in sorted(method.said.get("mediaUpload", {}).get("protocols", {}).items()):
        path = ("/resumable/upload" if upload["path"].startswith("/resumable/") else "/upload") + method.path
        yield from ((one, path) for one in {verb, "PUT"} if one == verb or protocol == "resumable")


def _params(said: dict[str, Any]) -> list[str]:
    asked = {name for name, one in said.get("parameters", {}).items() if one["location"] == "query"}
    found = {
        param.split()[0]: param for name, param in _PARAMS.items() if name in asked and _fits(said["parameters"][name], param)
    }
    return sorted(found.values())


def _fits(parameter: dict[str, Any], param: str) -> bool:
    kind = param.split()[1]
    return parameter["type"] == _TYPES[kind] and bool(parameter.get("repeated")) == (kind == "list")


def _hosts(host: str) -> tuple[str, ...]:
    """Give the host, that for client certificates, and those of locations."""
    if host == _SHARED:
        return (host, f"content{_DOMAIN}")
    name = host.removesuffix(_DOMAIN)
    return (host, f"{name}.mtls{_DOMAIN}", f"{{region}}-{name}{_DOMAIN}", f"{name}.{{region}}.rep{_DOMAIN}")
