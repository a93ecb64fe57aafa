"""What is owed is done though nobody waits for it, and undone where nobody waits any more."""

from __future__ import annotations

import asyncio

import pytest
from gated import Alarm

from outgate.owed import Owed


async def test_what_fails_later_is_told():
    alarm = Alarm()
    owed = Owed(alarm)

    async def fails():
        raise OSError("gone")

    owed.later(fails(), "settling limits")
    await owed.settled()
    assert alarm.told == ["OSError while settling limits"]


async def test_what_was_done_while_nobody_waited_any_more_is_undone():
    owed, undone, begun, go_on = Owed(Alarm()), [], asyncio.Event(), asyncio.Event()

    async def doing():
        begun.set()
        await go_on.wait()
        return "taken"

    task = asyncio.create_task(owed.surely(doing(), undone.append))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    while not undone:
        await asyncio.sleep(0)
    assert undone == ["taken"]


async def test_what_is_waited_for_is_not_undone():
    undone = []
    assert await Owed(Alarm()).surely(asyncio.sleep(0, "taken"), undone.append) == "taken"
    assert undone == []


async def test_what_waits_for_a_receipt_is_done_when_that_is_kept_and_never_when_it_is_lost():
    alarm, done = Alarm(), []
    owed = Owed(alarm)
    kept, lost, plain = (asyncio.get_running_loop().create_future() for _ in range(3))
    owed.receipt(kept, lambda: done.append("kept"))
    owed.receipt(lost, lambda: done.append("lost"))
    owed.receipt(plain)
    settled = asyncio.create_task(owed.settled())
    await asyncio.sleep(0)
    assert (done, settled.done()) == ([], False)
    kept.set_result(None)
    plain.set_result(None)
    lost.set_exception(OSError("gone"))
    await settled
    assert done == ["kept"]
    assert alarm.told == ["OSError while recording an outcome"]
