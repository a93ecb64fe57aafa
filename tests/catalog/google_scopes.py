"""Methods of Google's APIs beside what their OAuth scopes say: one that a read-only scope suffices for reads."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.halves import Case

from fetch import Pin, members
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


SAMPLE = Path(__file__).parents[1] / "cases" / "google" / "scopes.tsv"
PIN = Pin(
    package="google-api-python-client",
    registry="pypi",
    version="2.202.0",
    sha256="aaa90064c9bb642ff1d065b22ca8958a2cb6e345909cefe70d0e5452fc50e08b",
)


def cases(wheel: Path) -> list[Case]:
    """Every method of the strict APIs in the wheel of google-api-python-client, judged without its scopes."""
    return [_judged(method) for method in methods(wheel)]


def sampled() -> list[Case]:
    """Judge the methods in the sample: each fourth or so, by the hash of its name."""
    rows = (line.split("\t") for line in SAMPLE.read_text(encoding="utf-8").splitlines())
    return [_judged(Method(api=api, name=name, verb=verb, read_only=said == "reads")) for api, name, verb, said in rows]


def sample(wheel: Path) -> str:
    """Give what belongs in the sample: facts of the discovery documents, without their words."""
    chosen = [method for method in methods(wheel) if hashlib.sha256(method.name.encode()).digest()[0] % 4 == 0]
    lines = {f"{one.api}\t{one.name}\t{one.verb}\t{'reads' if one.read_only else 'changes'}\n" for one in chosen}
    return "".join(sorted(lines))


def methods(wheel: Path) -> list[Method]:
    """Every method of the APIs that use read-only scopes throughout."""
    found: list[Method] = []
    for name, content in members(wheel, r".*/discovery_cache/documents/[^/]+\.json"):
        document = json.loads(content)
        described = list(_methods(document, Path(name).stem)) if "name" in document else []
        if _strict(described):
            found += described
    return found


def _judged(method: Method) -> Case:
    return Case(
        key=method.api,
        name=method.name,
        reads=method.read_only,
        judged=judge(method.name, method=method.verb),
    )
