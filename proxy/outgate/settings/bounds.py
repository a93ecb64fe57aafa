"""What an operator may set under `limits`: which bounds there are, and between what each must lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_SIZE: Final = re.compile(r"([1-9][0-9]{0,11}) ?(B|KiB|MiB|GiB)?")
_UNITS: Final = {None: 1, "B": 1, "KiB": _KIB, "MiB": _MIB, "GiB": _GIB}
_TIME: Final = re.compile(r"([0-9]{1,6}) ?(ms|s|m|h)")
_TIMES: Final = {"ms": timedelta(milliseconds=1), "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_LIKE: Final = {"size": "a number of bytes, like 1 MiB", "time": "a time, like 30s", "count": "a whole number"}

type Limit = int | timedelta | None


def size_of(said: object) -> int | None:
    """Read a number of bytes. None where it is not one."""
    found = _SIZE.fullmatch(str(said)) if isinstance(said, str | int) and not isinstance(said, bool) else None
    return int(found[1]) * _UNITS[found[2]] if found else None


def time_of(said: object) -> timedelta | None:
    """Read a time. None where it is not one."""
    found = _TIME.fullmatch(said) if isinstance(said, str) else None
    return int(found[1]) * _TIMES[found[2]] if found else None


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit: what it is a number of, and between what it must lie. `none`: it may be said that there is none."""

    kind: Literal["size", "time", "count"]
    least: int
    most: int
    none: bool = False

    def read(self, said: object) -> Limit:
        """Read what was written. Raises ValueError with what it must be."""
        if self.none and said == "none":
            return None
        value = self._number(said)
        if value is None or not self.least <= value <= self.most:
            raise ValueError(f"is {_LIKE[self.kind]}, from {self._said(self.least)} to {self._said(self.most)}{self._or_none}")
        return timedelta(milliseconds=value) if self.kind == "time" else value

    def _number(self, said: object) -> int | None:
        match self.kind:
            case "size":
                return size_of(said)
            case "time":
                span = time_of(said)
                return None if span is None else int(span / timedelta(milliseconds=1))
            case "count":
                return said if isinstance(said, int) and not isinstance(said, bool) else None

    @property
    def _or_none(self) -> str:
        return ", or none" if self.none else ""

    def _said(self, value: int) -> str:
        units = {
            "size": [(_GIB, " GiB"), (_MIB, " MiB"), (_KIB, " KiB"), (1, " B")],
            "time": [(3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")],
            "count": [(1, "")],
        }
        size, unit = next((size, unit) for size, unit in units[self.kind] if value % size == 0)
        return f"{value // size}{unit}"


_second, _hour, _day = 1000, 3_600_000, 86_400_000

BOUNDS: Final[Mapping[str, Bound]] = MappingProxyType(
    {
        # what one client may make the gate hold
        "head": Bound("size", 4 * _KIB, 256 * _KIB),
        "response_head": Bound("size", 4 * _KIB, 4 * _MIB),
        "waiting": Bound("size", 64 * _KIB, 64 * _MIB),
        "unsent": Bound("size", 128 * _KIB, 64 * _MIB),
        "message": Bound("size", _KIB, 256 * _MIB),
        "streams": Bound("count", 1, 1000),
        "upstreams": Bound("count", 1, 1000),
        # what one agent may take
        "connections": Bound("count", 1, 100_000),
        "arrivals": Bound("count", 1, 100_000),
        "requests": Bound("count", 1, 100_000),
        "agent_bodies": Bound("size", _MIB, 64 * _GIB),
        "agent_spool": Bound("size", _MIB, 1024 * _GIB),
        "agent_waiting": Bound("size", _MIB, 64 * _GIB),
        "refusals": Bound("size", 64 * _KIB, 64 * _GIB),
        # what all of them together may take
        "clients": Bound("count", 1, 1_000_000),
        "strangers": Bound("count", 1, 100_000),
        "bodies": Bound("size", _MIB, 256 * _GIB),
        "spool": Bound("size", _MIB, 1024 * _GIB),
        # how long things may take
        "head_time": Bound("time", _second, 10 * 60 * _second),
        "tunnel_time": Bound("time", _second, 10 * 60 * _second),
        "body_rate": Bound("size", 1, 100 * _MIB, none=True),
        "stranger": Bound("time", _second, 10 * 60 * _second),
        "connect": Bound("time", 100, 10 * 60 * _second),
        "answer_time": Bound("time", _second, _day),
        "idle": Bound("time", _second, _day),
        "answer_lasts": Bound("time", _second, 30 * _day, none=True),
        "answer_size": Bound("size", _KIB, 1024 * _GIB, none=True),
    }
)
