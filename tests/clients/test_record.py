"""The record of runs that go on at once, and of one that was killed: the fixture's oracle looks at all of it."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

from clients.under_gate import OUTGATE

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TWICE = "curl -sS https://other.test/first; echo; touch {mine}; while [ ! -e {other} ]; do sleep 0.02; done; curl -sS https://other.test/then"


def test_runs_at_once_keep_one_log_each(gate: Gate, services: LookAlikes):
    """Each waits for the other in its middle."""
    names = ("one", "two")
    started = [
        subprocess.Popen(
            gate.command(["sh", "-c", TWICE.format(mine=mine, other=other)], "--agent", mine),
            env=gate.env(),
            cwd=gate.work,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mine, other in (names, names[::-1])
    ]
    said = [one.communicate(timeout=60)[1] for one in started]
    assert all("proof: 2 decisions, 2 outcomes, log verified" in one for one in said), said
    decisions = gate.decisions()
    assert sorted(one.fields["agent"]["id"] for one in decisions) == ["one", "one", "two", "two"]
    assert len({one.fields["writer"] for one in decisions}) == 2
    assert len(services.seen) == 4


def test_what_a_killed_gate_let_out_is_recorded_as_unknown_by_the_next(gate: Gate, services: LookAlikes):
    curl = ("curl", "-sSN", "https://download.test/events?stream=killed")
    with subprocess.Popen(
        gate.command(curl), env=gate.env(), cwd=gate.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "id: 1\n"
        started.send_signal(signal.SIGKILL)
        started.communicate(timeout=60)
    for _ in range(5):
        services.acks.said("killed")  # so that the look-alike does not wait for a reader who is gone
    assert [one.outcome for one in gate.decisions()] == [None]
    assert gate.run("true").code == 0
    assert [one.result for one in gate.decisions()] == ["unknown"]
    shown = subprocess.run([str(OUTGATE), "log"], env=gate.env(), capture_output=True, text=True, timeout=60, check=True).stdout
    assert "download.test" in shown
    assert "unknown" in shown
