"""Every test here runs a whole gate; at its end the oracle compares what upstreams saw with what the log says was let out."""

from __future__ import annotations

import pytest
from wire.gateway import Gateway


@pytest.fixture
async def make(tmp_path):
    """Make gates, as a test wants them. Each is stopped and checked at the end."""
    made = []

    async def one(**said):
        folder = tmp_path / f"gate-{len(made)}"
        folder.mkdir()
        gateway = Gateway(folder, **said)
        made.append(gateway)
        return await gateway.start()

    yield one
    for gateway in made:
        await gateway.stop()
    for gateway in made:
        gateway.check()


@pytest.fixture
async def gateway(make):
    """A gate that enforces, and lets everything out but what is forbidden."""
    return await make()
