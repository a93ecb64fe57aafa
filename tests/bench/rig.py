"""What a measurement stands on: one upstream on loopback, and processes whose CPU time and memory are looked at as they run."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import trustme

HERE = Path(__file__).parent
NAME = "bench.test"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Rig:
    folder: Path
    port: int
    ca: Path

    def client(self, *words: str) -> list[str]:
        return [sys.executable, str(HERE / "client.py"), *words]

    def environ(self, **more: str) -> dict[str, str]:
        return {**os.environ, "BENCH_HOST": NAME, "BENCH_PORT": "443", **more}


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="outgate-bench-") as made:
        folder = Path(made)
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert(NAME, key_type=trustme.KeyType.ECDSA).private_key_and_cert_chain_pem.write_to_path(folder / "up.pem")
        upstream = subprocess.Popen([sys.executable, str(HERE / "upstream.py"), str(folder / "up.pem"), str(folder / "port")])
        try:
            port = int(wait_for(lambda: (folder / "port").read_text() if (folder / "port").exists() else ""))
            yield Rig(folder=folder, port=port, ca=folder / "ca.pem")
        finally:
            upstream.kill()
            upstream.wait()


def wait_for(ask, seconds: float = 60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := ask():
            return found
        time.sleep(0.02)
    raise SystemExit("the bench's rig did not come up")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass
class Watch:
    """A process's CPU seconds and memory in MB, every 20 ms: from `ready`, as its client says, to `done`."""

    pid: int
    _rows: list[tuple[float, float]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def look(self) -> tuple[float, float]:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        resident = Path(f"/proc/{self.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        return (int(fields[11]) + int(fields[12])) / _TICKS, int(resident) * 1024 / 1e6

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):
                self._rows.append(self.look())

    def read(self, client: subprocess.Popen[bytes]) -> dict[str, float]:
        """Follow a client to its end. Gives what it found, and what the process took for it."""
        assert client.stdout is not None
        before = after = (0.0, 0.0)
        found: dict[str, float] = {}
        for line in client.stdout:
            if line == b"ready\n":
                before = self.look()
                self._rows.clear()
            elif line == b"done\n":
                after = self.look()
            else:
                found = json.loads(line)
        if not found:
            _, said = client.communicate()
            raise SystemExit((said or b"the client found nothing").decode())
        peak = max((mb for _, mb in self._rows), default=after[1])
        found["grew_mb"] = peak - before[1]
        found["kept_mb"] = after[1] - before[1]
        found["cpu_seconds"] = after[0] - before[0]
        if "requests" in found:
            found["cpu_us_each"] = found["cpu_seconds"] / found["requests"] * 1e6
        return found


class Direct:
    """No proxy at all."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def run(self, *words: str) -> dict[str, float]:
        environ = self.rig.environ(BENCH_DIRECT=str(self.rig.port), BENCH_CA=str(self.rig.ca))
        client = subprocess.Popen(self.rig.client(*words), env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with Watch(client.pid) as watch:
            return watch.read(client)


class Mitmdump:
    """Stock, no addons of ours. Its look-up of the bench's one name is pointed at the upstream, as a hosts file would.

    `streams`: large bodies pass through as they come, as ours do; stock keeps them whole unless told so.
    """

    def __init__(self, rig: Rig, *, streams: bool = False) -> None:
        self.rig = rig
        self.port = free_port()
        self.conf = rig.folder / f"mitm-{streams}"
        self.conf.mkdir()
        (self.conf / "sitecustomize.py").write_text(
            "import socket\n_real = socket.getaddrinfo\n"
            "def _to_the_bench(host, port, *a, **k):\n"
            f"    return _real('127.0.0.1', {rig.port}, *a, **k) if host in ('{NAME}', b'{NAME}') else _real(host, port, *a, **k)\n"
            "socket.getaddrinfo = _to_the_bench\n"
        )
        program = str(Path(sys.executable).with_name("mitmdump"))
        options = [f"confdir={self.conf}", f"ssl_verify_upstream_trusted_ca={rig.ca}"]
        options += ["stream_large_bodies=1m"] if streams else []
        self.process = subprocess.Popen(
            [program, "-q", "--listen-host", "127.0.0.1", "-p", str(self.port)] + [w for o in options for w in ("--set", o)],
            env={**os.environ, "PYTHONPATH": str(self.conf)},
        )
        wait_for(lambda: listening(self.port) and (self.conf / "mitmproxy-ca-cert.pem").exists())

    def run(self, *words: str) -> dict[str, float]:
        environ = self.rig.environ(https_proxy=f"http://127.0.0.1:{self.port}", BENCH_CA=str(self.conf / "mitmproxy-ca-cert.pem"))
        client = subprocess.Popen(self.rig.client(*words), env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with Watch(self.process.pid) as watch:
            return watch.read(client)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


POLICY = """
outgate: policy/v1alpha
policy: lets-all-out
mode: enforce
otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
"""
"""For bodies of any size: the starter policy looks for secrets in what goes out, so that it reads bodies, or refuses them."""


class Outgate:
    """`outgate run --enforce` with its starter policy, receipts on, fenced; the client is the command."""

    def __init__(self, rig: Rig, *, policy: str = "coding-agent") -> None:
        self.rig = rig
        config = rig.folder / "outgate.yaml"
        config.write_text(
            f"outgate: settings/v1alpha\nlimits: {{connections: 4000}}\n"
            f"destinations:\n  {NAME}: {{address: '127.0.0.1:{rig.port}', ca: {rig.ca}}}\n"
        )
        if policy == "lets-all-out":
            policy = str(rig.folder / "lets-all-out.yaml")
            Path(policy).write_text(POLICY)
        for written in rig.folder.glob("*.yaml"):
            os.utime(written, (time.time() - 60,) * 2)  # what was written just now would be read twice
        program = str(Path(sys.executable).with_name("outgate"))
        told = ["run", "--config", str(config), "--policy", policy, "--enforce", "--agent", "bench", "--"]
        self.command = [program, *told]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        environ = self.rig.environ(OUTGATE_STATE=str(self.rig.folder / "state"))
        return subprocess.Popen([*self.command, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words: str) -> dict[str, float]:
        gate = self.start(*self.rig.client(*words))
        try:
            with Watch(gate.pid) as watch:
                return watch.read(gate)
        finally:
            gate.send_signal(signal.SIGTERM)
            gate.communicate()

    def idle(self) -> float:
        """Seconds of a run that does nothing."""
        began = time.perf_counter()
        self.start("true").communicate()
        return time.perf_counter() - began
