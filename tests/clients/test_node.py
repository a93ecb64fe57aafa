"""What Node's users install, from the registry: undici, ws and gRPC stream both ways, leave early, and read why they may not."""

from __future__ import annotations

import fcntl
import subprocess
from typing import TYPE_CHECKING

import pytest
from clients.grpc_host import GrpcHost
from clients.under_gate import AGENTS, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Not from here. Ask ops@acme.example."
SCRIPT = AGENTS / "node_clients.mjs"


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """What package.json names, once a checkout."""
    with (AGENTS / "package.json").open("rb") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not (AGENTS / "node_modules" / "ws").exists():
            quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
            done = subprocess.run(
                [PROGRAMS / "npm", "ci", *quiet], cwd=AGENTS, capture_output=True, text=True, timeout=100, check=False
            )
            if done.returncode:
                pytest.skip(f"npm can't install what package.json names: {done.stderr[-200:]}")


@pytest.fixture(autouse=True)
def _grpc(services: LookAlikes) -> Iterator[None]:
    with GrpcHost(services):
        yield


def test_what_nodes_users_install_streams_talks_and_leaves(gate: Gate):
    ran = gate.run("node", SCRIPT, "node", "undici", "ws", "own", "grpcCalls", options=("--policy", gate.policy()))
    assert ran.code == 0, ran.stderr
    undici, ws, own, grpc = ran.lines
    assert undici == [True, 5, 200]
    assert ws == [True, True, True, "there?", 4321]
    assert own == "hello"
    assert grpc == {
        "said": "heard hello",
        "heard": 5,
        "talked": "you said 9",
        "late": "DEADLINE_EXCEEDED",
        "freed": "freed",
        "left": "freed",
        "failed": ["NOT_FOUND", "there is no such thing: 100 % sure, naïve"],
    }


def test_what_nodes_users_install_reads_why_it_may_not(gate: Gate, services: LookAlikes):
    rule = f'{{id: no-talk, match: {{host: [echo.test, grpc.test]}}, effect: block, tell: "{TELL}"}}'
    ran = gate.run("node", SCRIPT, "node", "wsRefused", "grpcRefused", options=("--policy", gate.policy(rule)))
    assert ran.lines == [[403, TELL], ["PERMISSION_DENIED", TELL]], ran.stderr
    assert services.lines() == []
