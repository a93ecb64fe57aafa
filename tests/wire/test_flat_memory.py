"""Bodies of any size pass through in memory that stays as it is: the gate's own, its client and its upstream are other processes."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_address
from pathlib import Path

import pytest
from bench.rig import NAME, rig
from wire.gateway import Gateway

from outgate.intake.destinations import Destination, Fixed

MB = 1_000_000
GROWS = 20.0
"""MB, at most, while a body flows."""


def resident() -> float:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) * 1024 / MB


async def peak(ended: asyncio.Event) -> float:
    most = resident()
    while not ended.is_set():
        most = max(most, resident())
        await asyncio.sleep(0.01)
    return most


async def flows(gateway, way: str, size: int) -> float:
    """Send a body through, after a small one. Gives by how many MB this process grew meanwhile."""
    with rig() as made:
        route = Fixed(address=ip_address("127.0.0.1"), port=made.port)
        gateway.destinations[NAME] = Destination(pattern=NAME, route=route, ca=str(made.ca))
        ca = gateway.folder / "ca.pem"
        ca.write_bytes(gateway.authority.pem)
        environ = made.environ(https_proxy=f"http://127.0.0.1:{gateway.port}", BENCH_CA=str(ca))
        client = await asyncio.create_subprocess_exec(*made.client(way, str(size)), env=environ, stdout=asyncio.subprocess.PIPE)
        assert client.stdout is not None
        assert await client.stdout.readline() == b"ready\n"
        before, ended = resident(), asyncio.Event()
        watched = asyncio.create_task(peak(ended))
        assert await client.stdout.readline() == b"done\n"
        ended.set()
        assert json.loads(await client.stdout.readline())["mb_per_second"] > 0
        await client.communicate()
        await gateway.stop()
    return await watched - before


def passed(gateway, key: str) -> int:
    """Bytes of bodies, as the log has them."""
    return sum(outcome[key] for outcome in gateway.outcomes() if outcome["result"] == "executed")


@pytest.mark.parametrize("size", [64 * MB, pytest.param(1000 * MB, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
@pytest.mark.parametrize(("way", "key"), [("download", "received"), ("upload", "sent")])
async def test_a_body_of_any_size_flows_in_flat_memory(tmp_path, way, key, size):
    gateway = await Gateway(tmp_path).start()
    assert await flows(gateway, way, size) < GROWS
    assert not gateway.alarm.told, str(gateway.alarm)
    assert passed(gateway, key) >= size + size // 50
