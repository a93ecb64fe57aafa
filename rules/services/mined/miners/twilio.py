"""Twilio's SDK: `self._uri = "/Services/{sid}".format(…)` in a class of `rest/verify/v2/service/`, and what is done with it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from miners.python_source import calls, keyword, template, text
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_VERSION = re.compile(rb'super\(\)\.__init__\(domain, "([^"]+)"\)')
_HOST = re.compile(rb'"https://([a-z.-]+\.twilio\.com)"')
_LISTED = "list"
_DEEDS = {"_create": "create", "_delete": "delete", "_fetch": "fetch", "_update": "update", "_patch": "patch", "page": _LISTED}
_CALLED = {"create", "delete", "fetch", "update", "patch", "page"}
_MARKS = curated(
    {
        "s": "*.key* *.signing_key* *.token* *secret* *recording.fetch *credential*.fetch",
        "m": "*.payment.create *.payment.update",
        "e": "*webhook*.create *webhook*.update *sink*.create",
    }
)


def mine(archive: Path) -> Iterable[Part]:
    files = dict(members(archive, r"twilio/rest/.*\.py"))
    for domain, host in sorted(_hosts(files)):
        found: dict[tuple[str, str], str] = {}
        for file, source in files.items():
            below = file.removeprefix(f"twilio/rest/{domain}/").split("/")
            version = files.get(f"twilio/rest/{domain}/{below[0]}/__init__.py")
            said = None if version is None else _VERSION.search(version)
            if file.startswith(f"twilio/rest/{domain}/") and said is not None:
                resource = ".".join([domain, *(part.removesuffix(".py") for part in below if part != "__init__.py")])
                for deed, method, path in _routes(source):
                    found.setdefault((method, f"/{said[1].decode()}{path}"), f"{resource}.{deed}")
        operations = sorted((name, method, path) for (method, path), name in found.items())
        yield Part(
            service="twilio",
            part=domain,
            hosts=_all_hosts(host),
            operations=first_named(Mined(name=n, method=m, template=p, marks=_MARKS(n)) for n, m, p in operations),
        )


def _hosts(files: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    by_host: dict[str, list[str]] = defaultdict(list)
    for file, source in files.items():
        if file.endswith("Base.py") and (found := _HOST.search(source)) is not None:
            by_host[found[1].decode()].append(file.split("/")[2])
    for host, domains in by_host.items():  # two products may share a host: then one of them has its name
        yield min(domains, key=lambda domain: (domain not in host.replace("-", "_"), domain)), host


def _all_hosts(host: str) -> tuple[str, ...]:
    """And those of a region, through an edge: https://www.twilio.com/docs/global-infrastructure/understanding-twilio-regions."""
    head = host.partition(".")[0]
    return host, f"{head}.{{region}}.twilio.com", f"{head}.{{edge}}.{{region}}.twilio.com"


def _routes(source: bytes) -> Iterator[tuple[str, str, str]]:
    """Give what is done, method and path of every call of every resource in a module."""
    for owner in ast.parse(source).body:
        if isinstance(owner, ast.ClassDef) and (path := _uri(owner)) is not None:
            for function in owner.body:
                deed = _DEEDS.get(function.name) if isinstance(function, ast.FunctionDef) else None
                for called, call in calls(function) if deed else ():
                    method = text(keyword(call, "method"))
                    if called.removesuffix("_with_response_info") in _CALLED and method:
                        yield deed or "", method, path
                        break


def _uri(owner: ast.ClassDef) -> str | None:
    for node in ast.walk(owner):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute) and node.targets[0].attr == "_uri":
            return template(node.value)
    return None
