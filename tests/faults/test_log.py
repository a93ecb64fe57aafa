"""kill -9, a full disk and a failing one, while receipts are written: nothing that took effect is ever lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from faults.faulted import PACKAGE, WRITER, injecting, needs_strace, proves, run_writer, segment

from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import check_log, log_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_fault_all_is_let_out_and_nothing_is_open(tmp_path: Path) -> None:
    done = run_writer(tmp_path, "w1")
    assert (done.code, len(done.let_out), done.refused, done.ended) == (0, 60, 0, True)
    left = proves(tmp_path, done.let_out, "w1")
    assert left.unknown == ()
    assert left.logs[0].stopped


@needs_strace
@pytest.mark.parametrize("call", ["write", "fdatasync"])
@pytest.mark.parametrize("when", [1, 2, 3, 7, 20])
def test_killed_at_any_write_nothing_that_took_effect_is_lost(tmp_path: Path, call: str, when: int) -> None:
    done = run_writer(tmp_path, "w1", before=injecting(call, "signal=KILL", when=str(when), path=segment(tmp_path, "w1")))
    assert done.code in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert not done.ended
    assert len(done.let_out) < 60
    proves(tmp_path, done.let_out, "w1")


@pytest.mark.parametrize("after", [1, 5, 17, 40])
def test_killed_under_load_nothing_that_took_effect_is_lost(tmp_path: Path, after: int) -> None:
    command = [sys.executable, str(WRITER), str(tmp_path), "w1", "100000", "8"]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(PACKAGE)}, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        seen = [program.stdout.readline() for _ in range(after)]
        program.kill()
        seen += program.stdout.readlines()
    let_out = frozenset(int(line.split()[1]) for line in seen if line.startswith("out ") and line.endswith("\n"))
    assert len(let_out) >= after
    assert "end\n" not in seen
    proves(tmp_path, let_out, "w1")


@needs_strace
@pytest.mark.parametrize(
    ("call", "error"), [("fdatasync", "EIO"), ("write", "EIO"), ("write", "ENOSPC"), ("fdatasync", "ENOSPC")]
)
@pytest.mark.parametrize("when", [1, 4])
def test_one_failure_is_for_good_though_the_next_call_would_succeed(tmp_path: Path, call: str, error: str, when: int) -> None:
    done = run_writer(tmp_path, "w1", before=injecting(call, f"error={error}", when=str(when), path=segment(tmp_path, "w1")))
    assert done.code == 0, done.errors
    assert done.refused > 0
    assert len(done.let_out) < 60
    proves(tmp_path, done.let_out, "w1")


@needs_strace
def test_a_disk_that_lies_about_what_it_wrote_is_found_out_by_verify(tmp_path: Path) -> None:
    # Of this write the kernel says 100 bytes are written, and none are. No writer can notice; a reader can.
    done = run_writer(tmp_path, "w1", before=injecting("write", "retval=100", when="3", path=segment(tmp_path, "w1")))
    assert done.ended
    assert check_log(log_folder(tmp_path) / "w1", receipts_key(tmp_path).public).bad is not None


def test_a_file_that_may_not_grow_refuses_all_that_follows(tmp_path: Path) -> None:
    done = run_writer(tmp_path, "w1", env={"FILE_LIMIT": "20000"})
    assert done.refused > 0
    assert 0 < len(done.let_out) < 60
    proves(tmp_path, done.let_out, "w1")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="mounting a small disk needs root")
def test_a_full_disk_refuses_all_that_follows_and_a_new_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    script = (
        'mount -t tmpfs -o size=64k outgate "$1/disk" || exit 77; shift; "$@"; code=$?; '
        'cp -r "$OUT/disk" "$OUT/kept"; "$PYTHON" "$WRITER" "$OUT/disk" w2 1 1 > "$OUT/second"; exit $code'
    )
    environ = {"OUT": str(tmp_path), "PYTHON": sys.executable, "WRITER": str(WRITER)}
    before = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path)]
    done = run_writer(tmp_path / "disk", "w1", requests=400, before=before, env=environ)
    if done.code == 77:
        pytest.skip("this machine may not mount")
    assert done.refused > 0
    assert done.let_out
    proves(tmp_path / "kept", done.let_out, "w1")
    assert (tmp_path / "second").read_text().startswith("refused")
