"""outgate.stores.memory: what its contract suite does not say."""

from __future__ import annotations

import asyncio

import pytest
from receipts_made import checked, decision
from stored import NOW, approval, charge, vote

from outgate.errors import UnavailableError
from outgate.stores.memory import MemoryDesk, MemoryJournal, MemoryLedger


async def test_its_receipts_can_be_read_back() -> None:
    journal = MemoryJournal()
    await journal.append(decision())
    assert [receipt.type for receipt in journal.receipts] == ["decision"]


async def test_its_log_verifies_with_its_own_key() -> None:
    journal = MemoryJournal()
    await journal.append(decision())
    assert checked(journal.lines, key=journal.key).bad is None


async def test_a_lost_ledger_says_so() -> None:
    ledger = MemoryLedger()
    reserved = await ledger.reserve((charge(),), NOW)
    ledger.fail("gone")
    for asked in (ledger.first_seen("a", NOW), ledger.reserve((charge(),), NOW), ledger.settle(reserved, {})):
        with pytest.raises(UnavailableError, match="gone"):
            await asked


async def test_a_lost_desk_says_so_also_to_those_who_wait() -> None:
    desk = MemoryDesk()
    asked = await desk.ask(approval())
    waiting = asyncio.create_task(desk.changed(asked.id, 0, 60))
    await asyncio.sleep(0)
    desk.fail("gone")
    calls = (
        *(waiting, desk.find(asked.request, NOW), desk.get(asked.id), desk.ask(asked), desk.vote(asked.id, vote())),
        *(desk.use(asked.id, NOW), desk.restore(asked.id), desk.changed(asked.id, 0, 1), desk.still_open(NOW), desk.recent(1)),
    )
    for call in calls:
        with pytest.raises(UnavailableError, match="gone"):
            await call
