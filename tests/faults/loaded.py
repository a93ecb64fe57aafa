"""A whole `outgate run` with an agent that loads it, before an upstream that remembers all it saw."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trustme
from faults.faulted import proves

from outgate.digest import sent_digest
from outgate.stores.logs import log_folder, receipts_of, writers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outgate.receipts.verify import Verdict

LOAD = Path(__file__).with_name("load.py")
PROGRAMS = Path(sys.executable).parent
OUTGATE = PROGRAMS / "outgate"
HOST = "api.load.test"
ALLOW_ALL = """
outgate: policy/v1alpha
policy: load
mode: enforce
otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
"""


class Upstream(ThreadingHTTPServer):
    """`https://api.load.test`. Use as a context manager. `seen`: paths, as they came."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        authority = trustme.CA()
        self.ca_file = folder / "upstream-ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(self._context)
        self._more = threading.Condition()
        self.seen: list[str] = []

    @property
    def port(self) -> int:
        return self.server_address[1]

    def saw(self, path: str) -> None:
        with self._more:
            self.seen.append(path)
            self._more.notify_all()

    def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.seen) >= count, timeout=60), f"only {len(self.seen)} came"

    def get_request(self) -> Any:
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Gates are killed in the middle of what they do."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        self.server.saw(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format, *args) -> None:  # noqa: A002  # the signature is the base class's
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One state folder, one upstream, and runs under them. `state` may be a place that exists only for the run."""

    folder: Path
    upstream: Upstream
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def prepare(self) -> Self:
        """Write what an operator would."""
        (self.work / "home").mkdir(parents=True)
        (self.folder / "policy.yaml").write_text(ALLOW_ALL)
        self.destinations({HOST: {"address": f"127.0.0.1:{self.upstream.port}", "ca": str(self.upstream.ca_file)}})
        return self

    def destinations(self, table: dict[str, dict[str, str]]) -> None:
        """Say where hosts are."""
        said = {"outgate": "settings/v1alpha", "destinations": table}
        (self.folder / "config.yaml").write_text(json.dumps(said))  # JSON is YAML

    def command(self, *agent: object, options: Sequence[object] = ()) -> list[str]:
        """The whole command line."""
        own = ("--config", self.folder / "config.yaml", "--policy", self.folder / "policy.yaml")
        given = (*own, "--share", LOAD, *options)  # a checkout may stand in /tmp, which is private inside
        return [str(word) for word in (OUTGATE, "run", *given, "--", *agent)]

    def load(self, requests: int, *, threads: int = 4) -> list[str]:
        """The agent's own command line."""
        return [sys.executable, str(LOAD), f"https://{HOST}/", str(threads), str(requests)]

    def start(self, *agent: object, before: Sequence[object] = (), options: Sequence[object] = ()) -> subprocess.Popen[str]:
        """Begin a run, under `before` (strace, unshare, …)."""
        return subprocess.Popen(
            [*map(str, before), *self.command(*agent, options=options)],
            env={
                "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.work / "home"),
                "LANG": "C.UTF-8",
                "OUTGATE_STATE": str(self.state),
                **self.environ,
            },
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *agent: object, before: Sequence[object] = (), options: Sequence[object] = ()) -> Ran:
        """A run to its end."""
        return ended(self.start(*agent, before=before, options=options))

    def seen(self) -> Counter[str]:
        """What the upstream saw, as receipts name it."""
        return Counter(sent_digest(method="GET", scheme="https", host=HOST, port=443, target=path) for path in self.upstream.seen)

    def proves(self, state: Path | None = None) -> Verdict:
        """Assert the promise, of a state folder in which one run let something out, and after the next start."""
        state = state or self.state
        let_out = {writer.name: _let_out(writer) for writer in writers(log_folder(state))}
        busy = [name for name, sent in let_out.items() if sent]
        assert len(busy) <= 1
        writer = busy[0] if busy else max(let_out)
        places = let_out[writer]
        unaccounted = [sent for sent, count in self.seen().items() if count > len(places.get(sent, ()))]
        assert unaccounted == [], "the upstream saw what no signed decision let out"
        return proves(state, frozenset(seq for sent in self.seen() for seq in places[sent]), writer)


def _let_out(writer: Path) -> dict[str, list[int]]:
    """Signed decisions that let something out: their numbers, by what they let out."""
    places: dict[str, list[int]] = {}
    for receipt in receipts_of(writer):
        if receipt.type == "decision" and receipt.fields["pin"]:
            places.setdefault(receipt.fields["request"]["sent"], []).append(receipt.seq)
    return places


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a run."""

    code: int
    stdout: str
    stderr: str

    @property
    def answered(self) -> dict[str, int]:
        """Status by path, as the agent was answered."""
        answered: dict[str, int] = json.loads(self.stdout)
        return answered


def ended(run: subprocess.Popen[str]) -> Ran:
    """Wait until the run is over and nobody holds its output any more: the agent is gone as well."""
    with run:
        try:
            stdout, stderr = run.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            run.kill()
            raise
    return Ran(code=run.returncode, stdout=stdout, stderr=stderr)
