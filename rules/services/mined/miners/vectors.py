"""Vector databases: Qdrant's and Pinecone's SDKs for TypeScript, each generated from its API description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PATH = re.compile(r'^    "(/[^"]*)": \{$')
_METHOD = re.compile(r'^        (get|put|post|delete|patch|head): operations\["(\w+)"\];$')
_SENT = re.compile(r"async (\w+)Raw\(|\bpath: `([^`]+)`.*?\bmethod: '(\w+)'", re.DOTALL)
_FILLED = re.compile(r"\.replace\(.*")


def qdrant(archive: Path) -> Iterable[Part]:
    """`"/collections/{name}": { put: operations["create_collection"]; }` in the types of its API."""
    found: set[tuple[str, str, str]] = set()
    for _, source in members(archive, r"package/dist/types/openapi/generated_schema\.d\.ts"):
        path = ""
        for line in source.decode().splitlines():
            if (starts := _PATH.match(line)) is not None:
                path = starts[1]
            elif path and (said := _METHOD.match(line)) is not None:
                found.add((said[2], said[1].upper(), path))
    yield _part("qdrant", found, {"b": "delete_collection delete_points", "s": "get_full_snapshot get_*snapshot"})


def pinecone(archive: Path) -> Iterable[Part]:
    """`async createIndexRaw(…)` with ``path: `/indexes` `` and `method: 'POST'`: of the control plane and the data plane."""
    found: set[tuple[str, str, str]] = set()
    for _, source in members(archive, r"package/dist/pinecone-generated-ts-fetch/(?:\w+/)+apis/\w+Api\.js"):
        name = ""
        for named, path, method in _SENT.findall(source.decode()):
            name = named or name
            if path and name:
                found.add((name, method.upper(), _FILLED.sub("", path)))
    yield _part("pinecone", found, {"b": "deleteNamespace deleteVectors", "s": "*Key*"})


def _part(service: str, found: set[tuple[str, str, str]], said: dict[str, str]) -> Part:
    marks = curated(said)
    operations = (Mined(name=n, method=m, template=p, marks=marks(n)) for n, m, p in sorted(found))
    return Part(service=service, operations=first_named(operations))
