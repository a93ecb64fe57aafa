"""The demo, told: what the agent sent, what it is, the answer, and what the service saw."""

from __future__ import annotations

import json
import sys
import tempfile
import textwrap
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outgate.cli.demo.people import Approvers
from outgate.cli.demo.program import config_of, outgate
from outgate.cli.demo.services import Services
from outgate.cli.text import columns
from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

NAMES = ("api.crm.test", "api.pay.test", "paste.test")
HERE = Path(__file__).parent
WIDTH = 80
_HEADS = {
    False: ("what the agent sent", "what it is", "", "would be", "service saw"),
    True: ("what the agent sent", "what it is", "", "answer", "service saw"),
}
"""By whether it is enforced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The same call, once or several times: what it was told each time, beside the receipts that say why."""

    method: str
    url: str
    statuses: tuple[int, ...]
    said: str
    receipts: tuple[Mapping[str, object], ...]
    reached: int

    def answer(self, *, enforce: bool) -> str:
        """The last answer: of a call that is repeated, the one that changes."""
        return str(self.receipts[-1]["answer" if enforce else "would"])


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
            self.say("An unmodified script, an unmodified HTTP client, five kinds of calls. The")
            self.say("services are look-alikes on loopback; everything else is the real thing.")
            self._observe(folder, services)
            self._enforce(folder, services)
            self._prove(folder)
        self.say("")
        self.say("Yours next:   outgate run -- <your agent>")

    def _observe(self, folder: Path, services: Services) -> None:
        self._title("1. Observed: all goes through, and you see what would not have.")
        rows = _rows(folder, services, _run(folder, enforce=False))
        self._table(rows, enforce=False)

    def _enforce(self, folder: Path, services: Services) -> None:
        self._title("2. Enforced: the same script and policy, one more word on the command line.")
        with Approvers.appointed(folder) as approvers:
            rows = _rows(folder, services, _run(folder, enforce=True))
        self._table(rows, enforce=True, people=approvers.told)

    def _title(self, text: str) -> None:
        self.pause()
        self.say("")
        self.say(text)
        self.say("")

    def _table(self, rows: Sequence[Row], *, enforce: bool, people: Sequence[str] = ()) -> None:
        cells = (_cells(row, enforce=enforce) for row in rows)
        table = columns([_HEADS[enforce], *cells], widest=(31, 18, 2, 8, 11))
        for line, row in zip(table, [None, *rows], strict=True):
            self.say("  " + line)
            if row is not None and enforce:
                for told in (*(people if row.answer(enforce=True) == "escalate" else ()), *_detail(row)):
                    self.say("       " + told)

    def _prove(self, folder: Path) -> None:
        self._title("3. The log: every decision and outcome, chained and signed before anything left.")
        self._verify(folder, expect=0)
        self.say("")
        self.say('   Now one word in it is changed, "block" to "allow":')
        self.say("")
        _tamper(folder / "state" / "log")
        self._verify(folder, expect=1)

    def _verify(self, folder: Path, expect: int) -> None:
        done = outgate(folder, "verify")
        self.say("  $ outgate verify")
        for line in (done.stdout + done.stderr).strip().splitlines():
            self.say("  " + line)
        if done.returncode != expect:
            raise UnavailableError(f"outgate verify ended with {done.returncode}, and {expect} was to be expected")


def _run(folder: Path, *, enforce: bool) -> list[dict[str, str]]:
    how = ["--enforce"] if enforce else []
    script = [sys.executable, str(HERE / "agent.py")]
    share = ["--share", str(HERE)]  # an installation may stand in /tmp, which is private inside
    named = ["--agent", "enforced" if enforce else "observed"]  # each has limits of its own
    done = outgate(folder, "run", "--config", str(config_of(folder)), *named, *share, *how, "--", *script)
    if done.returncode:
        raise UnavailableError(f"the demo's script ended with {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _rows(folder: Path, services: Services, calls: Sequence[dict[str, str]]) -> list[Row]:
    receipts = _decisions(folder)[-len(calls) :]
    if len(calls) != len(receipts):
        raise UnavailableError(f"{len(calls)} calls and {len(receipts)} decisions: something was not recorded")
    seen, rows = services.take(), []
    for (method, url), group in groupby(zip(calls, receipts, strict=True), key=lambda pair: (pair[0]["method"], pair[0]["url"])):
        same = list(group)
        rows.append(
            Row(
                method=method,
                url=url,
                statuses=tuple(int(call["status"]) for call, _ in same),
                said=same[-1][0]["said"],
                receipts=tuple(receipt for _, receipt in same),
                reached=_reached(seen, method, url),
            )
        )
    return rows


def _reached(seen: Counter[tuple[str, str, str]], method: str, called: str) -> int:
    url = urlsplit(called)
    return seen[method, url.netloc, url.path]


def _decisions(folder: Path) -> list[dict[str, object]]:
    lines = outgate(folder, "log", "--json").stdout.splitlines()
    return [receipt for receipt in map(json.loads, lines) if receipt["type"] == "decision"]


def _cells(row: Row, *, enforce: bool) -> tuple[str, ...]:
    action = row.receipts[0]["actions"][0]  # type: ignore[index]  # our own receipts: a decision on a request has an action
    tier = f"T{action['tier']}" if action["mapped"] else "?"
    return _sent(row), action["name"], tier, row.answer(enforce=enforce), _saw(row)


def _sent(row: Row) -> str:
    url, times = urlsplit(row.url), len(row.statuses)
    verb = {"DELETE": "DEL"}.get(row.method, row.method)
    return f"{verb:4} {url.netloc}{url.path}" + (f" x {times}" if times > 1 else "")


def _saw(row: Row) -> str:
    times = len(row.statuses)
    if row.reached == 0:
        return "nothing"
    return f"{row.reached} of {times}" if times > 1 else "1 request"


def _detail(row: Row) -> list[str]:
    """What else there is to see of a call that was not simply let out."""
    if row.answer(enforce=True) == "sandbox":
        return [f"a mock answered {row.statuses[-1]}"]
    return textwrap.wrap(f'the script read {row.statuses[-1]}: "{row.said}"', WIDTH - 7) if row.said else []


def _write_config(folder: Path, services: Services) -> None:
    lines = [
        "outgate: settings/v1alpha",
        f"policy: {HERE / 'policy.yaml'}",
        f"services: [{HERE / 'crm.yaml'}, {HERE / 'pay.yaml'}]",
        f"people: {folder / 'people.yaml'}",
        "hold: 60s",
        "destinations:",
        *(f"  {name}: {{address: '{services.address}', ca: {services.ca_file}}}" for name in NAMES),
    ]
    config_of(folder).write_text("\n".join(lines) + "\n")


def _tamper(logs: Path) -> None:
    for segment in sorted(logs.glob("*/*.jsonl"), reverse=True):
        text = segment.read_bytes()
        if b'"answer":"block"' in text:
            segment.write_bytes(text.replace(b'"answer":"block"', b'"answer":"allow"', 1))
            return
    raise UnavailableError("the log holds no blocked request to change")
