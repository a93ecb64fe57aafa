"""Exactly one reading of a request head, or a refusal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.intake.request import Request, Unreadable

if TYPE_CHECKING:
    from outgate.intake.request import RawRequest

_METHOD = re.compile(rb"[A-Z][A-Z_-]{0,31}")
_AUTHORITY = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([1-9][0-9]{0,4}))?")


def read(raw: RawRequest) -> Request | Unreadable:
    """Read a head. Total."""
    if not _METHOD.fullmatch(raw.method):
        return Unreadable(status=400, why="The method is not one.")
    hosts = [value for name, value in raw.headers if name.lower() == b"host"]
    named = _AUTHORITY.fullmatch(raw.authority or (hosts[0] if len(hosts) == 1 else b""))
    if not named:
        return Unreadable(status=400, why="The request names no host, or not just one.")
    scheme = "https" if raw.scheme == b"https" else "http"
    path, mark, query = raw.target.decode("latin-1").partition("?")
    return Request(
        method=raw.method.decode("ascii"),
        scheme="https" if scheme == "https" else "http",
        host=named[1].decode("ascii").lower().strip("[]"),
        port=int(named[2] or (443 if scheme == "https" else 80)),
        path=path,
        query=query if mark else None,
        headers=tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in raw.headers if n.lower() != b"host"),
        version=raw.version.decode("latin-1"),
    )
