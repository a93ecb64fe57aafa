"""Frames: what goes between the gate and a process that reads bodies. The gate believes nothing that comes back but values."""

from __future__ import annotations

import copyreg
import io
import pickle
import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.catalog import Catalog
    from outgate.worker.tasks import Found, Task

HEAD: Final = struct.Struct(">Q")
"""How many bytes follow."""
LONGEST_ANSWER: Final = 8 * 2**20

_VALUES: Final = frozenset(
    {
        ("outgate.actions.action", "Access"),
        ("outgate.actions.action", "Action"),
        ("outgate.actions.action", "Confidence"),
        ("outgate.actions.action", "Money"),
        ("outgate.actions.action", "Tier"),
        ("outgate.policy.facts", "Answered"),
        ("outgate.worker.frames", "Done"),
        ("outgate.worker.frames", "Failed"),
        ("outgate.worker.frames", "frozen"),
        ("builtins", "frozenset"),
    }
)
"""All that an answer may be made of. A parser that was taken over can lie, and can't make the gate run anything."""


@dataclass(frozen=True, slots=True)
class Learn:
    """From here on, identify with this."""

    catalog: Catalog


@dataclass(frozen=True, slots=True)
class Done:
    """This was found."""

    found: Found


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be done. `why` is the kind of error and where it was raised: nothing of a body."""

    why: str


class _Pickler(pickle.Pickler):
    """Knows a read-only mapping, which has no form of its own."""

    dispatch_table = copyreg.dispatch_table | {MappingProxyType: lambda table: (frozen, (dict(table),))}


class _Values(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _VALUES:
            raise pickle.UnpicklingError(f"{module}.{name} is no value that may be answered")
        return super().find_class(module, name)


def frozen(table: dict[Any, Any]) -> Mapping[Any, Any]:
    """Give a mapping its read-only form back."""
    return MappingProxyType(table)


def packed(value: Learn | Task | Done | Failed) -> bytes:
    """Write a frame, without its head."""
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def asked(frame: bytes) -> Learn | Task:
    """Read what the gate asks: it is believed, as everything that a process is told by who started it."""
    value: Learn | Task = pickle.loads(frame)  # noqa: S301  # from the gate, over a socket that nobody else has
    return value


def answered(frame: bytes) -> Done | Failed:
    """Read what came back. Raises pickle.UnpicklingError for what is no answer."""
    value = _Values(io.BytesIO(frame)).load()
    if not isinstance(value, Done | Failed):
        raise pickle.UnpicklingError("neither done nor failed")
    return value
