"""A server in hostile surroundings: an environment that somebody else wrote, other users of the machine, a crash."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faults.test_serve import PATIENCE, server

__all__ = ["server"]
NOBODY = 65534
DUMPABLE = "import ctypes; from outgate.fence.memory import keep_to_oneself; keep_to_oneself(); print(ctypes.CDLL(None).prctl(3))"


async def test_an_environment_that_somebody_else_wrote_gets_no_secret_and_runs_no_code(server, tmp_path):
    secrets, planted = tmp_path / "secrets.txt", tmp_path / "planted"
    planted.mkdir()
    (planted / "config.yaml").write_text("scripts: [/evil.py]\nignore_hosts: ['.*']\nssl_insecure: true\n")
    await server.add("mailer")
    hostile = {
        **{name: str(secrets) for name in ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")},
        "MITMPROXY_CONFDIR": str(planted),
        "XDG_CONFIG_HOME": str(planted),
        "HOME": str(planted),
        "no_proxy": "*",
        "NO_PROXY": "*",
        "SSL_CERT_DIR": str(planted),
        "PYTHONWARNINGS": "ignore",
    }
    await server.start(**hostile)
    assert await server.status("/a", "mailer") == 200
    assert await server.status("/pay", "mailer") == 403
    assert not secrets.exists()
    await server.told(signal.SIGTERM)
    assert await server.ended() == 0


async def test_a_crash_leaves_no_core_and_nothing_of_a_credential(server, tmp_path):
    await server.add("mailer")
    await server.start()
    assert await server.status("/a", "mailer") == 200
    pid = server.process.pid
    limits = Path(f"/proc/{pid}/limits").read_text()
    (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]
    os.kill(pid, signal.SIGABRT)
    assert await server.ended() == -signal.SIGABRT
    token = server.tokens["mailer"].encode()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and token in path.read_bytes()]
    assert left == []
    assert token not in server.said.encode()


def test_nobody_else_of_its_user_reads_its_memory():
    said = subprocess.run([sys.executable, "-c", DUMPABLE], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert said.stdout == "0\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_of_the_machine_reads_nothing(server, tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)  # the way there is open: what is found there is what counts
    await server.add("mailer")
    await server.start()
    assert await server.status("/a", "mailer") == 200
    state = tmp_path / "state"
    files = [path for path in state.rglob("*") if path.is_file()]
    assert len(files) > 3
    anybodys = tmp_path / "anybodys"
    anybodys.write_text("seen")
    anybodys.chmod(0o644)
    script = "import sys\nfor path in sys.argv[1:]:\n    try:\n        open(path).close()\n    except PermissionError:\n        continue\n    print(path)"
    ran = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/env", "python3", "-c", script, *map(str, [*files, anybodys])],
        user=NOBODY,
        group=NOBODY,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, f"{anybodys}\n"), ran.stdout + ran.stderr
    await server.told(signal.SIGTERM)
    assert await server.ended() == 0
