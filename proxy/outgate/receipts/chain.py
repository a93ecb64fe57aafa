"""Chain: what makes receipts one log: their number, their writer, and the digest of the one before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.digest import canonical_ascii_keys, sha256
from outgate.errors import EvidenceError
from outgate.receipts.receipt import MOST_BYTES, MOST_INTEGER, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.digest import Json

FIRST = ""
"""`prev` of a log's first receipt."""

_MOST_DEPTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One line of a log, read. `line` is what was stored, without its line end: what `prev` and the tree are made of."""

    line: bytes
    writer: str
    seq: int
    prev: str
    type: str
    fields: Mapping[str, Json]


class Chain:
    """The end of one log, where the next receipt goes."""

    __slots__ = ("_prev", "_seq", "_writer")

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._seq = 0
        self._prev = FIRST

    def take(self, line: bytes) -> None:
        """Go on after a receipt that was sealed before, in a log that was verified."""
        self._seq, self._prev = self._seq + 1, sha256(line)

    @property
    def size(self) -> int:
        """How many receipts were sealed."""
        return self._seq

    def seal(self, body: Mapping[str, Json]) -> tuple[int, bytes]:
        """Make the next receipt of `body`: its number and its line, without line end.

        Raises EvidenceError for what can't be one, and then the number is not used up.
        """
        _check(body, 0)
        line = canonical_ascii_keys({**body, "v": VERSION, "writer": self._writer, "seq": self._seq, "prev": self._prev})
        if len(line) > MOST_BYTES:
            raise EvidenceError(f"a receipt of {len(line)} bytes; {MOST_BYTES} is the most")
        seq = self._seq
        self._seq, self._prev = seq + 1, sha256(line)
        return seq, line


def parse(line: bytes) -> Receipt:
    """Read one line. Raises EvidenceError unless it is a receipt in canonical form, of a version that we know."""
    try:
        fields = json.loads(line, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise EvidenceError("not a receipt: its JSON does not parse") from error
    if not isinstance(fields, dict) or canonical_ascii_keys(fields) != line:
        raise EvidenceError("not a receipt: not canonical JSON")
    match fields:
        case {"v": int(version), "writer": str(writer), "seq": int(seq), "prev": str(prev), "type": str(kind), "at": str()}:
            if version != VERSION:
                raise EvidenceError(f"receipt version {version}, this program knows {VERSION}")
            return Receipt(line=line, writer=writer, seq=seq, prev=prev, type=kind, fields=fields)
        case _:
            raise EvidenceError("not a receipt: v, writer, seq, prev, type or at is missing")


def relinked(receipt: Receipt, *, prev: str) -> bytes:
    """Give a receipt's line as it would be after another one."""
    return canonical_ascii_keys({**receipt.fields, "prev": prev})


def _refuse(number: str) -> float:
    raise ValueError(f"{number} in a receipt")


def _check(value: Json, depth: int) -> None:
    """Only what both encoders write alike: ASCII keys, integers that a double holds, no float, no subclasses."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if depth > _MOST_DEPTH:
        raise EvidenceError("a receipt is nested too deeply")
    if kind is int and isinstance(value, int) and -MOST_INTEGER <= value <= MOST_INTEGER:
        return
    if kind is dict and isinstance(value, dict):
        _check_keys(value)
        value = list(value.values())
    if not isinstance(value, list | tuple):
        raise EvidenceError(f"{value!r:.40} has no place in a receipt")
    for inner in value:
        if type(inner) is not str:  # most are: this is on every request's path
            _check(inner, depth + 1)


def _check_keys(value: dict[str, Json]) -> None:
    for key in value:
        if type(key) is not str or not key.isascii():
            raise EvidenceError(f"key {key!r:.40}: a receipt's keys are ASCII text")
