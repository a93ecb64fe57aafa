"""What people did with a command, in the record: a log of its own for each, and by whom."""

from __future__ import annotations

import asyncio
import os
import pwd
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from outgate.app.grounds import entropy
from outgate.receipts.receipt import event_body
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import new_writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from outgate.digest import Json


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
    journal = FileJournal.open(state, writer=new_writer(now, entropy(4)), key=receipts_key(state))
    try:
        await journal.append(event_body(what, now, None, about))
    finally:
        await journal.close()
