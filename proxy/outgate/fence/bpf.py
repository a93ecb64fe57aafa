"""Classic BPF: lines with labels, as the bytes that the kernel takes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30
LOAD_HALF_AFTER_X, X_IS_IPV4_HEADER = 0x48, 0xB1
AND, EQUAL, AT_LEAST, RETURN = 0x54, 0x15, 0x35, 0x06


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction. `yes` and `no` are labels to go to after a test; empty: the next line."""

    code: int
    operand: int
    yes: str = ""
    no: str = ""


def assemble(*lines: Line | str) -> bytes:
    """Lay out a program; a string is a label for the line after it. Jumps go forward only, as the kernel wants it."""
    places: dict[str, int] = {}
    steps: list[Line] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(steps)
        else:
            steps.append(line)

    def distance(at: int, label: str) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        struct.pack("=HBBI", step.code, distance(at, step.yes), distance(at, step.no), step.operand)
        for at, step in enumerate(steps)
    )
