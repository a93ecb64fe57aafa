"""outgate.stores.sqlite"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import pytest
from stored import PER_MINUTE, charge, fits

from outgate.errors import UnavailableError
from outgate.policy.limits import Limit, Window
from outgate.ports import Reserved
from outgate.stores import database, sqlite
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


async def test_what_was_taken_is_remembered_over_a_restart(tmp_path: Path) -> None:
    first = SqliteLedger.open(tmp_path / "ledger")
    await first.reserve((charge(amount=5), charge(PER_MINUTE, 3, key="rate")), NOW)
    await first.close()
    second = SqliteLedger.open(tmp_path / "ledger")
    assert not await fits(second, charge(), NOW)
    assert not await fits(second, charge(PER_MINUTE, key="rate"), NOW)
    await second.close()


async def test_two_gates_on_one_file_share_their_limits(tmp_path: Path) -> None:
    gates = [SqliteLedger.open(tmp_path / "ledger") for _ in range(4)]
    found = await asyncio.gather(*[fits(gate, charge(), NOW) for gate in gates for _ in range(5)])
    assert sum(found) == 5
    for gate in gates:
        await gate.close()


async def test_a_file_of_the_first_version_keeps_what_it_knows(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger") as db:
        db.execute("create table agents (id text primary key, first_seen integer not null) strict, without rowid")
        db.execute("insert into agents values ('a', 1767225600000000)")
        db.execute("pragma user_version = 1")
    db.close()
    ledger = SqliteLedger.open(tmp_path / "ledger")
    assert await ledger.first_seen("a", NOW) == datetime(2026, 1, 1, tzinfo=UTC)
    assert await fits(ledger, charge(amount=5), NOW)
    assert ledger._db._db.execute("pragma user_version").fetchone() == (2,)
    await ledger.close()


async def test_a_full_disk_takes_nothing_and_refuses(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    await fits(ledger, charge(key="before"), NOW)
    pages = ledger._db._db.execute("pragma page_count").fetchone()[0]
    ledger._db._db.execute(f"pragma max_page_count = {pages}")
    asked = [fits(ledger, charge(key=f"{n}-{'x' * 9000}"), NOW) for n in range(50)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in found} == {UnavailableError}
    assert all("the disk is full" in str(one) for one in found)
    ledger._db._db.execute("pragma max_page_count = 100000")
    assert await fits(ledger, charge(key=f"0-{'x' * 9000}", amount=5), NOW), "of what was refused, nothing was taken"
    await ledger.close()


async def test_counters_that_are_damaged_refuse(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    for n in range(300):
        await fits(ledger, charge(key=f"{n}-{'x' * 100}"), NOW)
    await ledger.close()
    pages = (tmp_path / "ledger").stat().st_size // 4096
    with (tmp_path / "ledger").open("r+b") as file:
        for page in range(1, pages):
            file.seek(4096 * page)
            file.write(b"\xff" * 4096)
    ledger = SqliteLedger.open(tmp_path / "ledger")
    with pytest.raises(UnavailableError, match=r"damaged.*every limit as not used"):
        await ledger.reserve((charge(),), NOW)
    await ledger.close()


async def test_a_file_that_can_only_be_read_refuses(tmp_path: Path) -> None:
    await SqliteLedger.open(tmp_path / "ledger").close()
    ledger = SqliteLedger.open(tmp_path / "ledger")
    ledger._db._db.execute("pragma query_only = on")
    with pytest.raises(UnavailableError, match="can't be opened for writing"):
        await ledger.reserve((charge(),), NOW)
    await ledger.close()


async def test_a_limit_that_another_keeps_locked_is_unavailable_and_then_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    ledger = SqliteLedger.open(tmp_path / "ledger")
    other = sqlite3.connect(tmp_path / "ledger", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(UnavailableError, match="kept it locked"):
        await ledger.reserve((charge(),), NOW)
    other.execute("rollback")
    other.close()
    assert await fits(ledger, charge(amount=5), NOW)
    await ledger.close()


async def test_what_fails_for_one_alone_does_not_fail_those_written_with_it(tmp_path: Path) -> None:
    class Nowhere(tzinfo):
        def utcoffset(self, _at: datetime | None) -> timedelta:
            raise LookupError("no such place")

    ledger = SqliteLedger.open(tmp_path / "ledger")
    broken = Limit(amount=1, unit="count", window=Window.DAY, zone=Nowhere())
    asked = [ledger.reserve((charge(),), NOW), ledger.reserve((charge(broken),), NOW), ledger.reserve((charge(amount=4),), NOW)]
    first, failed, last = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(failed, LookupError)
    assert isinstance(first, Reserved)
    assert isinstance(last, Reserved)
    assert len(first.taken) == len(last.taken) == 1
    assert not await fits(ledger, charge(), NOW)
    await ledger.close()


async def test_quotas_wait_for_the_disk_and_rates_do_not(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    for made, level in ((charge(PER_MINUTE), 1), (charge(), 2), (charge(PER_MINUTE), 1)):
        await ledger.reserve((made,), NOW)
        assert ledger._db._db.execute("pragma synchronous").fetchone() == (level,)
    await ledger.first_seen("a", NOW)
    assert ledger._db._db.execute("pragma synchronous").fetchone() == (2,)
    await ledger.close()


def kept(ledger: SqliteLedger) -> list[str]:
    found = ledger._db._db.execute("select key from rates union select key from quotas order by 1")
    return [key for (key,) in found]


async def after(ledger: SqliteLedger, when: datetime) -> list[str]:
    """What is kept when something was taken then."""
    await ledger.reserve((charge(key="z-now"),), when)
    await ledger._db.wait_for(lambda _db: None)
    return kept(ledger)


async def test_what_is_long_over_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    year = Limit(amount=9, unit="count", window=Window.YEAR)
    await ledger.reserve((charge(PER_MINUTE, key="rate"), charge(key="day"), charge(year, key="year")), NOW)
    assert await after(ledger, NOW + timedelta(hours=30)) == ["day", "rate", "year", "z-now"]
    assert await after(ledger, NOW + timedelta(hours=48)) == ["day", "year", "z-now"]
    assert await after(ledger, NOW + timedelta(hours=72)) == ["year", "z-now"]
    await ledger.close()


async def test_a_clock_that_jumps_ahead_for_a_moment_forgets_nothing(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    await ledger.reserve((charge(PER_MINUTE, key="rate"), charge(key="day")), NOW)
    await after(ledger, NOW + timedelta(days=3650))
    assert await after(ledger, NOW + timedelta(hours=2)) == ["day", "rate", "z-now"]
    assert not await fits(ledger, charge(key="day", amount=5), NOW + timedelta(hours=2))
    await ledger.close()


async def test_much_that_is_over_is_forgotten_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_SWEPT_TOGETHER", 3)
    ledger = SqliteLedger.open(tmp_path / "ledger")
    await ledger.reserve(tuple(charge(PER_MINUTE, key=f"{n}") for n in range(10)), NOW)
    await after(ledger, NOW + timedelta(hours=48))
    assert await after(ledger, NOW + timedelta(hours=72)) == ["z-now"]
    await ledger.close()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "state" / "ledger")
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()} == {0}
    ledger._db._db.close()


async def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    await ledger.close()
    await ledger.close()
    with pytest.raises(UnavailableError, match="is closed"):
        await ledger.reserve((charge(),), NOW)


async def test_what_could_not_be_taken_for_want_of_the_file_is_not_taken_later(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger")
    two_a_day = Limit(amount=2, unit="count", window=Window.DAY)
    (tmp_path / "ledger").rename(tmp_path / "aside")
    tried = await asyncio.gather(*(ledger.reserve((charge(two_a_day),), NOW) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in tried] == [UnavailableError] * 3
    (tmp_path / "aside").rename(tmp_path / "ledger")
    taken = [(await ledger.reserve((charge(two_a_day),), NOW)).taken for _ in range(3)]
    assert [len(one) for one in taken] == [1, 1, 0]
    await ledger.close()
