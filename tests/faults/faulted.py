"""Run a program with a real fault, and hold its log against what it did. For the journal alone, and for a whole gate."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outgate.stores.adopt import adopt
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import check_logs, log_folder, new_writer, receipts_of, writers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from outgate.receipts.verify import Verdict

WRITER = Path(__file__).with_name("writer.py")
PACKAGE = Path(__file__).parents[2] / "proxy"


def can_trace() -> bool:
    """Whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is missing, or may not trace here")


@dataclass(frozen=True, kw_only=True)
class Faulted:
    """What a program did before it ended, by its own word."""

    code: int
    let_out: frozenset[int]
    refused: int
    ended: bool
    errors: str


def run_writer(
    state: Path,
    writer: str,
    *,
    requests: int = 60,
    concurrency: int = 4,
    before: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Faulted:
    """Run the program under `before` (strace, unshare, …) and read what it says it did."""
    command = [*before, sys.executable, str(WRITER), str(state), writer, str(requests), str(concurrency)]
    environ = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    lines = done.stdout.splitlines()
    return Faulted(
        code=done.returncode,
        let_out=frozenset(int(line.split()[1]) for line in lines if line.startswith("out ")),
        refused=lines.count("refused"),
        ended="end" in lines,
        errors=done.stderr,
    )


def injecting(call: str, what: str, *, when: str, path: Path) -> list[str]:
    """strace such that `call` on `path` (and no other file) meets a fault at its n-th time."""
    return [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        str(path),
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{what}:when={when}",
    ]


def segment(state: Path, writer: str) -> Path:
    """Where a writer's first segment is when it is written to: strace goes by the name that a descriptor has then."""
    return log_folder(state) / writer / "000000000000.jsonl"


def proves(state: Path, let_out: frozenset[int], writer: str) -> Verdict:
    """Assert the promise: all that took effect is in the log, which verifies, now and after the next start.

    1. The log is good as it was left.
    2. Every decision that took effect is in it, under a signature.
    3. The next writer starts, closes the dead log, and all is good; nothing is open or unknown any more.
    """
    key = receipts_key(state)
    left = check_logs(writers(log_folder(state)), key.public)
    assert left.good, left.problems
    signed = (
        {receipt.seq for receipt in receipts_of(log_folder(state) / writer) if receipt.type == "decision"} if let_out else set()
    )
    assert let_out <= signed
    asyncio.run(_next_start(state))
    after = check_logs(writers(log_folder(state)), key.public)
    assert after.good, after.problems
    assert (after.open, after.unknown) == ((), ())
    return left


async def _next_start(state: Path) -> None:
    key, now = receipts_key(state), datetime.now(UTC)
    journal = FileJournal.open(state, writer="z" + new_writer(now, os.urandom(4)), key=key)
    await adopt(journal, log_folder(state), own=journal.writer, key=key.public, now=now)
    await journal.close()
