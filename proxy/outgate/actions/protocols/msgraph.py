"""Microsoft Graph: paths of OData, as they are written in many ways, in the one way that was mined.

`me` is a user. `users('x')` is `users/x`. `microsoft.graph.delta()` is `delta`. `drive/root:/a/b.txt:/content` is the content of
an item. Source: Graph's own reference (on query parameters, and on paths in a drive) and OData 4.01, part 2.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.service import Service
    from outgate.intake.request import Request

MOST_WAYS: Final = 16
"""In which one path is tried."""

_VERSION: Final = re.compile(r"/(?:v1\.0|beta)(?=/)", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"%(?:2[4789cC]|3[aAdD]|40)")
"""`$'(),:=@`, which a client may escape and a server may not care."""
_CALL: Final = re.compile(r"([A-Za-z_$][\w.$]*)\((.*)\)")
_NAMESPACE: Final = re.compile(r"microsoft\.graph\.", re.IGNORECASE)
_OWNERS: Final = frozenset({"users", "groups", "sites"})


def plainly(request: Request, service: Service) -> Request:
    """Give the request with its path as it was mined: the first way to write it that an operation has."""
    version = _VERSION.match(request.path)
    if version is None:
        return request
    path = _ESCAPED.sub(lambda match: chr(int(match[0][1:], 16)), request.path[version.end() :])
    ways = list(islice(_ways(path.split("/")[1:]), MOST_WAYS))
    known = (way for way in ways if service.find(request.method, way, request.authority) is not None)
    return replace(request, path=next(known, ways[0]))


def _ways(segments: list[str]) -> Iterator[str]:
    named = [_NAMESPACE.sub("", segment) for segment in _itemised(segments)]
    if named[0].lower() == "me":
        named = ["users", *named]
    for chosen in product(*map(_spelled, named)):
        flat = [segment for segments in chosen for segment in segments]
        yield "/" + "/".join(flat)
        yield from ("/" + "/".join(other) for other in _of_drive(flat))


def _spelled(segment: str) -> tuple[tuple[str, ...], ...]:
    """Give the segments that one stands for: a key in brackets is one of its own, a function's arguments are none."""
    call = _CALL.fullmatch(segment)
    if call is None:
        return ((segment,),)
    name, held = call[1], call[2]
    return ((name, held.strip("'") or "''"), (name,)) if held else ((name,),)


def _itemised(segments: list[str]) -> list[str]:
    """Give `items/a%2Fb.txt` for `root:/a/b.txt:` and what follows."""
    start = next((at for at, segment in enumerate(segments) if segment.endswith(":") and len(segment) > 1), None)
    if start is None:
        return segments
    end = next((at for at in range(start + 1, len(segments)) if segments[at].endswith(":")), len(segments) - 1)
    item = quote("/".join(segments[start : end + 1]).strip(":"), safe="%")
    before = segments[:start] if segments[start - 1].lower() == "items" and start else [*segments[:start], "items"]
    return [*before, item, *segments[end + 1 :]]


def _of_drive(segments: list[str]) -> Iterator[list[str]]:
    """A drive is found below whose it is, too, and its root is an item."""
    lower = [segment.lower() for segment in segments]
    flat = segments
    if "drive" in lower[:3]:
        at = lower.index("drive")
        if at == 0 or (at == 2 and lower[0] in _OWNERS):
            flat = ["drives", segments[1] if at else "me", *segments[at + 1 :]]
            yield flat
    if len(flat) > 3 and flat[0].lower() == "drives" and flat[2].lower() == "root":
        yield [*flat[:2], "items", *flat[2:]]
