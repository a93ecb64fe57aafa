"""A whole gate under load that is killed, or whose disk fails: all that the upstream saw is on record, and nothing comes after."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from faults.faulted import needs_strace
from faults.loaded import OUTGATE, Upstream, World, ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOR_EVER = 1_000_000
needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="mounting a small disk needs root")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Upstream(tmp_path) as upstream:
        yield World(folder=tmp_path, upstream=upstream).prepare()


def begun(world: World) -> None:
    """One run to its end: keys and stores are made, so that what is written later is the log."""
    ran = world.run("true")
    assert ran.code == 0, ran.stderr


def injecting(call: str, what: str, *, when: int) -> list[str]:
    """strace such that the n-th such call of any one thread meets a fault: of the threads here, the log's makes most."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"]


def test_under_load_and_without_a_fault_all_is_on_record(world: World) -> None:
    ran = world.run(*world.load(40))
    assert ran.code == 0, ran.stderr
    assert set(ran.answered.values()) == {200}
    assert len(world.upstream.seen) == 160
    left = world.proves()
    assert left.logs[-1].stopped
    assert (left.logs[-1].decisions, left.logs[-1].outcomes) == (160, 160)


def test_under_load_its_metrics_say_so(world: World) -> None:
    place = world.folder / "metrics.sock"
    run = world.start(*world.load(FOR_EVER), options=("--metrics", place))
    world.upstream.until(100)
    shown = metrics(place)
    run.kill()
    ended(run)
    requests = 'outgate_requests_total{agent="load.py",answer="allow",reason="policy",would="allow"}'
    assert shown[requests] >= 100
    assert shown["outgate_journal_group_receipts_count"] >= 1
    assert shown["outgate_journal_commit_seconds_sum"] > 0
    assert shown['outgate_open_connections{side="client"}'] == 4
    assert 1 <= shown['outgate_open_connections{side="upstream"}'] <= 4
    assert [name for name in shown if name.startswith("outgate_alarms_total{")] == []


def metrics(place: Path) -> dict[str, float]:
    """What a scraper gets."""
    with socket.socket(socket.AF_UNIX) as scraper:
        scraper.connect(str(place))
        scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: gate\r\n\r\n")
        text = b"".join(iter(lambda: scraper.recv(65536), b"")).decode()
    lines = [line for line in text.partition("\r\n\r\n")[2].splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.parametrize(("fence", "after"), [("fenced", 1), ("fenced", 150), ("unfenced", 150)])
def test_killed_under_load_all_that_was_seen_is_on_record_and_the_agent_dies_too(world: World, fence: str, after: int) -> None:
    run = world.start(*world.load(FOR_EVER), options=() if fence == "fenced" else ("--no-fence",))
    world.upstream.until(after)
    run.kill()
    ran = ended(run)  # and with it everybody who held its output: the agent asks for ever
    assert ran.code == -signal.SIGKILL
    assert ran.stdout == ""
    assert len(world.upstream.seen) >= after
    left = world.proves()
    assert not left.logs[-1].stopped


@needs_strace
@pytest.mark.parametrize(("call", "when"), [("fdatasync", 2), ("fdatasync", 12), ("write", 30)])
def test_killed_at_the_nth_write_all_that_was_seen_is_on_record(world: World, call: str, when: int) -> None:
    begun(world)
    ran = world.run(*world.load(FOR_EVER), before=injecting(call, "signal=KILL", when=when))
    assert ran.code in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert "ended" not in ran.stderr
    assert (len(world.upstream.seen) > 0) == (when > 2), "the first is the start's own, the second the first decision's"
    world.proves()


def refused_from_then_on(world: World, ran) -> None:
    """After the failure every request is answered 503, and none of these was seen."""
    assert ran.code == 0, ran.stderr
    refused = {path for path, status in ran.answered.items() if status != 200}
    assert {ran.answered[path] for path in refused} == {503}
    assert len(refused) > 50
    assert not refused & set(world.upstream.seen)
    for thread in range(4):
        statuses = [status for path, status in ran.answered.items() if path.startswith(f"/{thread}/")]
        assert statuses == sorted(statuses), "nothing is let out after something was refused"
    assert "LOG BROKE OFF" in ran.stderr


@needs_strace
def test_a_disk_that_failed_once_is_not_trusted_again(world: World) -> None:
    begun(world)
    ran = world.run(*world.load(60), before=injecting("fdatasync", "error=EIO", when=12))
    refused_from_then_on(world, ran)
    assert world.upstream.seen
    world.proves()


SMALL_DISK = """
mount -t tmpfs -o size=1m outgate "$OUTGATE_STATE" || exit 77
"$@"; code=$?
"$OUTGATE" run -- touch "$HOME/ran-on-a-full-disk" 2> "$HOME/second"; echo $? >> "$HOME/second"
cp -r "$OUTGATE_STATE" "$HOME/kept"
exit $code
"""


@needs_root
def test_a_disk_that_fills_up_refuses_what_follows_and_a_new_start_as_well(world: World) -> None:
    world.state.mkdir()
    world.environ["OUTGATE"] = str(OUTGATE)
    ran = world.run(*world.load(150), before=["unshare", "-m", "sh", "-c", SMALL_DISK, "sh"])
    if ran.code == 77:
        pytest.skip("this machine may not mount")
    refused_from_then_on(world, ran)
    home = world.work / "home"
    *said, code = (home / "second").read_text().splitlines()
    assert (code, len(said)) == ("1", 1)
    assert said[0].startswith("outgate: ")
    assert "No space left on device" in said[0]
    assert not (home / "ran-on-a-full-disk").exists()
    world.proves(home / "kept")


def test_a_log_that_may_not_grow_refuses_what_follows(world: World) -> None:
    begun(world)
    limit = 'ulimit -f "$1"; shift; exec "$@"'
    ran = world.run(*world.load(250), before=["bash", "-c", limit, "bash", 1200])
    refused_from_then_on(world, ran)
    world.proves()


def test_the_next_start_closes_the_dead_log_and_verify_accepts_it(world: World) -> None:
    run = world.start(*world.load(FOR_EVER))
    world.upstream.until(50)
    run.kill()
    ended(run)
    begun(world)
    done = subprocess.run(
        [OUTGATE, "verify", world.state], capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ok ")
