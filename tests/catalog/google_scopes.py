"""Methods of Google's APIs beside what their OAuth scopes say: one that a read-only scope suffices for reads."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.halves import Case

from fetch import members
from outgate.actions.access import judge

_READ_ONLY = re.compile(r"readonly|\.read$|read_only|\.read-only")
_PLAIN_READS = {"get", "list"}
_PLAIN_CHANGES = {"delete", "insert", "create"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of a discovery document; `read_only` as the scopes say."""

    api: str
    name: str
    verb: str
    path: str
    read_only: bool

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


def _methods(resource: dict[str, Any], api: str) -> Iterator[Method]:
    for method in resource.get("methods", {}).values():
        yield Method(
            api=api,
            name=method["id"],
            verb=method["httpMethod"],
            path=method.get("flatPath") or method["path"],
            read_only=any(_READ_ONLY.search(scope) for scope in method.get("scopes", ())),
        )
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner, api)


def _strict(methods: list[Method]) -> bool:
    """Whether an API uses such scopes throughout: nearly every plain read has one, and no plain change has."""
    reads = [method for method in methods if method.verb == "GET" and method.last in _PLAIN_READS]
    changes = [method for method in methods if method.last in _PLAIN_CHANGES]
    return (
        len(reads) >= 2
        and sum(method.read_only for method in reads) >= 0.95 * len(reads)
        and not any(method.read_only for method in changes)
    )


def cases(wheel: Path) -> list[Case]:
    """Every method of the strict APIs in the wheel of google-api-python-client, judged without its scopes."""
    found = []
    for name, content in members(wheel, r".*/discovery_cache/documents/[^/]+\.json"):
        document = json.loads(content)
        methods = list(_methods(document, Path(name).stem)) if "name" in document else []
        if _strict(methods):
            found += [_judged(method) for method in methods]
    return found


def _judged(method: Method) -> Case:
    return Case(
        key=method.api,
        name=method.name,
        reads=method.read_only,
        judged=judge(method.name, method=method.verb, path=method.path),
    )
