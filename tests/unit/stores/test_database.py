"""outgate.stores.database"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from outgate.errors import UnavailableError
from outgate.stores.database import Database, Kind

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

FIRST = Kind(name="box", lost="all is lost", steps=("create table a (x)",))
SECOND = Kind(name="box", lost="all is lost", steps=(*FIRST.steps, "create table b (x); insert into b select x from a"))


def rows(db: sqlite3.Connection, table: str) -> list[object]:
    return [value for (value,) in db.execute(f"select x from {table}")]


async def test_an_older_file_is_brought_up_to_date_and_keeps_what_it_has(tmp_path: Path) -> None:
    first = Database.open(tmp_path / "box", FIRST)
    await first.wait_for(lambda db: db.execute("insert into a values (1)"))
    await first.close()
    for _ in range(2):
        second = Database.open(tmp_path / "box", SECOND)
        assert await second.wait_for(lambda db: rows(db, "b")) == [1]
        await second.close()
    with pytest.raises(UnavailableError, match=r"written by a newer outgate .tables 2, this one knows 1.: upgrade"):
        Database.open(tmp_path / "box", FIRST)


async def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    await Database.open(tmp_path / "box", FIRST).close()
    broken = Kind(name="box", lost="", steps=(*FIRST.steps, "create table b (x); create table a (x)"))
    with pytest.raises(UnavailableError):
        Database.open(tmp_path / "box", broken)
    again = Database.open(tmp_path / "box", FIRST)
    with pytest.raises(UnavailableError, match="no such table: b"):
        await again.wait_for(lambda db: rows(db, "b"))
    await again.close()


async def test_what_is_not_finished_is_not_there(tmp_path: Path) -> None:
    box = Database.open(tmp_path / "box", FIRST)

    def half(db: sqlite3.Connection) -> None:
        with box.transaction(db):
            db.execute("insert into a values (1)")
            raise LookupError

    with pytest.raises(LookupError):
        await box.wait_for(half)
    assert await box.wait_for(lambda db: rows(db, "a")) == []
    await box.close()


async def test_work_is_done_in_the_order_in_which_it_was_asked_for(tmp_path: Path) -> None:
    box = Database.open(tmp_path / "box", FIRST)
    for n in range(5):
        box.soon(lambda db, n=n: db.execute("insert into a values (?)", (n,)))
    assert await box.wait_for(lambda db: rows(db, "a")) == [0, 1, 2, 3, 4]
    await box.close()


async def test_a_closed_one_says_so_and_does_nothing_more(tmp_path: Path) -> None:
    box = Database.open(tmp_path / "box", FIRST)
    await box.close()
    await box.close()
    box.soon(lambda db: db.execute("insert into a values (1)"))
    with pytest.raises(UnavailableError, match=r"the box .* is closed"):
        await box.wait_for(lambda db: rows(db, "a"))


async def test_a_damaged_file_says_what_is_lost_with_it(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"this is no database" * 100)
    with pytest.raises(UnavailableError, match="it is damaged, restore it or move it away: without it, all is lost"):
        Database.open(tmp_path / "box", FIRST)


async def test_all_that_make_the_same_file_at_once_get_it(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from outgate.stores.sqlite import SqliteLedger
print("ready", flush=True)
sys.stdin.readline()
SqliteLedger.open(Path(sys.argv[1]))
print("open")
"""
    command = [sys.executable, "-c", program, str(tmp_path / "ledger")]
    programs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for one in programs:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in programs:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.communicate(timeout=30)[0] for one in programs] == ["open\n"] * 6


async def test_nothing_is_written_to_one_that_was_moved_or_replaced(tmp_path: Path) -> None:
    box, file, aside = Database.open(tmp_path / "box", FIRST), tmp_path / "box", tmp_path / "aside"

    def write(db: sqlite3.Connection) -> None:
        with box.transaction(db):
            db.execute("insert into a values (1)")

    file.rename(aside)
    with pytest.raises(UnavailableError, match="was moved or removed: put it back, or restart; without it, all is lost"):
        await box.wait_for(write)
    file.write_bytes(aside.read_bytes())
    with pytest.raises(UnavailableError, match="was moved or removed"):
        await box.wait_for(write)
    assert "was moved or removed" in await box.unwell()
    aside.rename(file)
    assert await box.unwell() == ""
    await box.wait_for(write)
    assert await box.wait_for(lambda db: rows(db, "a")) == [1]
    file.unlink()
    await box.close()
