"""The process that reads bodies: what it has, what it may take, and that it ends with the gate."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from asked import asked
from children import readers
from gated import CATALOG

from outgate.intake.request import SpooledBody, WholeBody
from outgate.worker.child import answer
from outgate.worker.frames import Done, Failed
from outgate.worker.pool import SMALL, Pool
from outgate.worker.tasks import Name, Search

LARGE = b"x" * (SMALL + 1)


async def started():
    pool = Pool(processes=1)
    await pool.data("coder", LARGE)
    (pid,) = readers()
    return pool, Path(f"/proc/{pid}")


async def test_it_has_no_environment_no_folder_and_no_file_of_the_gate():
    with Path("/dev/null").open() as ours:
        os.set_inheritable(ours.fileno(), True)
        pool, at = await started()
        try:
            said = subprocess.run(
                [sys.executable, "-c", _LOOK, at.name], capture_output=True, text=True, check=True, timeout=20
            ).stdout
        finally:
            await pool.close()
    assert said in {"hidden\n", "b'' / ['socket', 'null', 'null']\n"}, said


_LOOK = """
import os, sys
at = f"/proc/{sys.argv[1]}"
try:
    files = [os.readlink(f"{at}/fd/{name}").rpartition("/")[2].partition(":")[0] for name in sorted(os.listdir(f"{at}/fd"))]
    print(open(f"{at}/environ", "rb").read(), os.readlink(f"{at}/cwd"), files)
except PermissionError:
    print("hidden")
"""


async def test_it_is_bounded_and_its_memory_is_hidden():
    pool, at = await started()
    try:
        limits = (at / "limits").read_text()
        status = (at / "status").read_text()
    finally:
        await pool.close()
    assert f"Max address space         {1 << 30}" in limits
    assert "Max core file size        0" in limits
    assert "Max file size             0" in limits
    assert "NoNewPrivs:\t1" in status


def test_it_ends_with_the_gate_even_when_that_is_killed(tmp_path):
    gate = subprocess.Popen([sys.executable, "-c", _GATE], stdout=subprocess.PIPE, text=True)
    assert gate.stdout.readline() == "reads\n"
    (worker,) = readers(gate.pid)
    os.kill(worker, signal.SIGSTOP)
    gate.send_signal(signal.SIGKILL)
    gate.wait()
    gate.stdout.close()
    subprocess.run([sys.executable, "-c", _WAIT, str(worker)], check=True, timeout=20)


_GATE = """
import asyncio
from outgate.worker.pool import Pool

async def main():
    pool = Pool(processes=1)
    await pool.data("coder", b"x" * 100_000)
    print("reads", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
_WAIT = """
import os, sys, time
while os.path.exists(f"/proc/{sys.argv[1]}") and open(f"/proc/{sys.argv[1]}/stat").read().split()[2] != "Z":
    time.sleep(0.01)
"""


def test_what_raises_is_told_without_a_byte_of_the_body():
    request = asked("POST https://api.openai.com/v1/chat/completions", body=WholeBody(b"private"))
    assert answer(Name(agent="coder", request=request), CATALOG, None) == Done(
        answer(Name(agent="coder", request=request), None, None).found
    )
    failed = answer(Search(content=None), None, None)
    assert isinstance(failed, Failed)
    assert failed.why.startswith(("TypeError", "AttributeError"))


def test_a_file_that_is_not_what_it_was_is_not_read(tmp_path):
    (tmp_path / "body").write_bytes(b"other")
    request = asked("POST https://x.test/", body=SpooledBody("-", 4, "sha256:0"))
    with (tmp_path / "body").open("rb") as file:
        said = answer(Name(agent="coder", request=request), None, os.dup(file.fileno()))
    assert isinstance(said, Failed)
    assert said.why.startswith("UnavailableError")
