"""Every test here runs a whole gate; at its end the oracle compares what upstreams saw with what the log says was let out.

Whoever asks for `make` or `gateway` is run once for each way in: ways.py says which of them don't apply to what, and why.
"""

from __future__ import annotations

import pytest
from wire.gateway import Gateway
from wire.ways import ways_of


def pytest_generate_tests(metafunc):
    if "make" in metafunc.fixturenames:
        ways = ways_of(metafunc.module.__name__.rpartition(".")[2], metafunc.function.__name__)
        marked = [pytest.param(way.name, marks=[pytest.mark.slow] if way.slow else []) for way in ways]
        metafunc.parametrize("make", marked, indirect=True)


@pytest.fixture
async def make(tmp_path, request):
    """Make gates, as a test wants them, all by one way in. Each is stopped and checked at the end."""
    way = getattr(request, "param", "http")
    made = []

    async def one(**said):
        folder = tmp_path / f"gate-{len(made)}"
        folder.mkdir()
        gateway = Gateway(folder, way=way, **said)
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
