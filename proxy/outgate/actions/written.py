"""Written: how service files and mined ones write a parameter: `money json.amount in json.currency`."""

from __future__ import annotations

import re
from typing import Any, get_args

from outgate.actions.operation import Param, Place, Source
from outgate.actions.vocabulary import Kind

KINDS: tuple[str, ...] = get_args(Kind.__value__)
PLACES: tuple[str, ...] = get_args(Place.__value__)

_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_WRITTEN = re.compile(r"([a-z]+) +([a-z]+)\.([^\s]+)(?: +in +([a-z]+)\.([^\s]+))?")


def param_of(name: str, text: str) -> Param | None:
    """Give the parameter that `KIND PLACE.FIELD` says; None for what says none."""
    match = _WRITTEN.fullmatch(text)
    if not _PARAM.fullmatch(name) or match is None or match[1] not in KINDS or {match[2], match[4] or "json"} - {*PLACES}:
        return None
    kind: Any = match[1]
    currency = source_of(match[4], match[5]) if match[4] else None
    return Param(name=name, kind=kind, source=source_of(match[2], match[3]), currency=currency)


def source_of(place: str, fields: str) -> Source:
    """Give the place that `PLACE.FIELD` says; fields of a header are written in any case."""
    known: Any = place
    return Source(place=known, path=(fields.lower(),) if place == "header" else tuple(fields.split(".")))
