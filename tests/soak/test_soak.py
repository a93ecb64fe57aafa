"""Good and hostile load, mixed, for long: every good request is answered right, nothing grows, and the log agrees with the world."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from faults.served import signing
from soak.load import Load
from soak.world import KIB, SoakWorld

if TYPE_CHECKING:
    from pathlib import Path

MIB = KIB
"""In the kernel's KiB."""


async def watch(world: SoakWorld, seconds: float) -> list[tuple[int, int]]:
    """Memory and file descriptors, as they go."""
    taken = []
    for _ in range(100):
        await asyncio.sleep(seconds / 100)
        taken.append((world.resident(), world.fds()))
    return taken


def thirds(taken: list[tuple[int, int]], which: int) -> tuple[float, float]:
    """What was taken in the middle, and in the last third: medians."""
    values = [one[which] for one in taken]
    third = len(values) // 3
    return statistics.median(values[third : 2 * third]), statistics.median(values[2 * third :])


async def at_rest(world: SoakWorld) -> int:
    """File descriptors when no client is there any more, but for upstream connections that are kept for whoever comes next."""
    until = time.monotonic() + 45
    while time.monotonic() < until:
        shown = await world.metrics()
        if not shown['outgate_open_connections{side="client"}']:
            return world.fds() - int(shown['outgate_open_connections{side="upstream"}'])
        await asyncio.sleep(0.2)
    raise AssertionError(f"clients that nobody is: {shown}")


async def soak(folder: Path, seconds: float) -> None:
    async with SoakWorld(folder) as world:
        server = await world.server().start()
        await world.trusted()
        load = Load(world, seed=int(seconds))
        async with signing(world):
            await load.once()
            await load.close()
            before = await at_rest(world)
            taken, _ = await asyncio.gather(watch(world, seconds), load.run(seconds))
        await load.close()
        after = await at_rest(world)
        code = await server.stop()
        print(dict(load.done), {"rss": thirds(taken, 0), "fds": thirds(taken, 1), "idle": (before, after)})
        assert load.wrong == [], load.wrong[0]
        assert min(load.done[work.__name__] for work in load.works) >= (2 if seconds >= 60 else 1), load.done
        assert code == 0, server.said
        assert world.alarms() == []
        middle, last = thirds(taken, 0)
        assert last <= middle * 1.05 + 8 * MIB, f"memory grew: {taken}"
        middle, last = thirds(taken, 1)
        assert last <= middle * 1.2 + 30, f"file descriptors grew: {taken}"
        assert after <= before + 4
        surely, perhaps = world.let_out()
        assert surely <= world.counted, "executed, and nobody saw it"
        assert world.counted <= surely + perhaps, "reached the world without a decision"
        code, said = await world.outgate("verify")
        assert code == 0, said


async def test_a_short_while_of_good_and_hostile_load_harms_nobody(tmp_path: Path):
    await soak(tmp_path, float(os.environ.get("SOAK_SHORT_SECONDS", "8")))


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_long_while_of_good_and_hostile_load_harms_nobody(tmp_path: Path):
    await soak(tmp_path, float(os.environ.get("SOAK_SECONDS", "600")))
