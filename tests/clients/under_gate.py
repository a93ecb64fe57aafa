"""Programs under `outgate run`: how they are started, what they said, and whether the record agrees with the world."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients.everything import CORPORATE

from outgate.stores.logs import all_receipts, log_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.lookalikes import LookAlikes

AGENTS = Path(__file__).parent / "agents"
PROGRAMS = Path(sys.executable).parent
OUTGATE = PROGRAMS / "outgate"
PYTHON = Path(sys.executable)

ALLOW_ALL = """
outgate: policy/v1alpha
policy: clients
mode: enforce
otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
"""


def fresh_login(work: Path) -> dict[str, str]:
    """What a fresh login has: no proxies, no certificates, no indexes of this machine's."""
    return {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(work / "home"),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "npm_config_globalconfig": str(work / "home" / "npmrc"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a run."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines: what most of the agents here print."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def own(self) -> str:
        """The agent's standard error: what stands between our first block and our last."""
        assert self.opening, self.stderr
        assert self.summary, self.stderr
        return self.stderr[len(self.opening) : -len(self.summary)]

    @property
    def opening(self) -> str:
        """What we say before the agent."""
        found = re.match(r"outgate  .*\n(?:         .*\n)*", self.stderr)
        return found[0] if found else ""

    @property
    def summary(self) -> str:
        """What we say after the agent."""
        found = re.search(r"(?:^|\n)(outgate  [^\n]*\n(?:         [^\n]*\n)*)\Z", self.stderr[len(self.opening) :])
        return found[1] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision's receipt with the outcome that it came to, if any."""

    fields: Mapping[str, Any]
    outcome: Mapping[str, Any] | None

    @property
    def answer(self) -> str:
        return self.fields["answer"]

    @property
    def sent(self) -> str:
        return self.fields["request"].get("sent", "")

    @property
    def lets_out(self) -> bool:
        return self.fields["pin"] is not None or "mock" in self.fields

    @property
    def result(self) -> str:
        return self.outcome["result"] if self.outcome else ""

    @property
    def line(self) -> str:
        request = self.fields["request"]
        return f"{request.get('method')} {request['host']}{request.get('path')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Starts programs under one state folder, whose real hosts are the look-alikes."""

    folder: Path
    work: Path
    environment: dict[str, str]
    services: LookAlikes
    policies: list[Path] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    """What the operator says besides where hosts are."""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def policy(self, *rules: str) -> Path:
        """Write a policy that allows everything but what these rules (YAML flow tables) say."""
        path = self.folder / f"policy-{len(self.policies)}.yaml"
        path.write_text(ALLOW_ALL + "rules:\n" + "".join(f"  - {rule}\n" for rule in rules) if rules else ALLOW_ALL)
        self.policies.append(path)
        return path

    def command(self, agent: Sequence[object], *options: object) -> list[str]:
        """The whole command line: the agent's own stands unchanged at its end."""
        own = ("--config", self._config(), "--share", AGENTS)  # a checkout may stand in /tmp, which is private inside
        return [str(part) for part in (OUTGATE, "run", *own, *options, "--", *agent)]

    def run(self, *agent: object, options: Sequence[object] = (), env: Mapping[str, str] | None = None, stdin: str = "") -> Ran:
        done = subprocess.run(
            self.command(agent, *options),
            env=self.env(env),
            cwd=self.work,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return Ran(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return self.environment | {"OUTGATE_STATE": str(self.state)} | dict(more or {})

    def decisions(self) -> list[Decided]:
        """Everything that was decided under this state folder, with its outcomes."""
        receipts = list(all_receipts(log_folder(self.state)))
        outcomes = {
            (r.fields["of"]["writer"], r.fields["of"]["seq"]): r.fields for r in receipts if r.fields["type"] == "outcome"
        }
        return [
            Decided(fields=r.fields, outcome=outcomes.get((r.writer, r.seq))) for r in receipts if r.fields["type"] == "decision"
        ]

    def events(self, what: str) -> list[Mapping[str, Any]]:
        return [r.fields for r in all_receipts(log_folder(self.state)) if r.fields["type"] == what]

    def agrees(self) -> None:
        """The oracle: what the world saw is what was let out, the record of it verifies, and nothing went wrong inside."""
        assert self.services.malformed == []
        alarms = self.state / "outgate.log"
        assert not alarms.exists() or alarms.read_text() == ""
        decisions = self.decisions()
        assert [one.line for one in decisions if one.lets_out != bool(one.outcome)] == [], (
            "one outcome each, for what was let out"
        )
        seen = self.services.digests()
        gone = Counter(one.sent for one in decisions if one.result in {"executed", "unknown", "withheld"})
        surely = Counter(one.sent for one in decisions if one.result in {"executed", "withheld"})
        assert seen <= gone, f"reached the world without a decision: {self._told(seen - gone)}"
        assert surely <= seen, "recorded as executed, and nobody saw it"
        if log_folder(self.state).exists():
            done = subprocess.run(
                [str(OUTGATE), "verify"], env=self.env(), capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr

    def _told(self, digests: Counter[str]) -> list[str]:
        return [seen.line for seen in self.services.seen if seen.digest in digests]

    def _config(self) -> Path:
        path = self.folder / "config.yaml"
        place = {"address": self.services.address, "ca": str(self.services.ca_file)}
        places = dict.fromkeys((name for name in self.services.names if name != CORPORATE), place) | {
            "plain.test": {"address": self.services.plain_address}
        }
        places |= {name: {"address": address, "ca": place["ca"]} for name, address in self.services.elsewhere.items()}
        path.write_text(json.dumps({"outgate": "settings/v1alpha", "destinations": places, **self.settings}))  # JSON is YAML
        return path
