"""The demo, told: what the agent sent, what it is, the answer, and what the service saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outgate.cli.demo.services import Services
from outgate.cli.text import columns
from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

NAMES = ("api.github.com", "slack.com", "api.stripe.com", "api.crm.test", "paste.test")
HERE = Path(__file__).parent
PATIENCE = 120
WIDTH = 80
_HEADS = {
    False: ("what the agent sent", "what it is", "", "would be", "it saw"),
    True: ("what the agent sent", "what it is", "", "answer", "it saw"),
}
"""By whether it is enforced. `it` is the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call of the script: what it was told, beside the receipt that says why."""

    method: str
    url: str
    status: int
    said: str
    receipt: Mapping[str, object]
    reached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Prints with `say`; waits with `pause` between its parts."""

    say: Callable[[str], None]
    pause: Callable[[], None]

    def tell(self) -> None:
        """Play the whole. Raises UnavailableError where something did not happen as it must."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgate-demo-")))
            services = stack.enter_context(Services(NAMES, folder))
            _write_config(folder, services)
            self.say("An unmodified script, an unmodified HTTP client, six calls. The services are")
            self.say("look-alikes on loopback; gate, TLS, fence and log are the real ones.")
            self._act(folder, services, "1. Observed: all goes through, and you see what would not have.", enforce=False)
            self._act(
                folder,
                services,
                "2. Enforced: the same script and policy, one more word on the command line.",
                enforce=True,
            )
            self._prove(folder)
        self.say("")
        self.say("Yours next:   outgate run -- <your agent>")

    def _act(self, folder: Path, services: Services, title: str, *, enforce: bool) -> None:
        self.pause()
        self.say("")
        self.say(title)
        self.say("")
        rows = _rows(folder, services, enforce=enforce)
        table = columns([_HEADS[enforce], *(_cells(row, enforce=enforce) for row in rows)], widest=(29, 22, 2, 9, 9))
        for line, row in zip(table, [None, *rows], strict=True):
            self.say("  " + line)
            if row is not None and enforce and row.said:
                for told in textwrap.wrap(f'the script read {row.status}: "{row.said}"', WIDTH - 7):
                    self.say("       " + told)

    def _prove(self, folder: Path) -> None:
        self.pause()
        self.say("")
        self.say("3. The log: every decision and outcome, chained and signed before anything left.")
        self.say("")
        self._verify(folder, expect=0)
        self.say("")
        self.say('   Now one word in it is changed, "block" to "allow":')
        self.say("")
        _tamper(folder / "state" / "log")
        self._verify(folder, expect=1)

    def _verify(self, folder: Path, expect: int) -> None:
        done = _outgate(folder, "verify")
        self.say("  $ outgate verify")
        for line in (done.stdout + done.stderr).strip().splitlines():
            self.say("  " + line)
        if done.returncode != expect:
            raise UnavailableError(f"outgate verify ended with {done.returncode}, and {expect} was to be expected")


def _rows(folder: Path, services: Services, *, enforce: bool) -> list[Row]:
    services.seen.clear()
    before = len(_decisions(folder))
    how = ["--enforce"] if enforce else []
    done = _outgate(
        folder,
        "run",
        "--config",
        str(folder / "config.yaml"),
        "--agent",
        "demo",
        "--share",
        str(HERE),  # an installation may stand in /tmp, which is private inside
        *how,
        "--",
        sys.executable,
        str(HERE / "agent.py"),
    )
    if done.returncode:
        raise UnavailableError(f"the demo's script ended with {done.returncode}: {done.stderr.strip()}")
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    receipts = _decisions(folder)[before:]
    if len(calls) != len(receipts):
        raise UnavailableError(f"{len(calls)} calls and {len(receipts)} decisions: something was not recorded")
    return [
        Row(**call, receipt=receipt, reached=_reached(services.seen, call)) for call, receipt in zip(calls, receipts, strict=True)
    ]


def _reached(seen: Counter[tuple[str, str, str]], call: Mapping[str, str]) -> int:
    url = urlsplit(call["url"])
    return seen[call["method"], url.netloc, url.path]


def _decisions(folder: Path) -> list[dict[str, object]]:
    lines = _outgate(folder, "log", "--json").stdout.splitlines()
    return [receipt for receipt in map(json.loads, lines) if receipt["type"] == "decision"]


def _cells(row: Row, *, enforce: bool) -> tuple[str, ...]:
    action = row.receipt["actions"][0]  # type: ignore[index]  # our own receipts: a decision on a request has an action
    tier = f"T{action['tier']}" if action["mapped"] else "?"
    return _sent(row), action["name"], tier, str(row.receipt["answer" if enforce else "would"]), _saw(row.reached)


def _sent(row: Row, width: int = 29) -> str:
    """Method, host and as much of the path's end as fits."""
    url = urlsplit(row.url)
    whole = f"{row.method} {url.netloc}{url.path}"
    if len(whole) <= width:
        return whole
    head = f"{row.method} {url.netloc}/…"
    return head + whole[len(head) - width :]


def _saw(count: int) -> str:
    return {0: "nothing", 1: "1 request"}.get(count, f"{count} requests")


def _write_config(folder: Path, services: Services) -> None:
    lines = ["outgate: settings/v1alpha", f"services: [{HERE / 'crm.yaml'}]", "destinations:"]
    lines += [f"  {name}: {{address: '{services.address}', ca: {services.ca_file}}}" for name in NAMES]
    (folder / "config.yaml").write_text("\n".join(lines) + "\n")


def _tamper(logs: Path) -> None:
    for segment in sorted(logs.glob("*/*.jsonl"), reverse=True):
        text = segment.read_bytes()
        if b'"answer":"block"' in text:
            segment.write_bytes(text.replace(b'"answer":"block"', b'"answer":"allow"', 1))
            return
    raise UnavailableError("the log holds no blocked request to change")


def _outgate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "OUTGATE_STATE": str(folder / "state"), "NO_COLOR": "1", "COLUMNS": "80"}
    command = [sys.executable, "-m", "outgate", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
