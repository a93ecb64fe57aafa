"""ports.Ledger, on every store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from outgate.stores.memory import MemoryLedger
from outgate.stores.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from outgate.ports import Ledger

NOW = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    made = SqliteLedger.open(tmp_path / "ledger.sqlite")
    yield made
    await made.close()


async def test_an_agent_is_first_seen_when_it_first_asks(ledger: Ledger) -> None:
    assert await ledger.first_seen("a", NOW) == NOW


async def test_that_never_changes_later(ledger: Ledger) -> None:
    await ledger.first_seen("a", NOW)
    assert await ledger.first_seen("a", NOW + timedelta(days=8)) == NOW
    assert await ledger.first_seen("a", NOW - timedelta(days=8)) == NOW


async def test_every_agent_has_its_own(ledger: Ledger) -> None:
    await ledger.first_seen("a", NOW)
    assert await ledger.first_seen("A", NOW + timedelta(days=1)) == NOW + timedelta(days=1)


async def test_all_that_ask_at_once_get_the_same(ledger: Ledger) -> None:
    asked = [ledger.first_seen("a", NOW + timedelta(seconds=i)) for i in range(20)]
    assert len(set(await asyncio.gather(*asked))) == 1


async def test_time_comes_back_aware_to_the_microsecond(ledger: Ledger) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert await ledger.first_seen("a", elsewhere) == NOW
    assert (await ledger.first_seen("a", elsewhere)).utcoffset() is not None


async def test_what_looks_like_sql_is_a_name(ledger: Ledger) -> None:
    await ledger.first_seen("a'; drop table agents; --", NOW)
    assert await ledger.first_seen("b", NOW) == NOW
