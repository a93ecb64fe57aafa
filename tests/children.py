"""Which processes read bodies for a gate: as the machine's table of them has it."""

from __future__ import annotations

import os
from pathlib import Path


def readers(of: int = 0) -> tuple[int, ...]:
    """A process's children that were started to read bodies, and did not end. This one's, if none is named."""
    return tuple(sorted(int(one.name) for one in Path("/proc").glob("[0-9]*") if _reads_for(of or os.getpid(), one)))


def _reads_for(gate: int, process: Path) -> bool:
    try:
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        return int(parent) == gate and b"outgate.worker.child" in (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return False
