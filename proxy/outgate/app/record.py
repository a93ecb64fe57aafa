"""What people did with a command, in the record, and by whom."""

from __future__ import annotations

import asyncio
import os
import pwd
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from outgate.app.grounds import entropy
from outgate.errors import UnavailableError
from outgate.receipts.receipt import event_body
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import CLOSED, log_folder, new_writer, writers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from outgate.digest import Json
    from outgate.keys.ed25519 import SigningKey


BY_PEOPLE = "people"
"""A file in the folder of a log that commands write, one after the other."""


def record(state: Path, what: str, about: Mapping[str, Json]) -> None:
    """Leave a receipt: durable and signed when this returns. Raises ConfigError, EvidenceError, UnavailableError."""
    asyncio.run(_record(state, what, about))


def operator() -> str:
    """Who runs this, as this machine knows them: by the process's real user id, whatever the environment says."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


async def _record(state: Path, what: str, about: Mapping[str, Json]) -> None:
    now = datetime.now(UTC)
    journal = _journal(state, now)
    try:
        await journal.append(event_body(what, now, None, about))
    finally:
        await journal.close()


def _journal(state: Path, now: datetime) -> FileJournal:
    """Go on with the log of the command before, until a gate that starts has told its end.

    A log for each command would have to be read and told of by that gate, each by itself.
    """
    key = receipts_key(state)
    if (journal := _last(state, key)) is not None:
        return journal
    journal = FileJournal.open(state, writer=new_writer(now, entropy(4)), key=key)
    with suppress(OSError):  # without it the next command begins a log of its own, no more
        (journal.folder / BY_PEOPLE).touch(mode=0o600)
    return journal


def _last(state: Path, key: SigningKey) -> FileJournal | None:
    with suppress(UnavailableError):  # what can't be read keeps nobody from beginning another
        for folder in reversed(writers(log_folder(state))):
            open_to_us = (folder / BY_PEOPLE).exists() and not (folder / CLOSED).exists()
            if open_to_us and (journal := FileJournal.resume(folder, key=key)) is not None:
                return journal
    return None
