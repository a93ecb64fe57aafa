"""A program that writes receipts under load until it is killed or its disk fails. It says what was let out as it happens.

    python writer.py STATE WRITER REQUESTS CONCURRENCY

On standard output, one line each, unbuffered: `out SEQ` once a decision may take effect, `refused`, and `end` when done.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.receipts.receipt import Outcome, Result, event_body, outcome_body
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key

if TYPE_CHECKING:
    from outgate.ports import Stamp


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def decision(n: int) -> dict[str, object]:
    return {"type": "decision", "at": "2026-01-31T08:00:00.000Z", "answer": "allow", "would": "allow", "n": n, "why": "x" * 200}


async def one(journal: FileJournal, n: int) -> None:
    try:
        stamp: Stamp = await journal.append(decision(n))  # type: ignore[arg-type]
        say(f"out {stamp.seq}")
        await journal.append(outcome_body(stamp, datetime.now(UTC), Outcome(result=Result.EXECUTED, status=200)))
    except UnavailableError:
        say("refused")


async def load(journal: FileJournal, requests: int, concurrency: int) -> None:
    waiting = iter(range(requests))

    async def worker() -> None:
        for n in waiting:
            await one(journal, n)

    await asyncio.gather(*[worker() for _ in range(concurrency)])


async def main(state: Path, writer: str, requests: int, concurrency: int) -> None:
    try:
        journal = FileJournal.open(state, writer=writer, key=receipts_key(state))
    except UnavailableError:
        say("refused")
        return
    await load(journal, requests, concurrency)
    try:
        await journal.append(event_body("stop", datetime.now(UTC), None, {}))
    except UnavailableError:
        say("refused")
    await journal.close()
    say("end")


if __name__ == "__main__":
    if limit := os.environ.get("FILE_LIMIT"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
