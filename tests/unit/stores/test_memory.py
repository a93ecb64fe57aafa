"""outgate.stores.memory: what its contract suite does not say."""

from __future__ import annotations

from receipts_made import checked, decision

from outgate.stores.memory import MemoryJournal


async def test_its_receipts_can_be_read_back() -> None:
    journal = MemoryJournal()
    await journal.append(decision())
    assert [receipt.type for receipt in journal.receipts] == ["decision"]


async def test_its_log_verifies_with_its_own_key() -> None:
    journal = MemoryJournal()
    await journal.append(decision())
    assert checked(journal.lines, key=journal.key).bad is None
