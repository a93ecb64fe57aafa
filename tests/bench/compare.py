"""Run both proxies in turn and compare: requests/s, new connections/s, a big download with its memory, the first event."""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme
from stages import stages

HERE = Path(__file__).parent
NAME = "bench.test"
SIZE = 200_000_000


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


def wait_for(ask, seconds: float = 30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := ask():
            return found
        time.sleep(0.02)
    raise SystemExit("the bench's rig did not come up")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


class Mitmdump:
    """Stock, no addons of ours. Its look-up of the bench's one name is pointed at the upstream, as a hosts file would."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        conf = rig.folder / "mitm"
        conf.mkdir()
        shim = rig.folder / "shim"
        shim.mkdir()
        (shim / "sitecustomize.py").write_text(
            "import socket\n_real = socket.getaddrinfo\n"
            "def _to_the_bench(host, port, *a, **k):\n"
            f"    return _real('127.0.0.1', {rig.port}, *a, **k) if host in ('{NAME}', b'{NAME}') else _real(host, port, *a, **k)\n"
            "socket.getaddrinfo = _to_the_bench\n"
        )
        program = str(Path(sys.executable).with_name("mitmdump"))
        self.process = subprocess.Popen(
            [program, "-q", "--listen-host", "127.0.0.1", "-p", str(self.port), "--set", f"confdir={conf}",
             "--set", f"ssl_verify_upstream_trusted_ca={rig.ca}"],
            env={**os.environ, "PYTHONPATH": str(shim)},
        )  # fmt: skip
        wait_for(lambda: listening(self.port) and (conf / "mitmproxy-ca-cert.pem").exists())

    def run(self, *words: str) -> dict[str, float]:
        ca = self.rig.folder / "mitm" / "mitmproxy-ca-cert.pem"
        environ = self.rig.environ(https_proxy=f"http://127.0.0.1:{self.port}", BENCH_CA=str(ca))
        before = cpu_seconds(self.process.pid)
        done = subprocess.run(self.rig.client(*words), env=environ, capture_output=True, check=True)
        return with_cpu(json.loads(done.stdout), cpu_seconds(self.process.pid) - before)

    def memory(self, *words: str) -> dict[str, float]:
        return {**self.run(*words), "peak_mb": peak_mb(self.process.pid)}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Outgate:
    """`outgate run --enforce` with its starter policy, receipts on; the client is the command."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        config = rig.folder / "outgate.yaml"
        config.write_text(
            f"outgate: settings/v1alpha\ndestinations:\n  {NAME}: {{address: '127.0.0.1:{rig.port}', ca: {rig.ca}}}\n"
        )
        program = str(Path(sys.executable).with_name("outgate"))
        self.command = [
            program,
            "run",
            "--config",
            str(config),
            "--policy",
            "coding-agent",
            "--enforce",
            "--agent",
            "bench",
            "--",
        ]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        environ = self.rig.environ(OUTGATE_STATE=str(self.rig.folder / "state"))
        return subprocess.Popen([*self.command, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words: str) -> dict[str, float]:
        out, cpu, _ = self.watched(*self.rig.client(*words))
        return with_cpu(json.loads(out), cpu - self.start_up)

    def memory(self, *words: str) -> dict[str, float]:
        out, _, peak = self.watched(*self.rig.client(*words))
        return {**json.loads(out), "peak_mb": peak}

    def idle(self) -> tuple[float, float]:
        """Seconds and CPU seconds of a run that does nothing."""
        began = time.perf_counter()
        _, cpu, _ = self.watched("true")
        return time.perf_counter() - began, cpu

    def watched(self, *words: str) -> tuple[bytes, float, float]:
        """What a command printed, and the gate's own CPU seconds and peak memory: looked up until it ends, as of its last 20 ms."""
        process = self.start(*words)
        cpu = peak = 0.0
        while process.poll() is None:
            with contextlib.suppress(FileNotFoundError, IndexError, ProcessLookupError):
                cpu, peak = max(cpu, cpu_seconds(process.pid)), max(peak, peak_mb(process.pid))
            time.sleep(0.02)
        out, err = process.communicate()
        if process.returncode:
            raise SystemExit(err.decode())
        return out, cpu, peak


def with_cpu(found: dict[str, float], seconds: float) -> dict[str, float]:
    """What the proxy's own process spent on a request, where requests were counted."""
    return {**found, "cpu_us_each": seconds / found["requests"] * 1e6} if "requests" in found else found


def median(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def measure(asked: argparse.Namespace) -> dict[str, object]:
    found: dict[str, object] = {}
    with rig() as made:
        stock, ours = Mitmdump(made), Outgate(made)
        try:
            idle = [ours.idle() for _ in range(3)]
            found["start to end of `outgate run -- true`, seconds"] = statistics.median(seconds for seconds, _ in idle)
            ours.start_up = statistics.median(cpu for _, cpu in idle)
            for name, words, how in (
                ("keep-alive", ("keepalive", str(asked.seconds), "8"), "run"),
                ("new connections", ("new", str(asked.seconds), "8"), "run"),
                ("first event", ("events", "5"), "run"),
                ("download", ("download", str(SIZE)), "memory"),
            ):
                rounds = 1 if how == "memory" else asked.rounds
                pairs = [(getattr(stock, how)(*words), getattr(ours, how)(*words)) for _ in range(rounds)]
                found[name] = {"mitmdump": median([a for a, _ in pairs]), "outgate": median([b for _, b in pairs])}
                print(name, json.dumps(found[name]), file=sys.stderr)
        finally:
            stock.close()
    found["stages, µs"] = stages()
    return found


def show(found: dict) -> None:
    print(f"{'':34}{'mitmdump':>12}{'outgate':>12}{'ratio':>9}")
    for name in ("keep-alive", "new connections", "first event", "download"):
        both = found[name]
        for key in both["mitmdump"]:
            a, b = both["mitmdump"][key], both["outgate"][key]
            print(f"{name + ', ' + key:34}{a:12.1f}{b:12.1f}{b / a:9.2f}")
    seconds = found["start to end of `outgate run -- true`, seconds"]
    print(f"{'outgate run -- true, seconds':34}{'':12}{seconds:12.2f}")
    for stage, micro in found["stages, µs"].items():
        print(f"{'stage ' + stage + ', µs':46}{micro:12.1f}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--seconds", type=float, default=4)
    ask.add_argument("--json", type=Path)
    asked = ask.parse_args()
    found = measure(asked)
    show(found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))


main()
