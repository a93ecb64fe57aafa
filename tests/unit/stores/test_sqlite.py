"""outgate.stores.sqlite"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from outgate.errors import UnavailableError
from outgate.stores import database
from outgate.stores.memory import MemoryLedger
from outgate.stores.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
needs_rights = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


async def test_it_is_remembered_over_a_restart(tmp_path: Path) -> None:
    first = SqliteLedger.open(tmp_path / "ledger")
    await first.first_seen("a", NOW)
    await first.close()
    second = SqliteLedger.open(tmp_path / "ledger")
    assert await second.first_seen("a", NOW + timedelta(days=1)) == NOW
    await second.close()


async def test_two_gates_on_one_file_agree(tmp_path: Path) -> None:
    gates = [SqliteLedger.open(tmp_path / "ledger") for _ in range(4)]
    seen = await asyncio.gather(*[gate.first_seen("a", NOW + timedelta(seconds=i)) for i, gate in enumerate(gates)])
    assert len(set(seen)) == 1
    for gate in gates:
        await gate.close()


async def test_what_was_answered_is_on_the_disk_even_if_the_process_is_killed(tmp_path: Path) -> None:
    program = """
import asyncio, os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from outgate.stores.sqlite import SqliteLedger
async def main():
    await SqliteLedger.open(Path(sys.argv[1])).first_seen("a", datetime(2026, 1, 1, tzinfo=UTC))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "ledger"], check=False)
    assert done.returncode == -9
    ledger = SqliteLedger.open(tmp_path / "ledger")
    assert await ledger.first_seen("a", NOW) == datetime(2026, 1, 1, tzinfo=UTC)
    await ledger.close()


def test_it_is_written_through(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    assert ledger._db._db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert ledger._db._db.execute("pragma synchronous").fetchone() == (2,)
    ledger._db._db.close()


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(b"this is no database" * 100)
    with pytest.raises(UnavailableError, match=r"ledger: it is damaged, restore it or move it away"):
        SqliteLedger.open(tmp_path / "ledger")


async def test_damage_found_later_is_named_too(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    await ledger.close()
    with (tmp_path / "ledger").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    ledger = SqliteLedger.open(tmp_path / "ledger")
    with pytest.raises(UnavailableError, match="damaged"):
        await ledger.first_seen("a", NOW)
    await ledger.close()


def test_a_newer_files_tables_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger") as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(UnavailableError, match="newer outgate"):
        SqliteLedger.open(tmp_path / "ledger")


def test_a_folder_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    with pytest.raises(UnavailableError, match="can't be opened for writing"):
        SqliteLedger.open(tmp_path / "ledger")


@needs_rights
def test_a_folder_without_rights_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UnavailableError, match="can't be opened for writing"):
        SqliteLedger.open(tmp_path / "ledger")


async def test_a_file_that_another_keeps_locked_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    ledger = SqliteLedger.open(tmp_path / "ledger")
    other = sqlite3.connect(tmp_path / "ledger", isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(UnavailableError, match="kept it locked"):
        await ledger.first_seen("a", NOW)
    other.execute("rollback")
    assert await ledger.first_seen("a", NOW) == NOW
    other.close()
    await ledger.close()


async def test_a_full_disk_is_named(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    pages = ledger._db._db.execute("pragma page_count").fetchone()[0]
    ledger._db._db.execute(f"pragma max_page_count = {pages}")
    asked = [ledger.first_seen(f"agent-{n}-{'x' * 50}", NOW) for n in range(200)]
    with pytest.raises(UnavailableError, match="the disk is full"):
        await asyncio.gather(*asked)
    await ledger.close()


async def test_a_lost_memory_ledger_says_so() -> None:
    ledger = MemoryLedger()
    ledger.fail("gone")
    with pytest.raises(UnavailableError, match="gone"):
        await ledger.first_seen("a", NOW)
