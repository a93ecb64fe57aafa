"""An operator's day with a server for many agents, as it is typed: real commands, real SSH keys, curl as the agents."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from clients.under_gate import OUTGATE, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clients.lookalikes import LookAlikes

PATIENCE = 60.0
POLICY = """\
outgate: policy/v1alpha
policy: day
mode: enforce
otherwise: {T0: allow, T1: allow, T2: escalate, T3: escalate, unmapped: {read: allow, other: escalate}, to: ops}
approvers:
  ops: {need: 2, of: [group:ops]}
mocks: {default: {answers: canned}}
rules:
  - {id: slowly, match: {host: acks.test}, limit: 1/hour, effect: throttle, tell: Slowly.}
  - {id: money-is-tried-out, match: {service: stripe}, effect: sandbox}
"""


@dataclass(kw_only=True)
class Operator:
    """Somebody at a terminal: a home with settings and keys, a server, and agents who come to it with curl."""

    home: Path
    environment: dict[str, str]
    services: LookAlikes
    port: int = 0
    bundle: str = "outgate-ca.pem"
    tokens: dict[str, str] = field(default_factory=dict)
    server: subprocess.Popen[str] | None = None

    @property
    def config(self) -> Path:
        return self.home / ".config" / "outgate"

    def write(self, name: str, text: str) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        (self.config / name).write_text(text)

    def types(self, *words: str, code: int = 0) -> str:
        """Type a command; its standard output."""
        done = subprocess.run(
            [OUTGATE, *words], env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def reads(self, *words: str, code: int = 0) -> str:
        """Type a command whose output is for people: it fits a terminal."""
        said = self.types(*words, code=code)
        assert [line for line in said.splitlines() if len(line) > 80] == []
        return said

    def key(self, name: str) -> Path:
        path = self.home / ".ssh" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True, timeout=PATIENCE)
        return path

    def starts(self) -> None:
        self.server = subprocess.Popen(
            [OUTGATE, "serve"], env=self.environment, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.server.stdout is not None
        said = ""
        while "ca export" not in said:
            line = self.server.stdout.readline()
            assert line, said
            said += line
        found = re.search(r"127\.0\.0\.1:(\d+) ", said)
        assert found, said
        self.port = int(found[1])

    def curl(self, agent: str, *words: str, token: str = "") -> list[str]:
        """A command line of an agent's. It prints the body, then the status on a line of its own."""
        proxy = f"http://{agent}:{token or self.tokens[agent]}@127.0.0.1:{self.port}"
        patience = str(int(PATIENCE))
        return ["curl", "-sS", "-m", patience, "-x", proxy, "--cacert", self.bundle, "-w", "\n%{http_code}", *words]

    def asks(self, agent: str, *words: str, token: str = "") -> tuple[int, str]:
        """Have an agent ask: the status, or what curl exits with below zero; and the body."""
        with self.asking(agent, *words, token=token) as asking:
            return answer_of(asking)

    @contextlib.contextmanager
    def asking(self, agent: str, *words: str, token: str = "") -> Iterator[subprocess.Popen[str]]:
        """Have an agent ask, and go on meanwhile."""
        line = self.curl(agent, *words, token=token)
        with subprocess.Popen(line, env=self.environment, cwd=self.home, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def waiting(self, what: str) -> str:
        """The id of what waits for people, once it does."""
        return until(lambda: next((one["id"] for one in self.pending() if what in one["statement"]["url"]), ""))

    def pending(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.types("approvals", "--json").splitlines()]

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            [OUTGATE, "status", "--json"], env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def reloaded(self, *, ok: bool) -> dict[str, Any]:
        """What the gate says of the last reload, once it came out so."""

        def look() -> dict[str, Any]:
            reload = self.status()["gates"][0]["reload"]
            return reload if reload and reload["ok"] is ok else {}

        return until(look)


def until[T](look: Callable[[], T]) -> T:
    """What a look gives, once it gives anything."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end
    return found


def answer_of(asking: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = asking.communicate(timeout=PATIENCE)
    body, _, status = said.rpartition("\n")
    return (-asking.returncode if asking.returncode else int(status)), body


@pytest.fixture
def operator(work: Path, environment: dict[str, str], services: LookAlikes) -> Iterator[Operator]:
    ours = {"OUTGATE_STATE": str(work / "state"), "COLUMNS": "80", "NO_COLOR": "1"}
    one = Operator(home=work / "home", environment={**environment, **ours}, services=services)
    places = {name: {"address": services.address, "ca": str(services.ca_file)} for name in services.names}
    settings = {"outgate": "settings/v1alpha", "listen": {"address": "127.0.0.1:0"}, "hold": "50s", "policy": "./day.yaml"}
    one.write("config.yaml", json.dumps({**settings, "destinations": places}))
    one.write("day.yaml", POLICY)
    yield one
    if one.server is not None and one.server.poll() is None:
        one.server.kill()
        one.server.wait()


def test_an_operators_day(operator: Operator, services: LookAlikes, work: Path, environment: dict[str, str]) -> None:
    people_and_agents(operator)
    operator.starts()
    operator.types("ca", "export", "--out", "outgate-ca.pem")
    who_comes_in(operator)
    what_is_slowed_and_what_is_tried_out(operator)
    what_people_are_asked(operator)
    the_switch(operator)
    an_edit_of_the_policy(operator)
    another_ca(operator)
    the_end(operator)
    the_record(operator, Gate(folder=work, work=work, environment=environment, services=services))


def people_and_agents(operator: Operator) -> None:
    said = operator.types("policy", "check", str(operator.config / "day.yaml"))
    assert "2 rules restrict" in said
    operator.reads("serve", "--check", code=2)  # nobody could approve anything
    for name in ("alice", "bob"):
        assert f"{name}: added" in operator.types("people", "add", name, f"{operator.key(name)}.pub", "--group", "ops")
    for name, team in (("mailer", "growth"), ("helper", "support")):
        operator.tokens[name] = json.loads(operator.types("agent", "add", name, "--team", team, "--json"))["token"]
    assert "would serve 2 agents, policy day, enforcing" in operator.reads("serve", "--check")


def who_comes_in(operator: Operator) -> None:
    assert operator.asks("mailer", "https://other.test/hello")[0] == 200
    assert operator.asks("mailer", "https://other.test/hello", token="wrong")[0] == -56  # curl: CONNECT was refused
    assert operator.services.lines("other.test") == ["GET other.test/hello"]


def what_is_slowed_and_what_is_tried_out(operator: Operator) -> None:
    assert [operator.asks("mailer", "https://acks.test/a")[0] for _ in range(2)] == [200, 429]
    made = json.loads(operator.asks("mailer", "https://api.stripe.com/v1/customers", "-d", "email=a@b.test")[1])
    customers = "https://api.stripe.com/v1/customers"
    assert json.loads(operator.asks("mailer", f"{customers}/{made['id']}")[1])["email"] == "a@b.test"
    assert [one["id"] for one in json.loads(operator.asks("mailer", customers)[1])["data"]] == [made["id"]]
    assert operator.services.lines("api.stripe.com") == []


def what_people_are_asked(operator: Operator) -> None:
    """One approved while it is held, one afterwards, and one that is denied."""
    delete = ("-X", "DELETE", "https://api.github.com/repos/acme/{}")
    with operator.asking("mailer", *(word.format("site") for word in delete)) as held:
        asked = operator.waiting("/site")
        assert f"{asked} mailer 0 of 2" in " ".join(operator.reads("status").split())
        assert "on what   acme/site" in operator.reads("approvals", "show", asked)
        for name in ("alice", "bob"):
            said = operator.reads("approve", asked[:6], "--yes", "--key", str(operator.home / ".ssh" / name))
        assert "granted" in said
        assert answer_of(held)[0] == 204
    assert operator.services.lines("api.github.com") == ["DELETE api.github.com/repos/acme/site"]
    later = (*(word.format("later") for word in delete), "-H", "Prefer: wait=0")
    status, body = operator.asks("mailer", *later)
    assert (status, json.loads(body)["approval_id"]) == (403, operator.waiting("/later"))
    operator.reads(
        "deny", json.loads(body)["approval_id"], "--yes", "--why", "Not today.", "--key", str(operator.home / ".ssh/bob")
    )
    assert 'They said: "Not today."' in json.loads(operator.asks("mailer", *later)[1])["detail"]
    again = (*(word.format("site") for word in delete), "-H", "Prefer: wait=0")
    assert operator.asks("mailer", *again)[0] == 403, "a grant is used once"
    asked = operator.waiting("/site")
    for name in ("bob", "alice"):
        operator.reads("approve", asked, "--yes", "--key", str(operator.home / ".ssh" / name))
    assert [operator.asks("mailer", *again)[0] for _ in range(2)] == [204, 403]


def the_switch(operator: Operator) -> None:
    endless = ("--limit-rate", "4M", "-o", os.devnull, "https://download.test/bytes/100000")
    with operator.asking("mailer", *endless) as download, operator.asking("helper", *endless) as other:
        until(lambda: len(operator.services.lines("download.test")) == 2)
        assert "1 cut in the middle" in operator.reads("halt", "--team", "growth", "--why", "it loops")
        assert answer_of(download)[0] in {-18, -56}, "curl: cut off before its end, or reset"
        assert operator.asks("mailer", "https://other.test/halted")[0] == 403
        assert other.poll() is None
        assert "team growth" in operator.reads("status")
        operator.reads("resume", "--team", "growth")
        assert operator.asks("mailer", "https://other.test/resumed")[0] == 200
        operator.types("agent", "revoke", "helper")
        assert answer_of(other)[0] in {-18, -56}, "and who is revoked does not go on either"


def an_edit_of_the_policy(operator: Operator) -> None:
    operator.write("day.yaml", POLICY.replace("effect: sandbox", "effect: sandbx"))
    assert "did you mean 'sandbox'" in " ".join(operator.reloaded(ok=False)["problems"])
    assert "FAILED" in operator.reads("status", code=1)
    assert operator.asks("mailer", "https://other.test/still")[0] == 200
    operator.write("day.yaml", POLICY + "  - {id: no-more, match: {host: other.test}, effect: block, tell: Not any more.}\n")
    operator.reloaded(ok=True)
    assert operator.asks("mailer", "https://other.test/gone")[0] == 403


def another_ca(operator: Operator) -> None:
    """First everybody trusts both, so that nobody notices; and who was not told does."""
    operator.reads("ca", "rotate", "--prepare")
    operator.types("ca", "export", "--out", "both.pem")
    operator.reads("ca", "rotate")
    until(lambda: operator.asks("mailer", "https://modern.test/old")[0] == -60)
    operator.bundle = "both.pem"
    assert operator.asks("mailer", "https://modern.test/new")[0] == 200


def the_end(operator: Operator) -> None:
    assert operator.server is not None
    assert operator.server.stdout is not None
    operator.server.terminate()
    assert "ended on SIGTERM" in operator.server.stdout.read()
    assert operator.server.wait(PATIENCE) == 0


def the_record(operator: Operator, gate: Gate) -> None:
    assert operator.reads("verify").startswith("ok ")
    log = operator.reads("log")
    for said in ("allow", "throttle", "sandbox", "escalate", "approved", "HALT", "NOT taken", "ca", "stop", "mailer added"):
        assert f" {said}" in log, said
    assert "let out then, stopped now" in operator.reads(
        "policy", "replay", "--policy", "deny-all", "--max-new-blocks", "0", code=1
    )
    decisions = gate.decisions()
    assert [one.line for one in decisions if one.lets_out != bool(one.outcome)] == []
    gone = Counter(one.sent for one in decisions if one.result in {"executed", "unknown"} and "mock" not in one.fields)
    assert operator.services.digests() == gone, "what the world saw is what was let out"
