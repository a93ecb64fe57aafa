"""SDKs in JavaScript that name an operation, its path and its method one after the other: Atlassian's, and Notion's."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_ASYNC = re.compile(r"^export async function (\w+)", re.MULTILINE)
_SENT = re.compile(r"\burl: (?:'([^']+)'|`([^`]+)`),\s+method: ['\"](\w+)['\"]")
_METHOD = re.compile(r"\bmethod: ['\"](\w+)['\"]")
_HOLE = re.compile(r"\$\{(?:\w+\()?(?:\w+\.)*(\w+)\)?(?:\[[^\]]*\])?[^}]*\}")
_NOTION = re.compile(r"^exports\.(\w+) = \{$", re.MULTILINE)
_NOTION_PATH = re.compile(r"\bpath: \(\w*\) => `([^`]+)`")

type _Found = tuple[str, str, str]
"""Name, method, path."""


_ATLASSIAN = curated(
    {
        "b": "*bulkDelete* *Bulk*Delete* *.deleteProject*",
        "p": "*Permission* *Role* *addUserToGroup* *Scheme* *SecurityLevel* *Restriction*",
        "s": "*exportAuditRecords* *getAuditRecords*",
        "i": "*purge* *.deleteSpace",
    }
)


def atlassian(jira: Path, confluence: Path) -> Iterable[Part]:
    """`async function createIssue…` with `url: '/rest/api/3/issue'` in `dist/cloud/api/issues.js`."""
    files = r"package/dist/(?:\w+/)+api/\w+\.js"
    yield _part("atlassian", {*_product("jira", jira, files), *_product("confluence", confluence, files)}, _ATLASSIAN)


def _product(product: str, archive: Path, files: str) -> Iterator[_Found]:
    """At a site of its own, and at api.atlassian.com for apps."""
    for _, source in members(archive, files):
        for name, method, path in _methods(source.decode()):
            for front in ("", f"/ex/{product}/{{cloud_id}}"):
                yield f"{product}.{name}", method, f"{front}{path}"


def notion(archive: Path) -> Iterable[Part]:
    """`exports.getPage = { method: "get", …, path: (p) => `pages/${p.page_id}` }`."""
    files = members(archive, r"package/build/src/api-endpoints/[\w-]+\.js")
    found = {(name, method, f"/v1/{path}") for _, source in files for name, method, path in _exports(source.decode())}
    yield _part("notion", found, lambda _: "")


def _part(service: str, found: set[_Found], marks: Callable[[str], str]) -> Part:
    operations = (Mined(name=name, method=method, template=path, marks=marks(name)) for name, method, path in sorted(found))
    return Part(service=service, operations=first_named(operations))


def _bodies(source: str, start: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Give each name and the text up to the next one."""
    at = [*start.finditer(source)]
    for here, after in pairwise([*at, None]):
        if here is not None:
            yield here[1], source[here.end() : len(source) if after is None else after.start()]


def _methods(source: str) -> Iterator[_Found]:
    for name, body in _bodies(source, _ASYNC):
        for plain, filled, method in _SENT.findall(body):
            yield name, method.upper(), _HOLE.sub(r"{\1}", plain or filled)


def _exports(source: str) -> Iterator[_Found]:
    for name, body in _bodies(source, _NOTION):
        path, method = _NOTION_PATH.search(body), _METHOD.search(body)
        if path and method:
            yield name, method[1].upper(), _HOLE.sub(r"{\1}", path[1])
