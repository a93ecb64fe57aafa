"""outgate.cli.event_lines"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import outgate
from outgate.cli.event_lines import _KINDS, subject, told

ID = "abcd-efgh-2345"
ASKED = {
    "approval": ID,
    "tier": 3,
    "actions": ["crm.delete_all", "crm.search"],
    "panels": [{"name": "finance", "need": 2, "of": ["alice", "bob", "group:ops"]}, {"name": "ops", "need": 1, "of": ["*"]}],
    "statement": "sha256:00",
}
SIGNED = {
    "approval": ID,
    "agent": "mailer",
    "person": "alice",
    "decision": "approve",
    "state": "pending",
    "said": "",
    "signature": ["x"],
}
KEYS = ("approval", "panels", "actions", "halts", "files", "problems", "scope", "name", "cut", "tier", "milliseconds", "added")
MESSAGE = {"of": "w1-7", "over": "grpc", "sent": True, "size": 12, "rules": ["no-secrets", "small"], "approval": "", "why": "x"}
HALT = {"scope": "agent", "name": "mailer", "why": "spam", "by": "ops", "cut": 3}


@pytest.mark.parametrize(
    ("kind", "about", "word", "said"),
    [
        ("approval-asked", ASKED, "asked", f"{ID} T3 crm.delete_all +1, asks 2 of alice, bob, group:ops and 1 of *"),
        ("approval-signed", SIGNED, "signed", f"{ID} approved by alice, pending now"),
        ("approval-signed", SIGNED | {"decision": "deny", "said": "no!", "state": "denied"}, "signed", f'{ID} denied by alice, denied now: "no!"'),
        ("approval-refused", SIGNED | {"because": "it came late"}, "signed", f"{ID} alice's signature does not count: it came late"),
        ("message-refused", MESSAGE, "message", "grpc message sent, 12 bytes, REFUSED by no-secrets, small, of w1-7"),
        ("message-would", MESSAGE | {"sent": False, "size": 1}, "message", "grpc message received, 1 byte, would be refused by no-secrets, small, of w1-7"),
        ("message-approved", MESSAGE | {"approval": ID, "rules": []}, "message", f"grpc message sent, 12 bytes, let pass by approval {ID}, of w1-7"),
        ("halt", HALT, "HALT", 'agent mailer, by ops: "spam", 3 exchanges cut'),
        ("halt", {"scope": "all", "name": "", "cut": 1}, "HALT", "all, 1 exchange cut"),
        ("resume", {"scope": "team", "name": "ops", "by": "root"}, "resume", "team ops, by root"),
        ("resumed", {"scope": "all"}, "resumed", "all"),
        ("cut", HALT, "cut", '3 exchanges: agent mailer is halted: "spam"'),
        ("halted", {"halts": ["agent a", "all"], "all": 5}, "halted", "as the gate begins: agent a, all and 3 more"),
        (
            "reload",
            {"policy": {"was": "a", "is": "b"}, "files": ["/etc/outgate/policy.yaml"], "gone": 2, "restart": ["listen"]},
            "reload",
            "policy changed, by policy.yaml, 2 clients had to go; needs a restart: listen",
        ),
        ("reload", {"files": [], "gone": 0, "restart": []}, "reload", "nothing else changed, by being told"),
        (
            "reload-refused",
            {"files": ["/etc/p.yaml"], "problems": ["/etc/p.yaml:5: unknown effect 'blok'"], "all": 3},
            "reload",
            "NOT taken, 3 problems: p.yaml:5: unknown effect 'blok'",
        ),
        (
            "reload-refused",
            {"files": ["/etc/p.yaml"], "problems": ["outgate: no policy '/etc/og/p.yaml': there is none"], "all": 1},
            "reload",
            "NOT taken, 1 problem in p.yaml: no policy 'p.yaml': there is none",
        ),
        (
            "people-changed",
            {"did": "add", "person": "alice", "groups": ["ops"], "added": ["SHA256:abcdefghijkl"], "removed": [], "by": "root"},
            "people",
            "add alice (ops) +SHA256:abcdefg, by root",
        ),
        ("agent-added", {"agent": "mailer", "by": "root", "team": "x"}, "agent", "mailer added, by root"),
        ("agent-revoked", {"agent": "mailer", "by": "root"}, "agent", "mailer revoked, by root"),
        ("agent-trusted", {"agent": "mailer", "by": "root"}, "agent", "mailer trusted, by root"),
        ("ca-rotated", {"sha256": "0123456789abcdef", "by": "root", "old": 1}, "ca", "signs from now on 0123456789abcd, by root"),
        ("stranger", {"host": "10.0.0.5", "why": "wrong-token", "claimed": "mailer", "count": 41}, "stranger", "10.0.0.5 wrong-token, as mailer x 41"),
        ("clock-stepped", {"milliseconds": -7250, "large": True}, "clock", "stepped by -7.2 s: until it was steady, rules that ask for the time could not tell"),
        ("clock-stepped", {"milliseconds": 900, "large": False}, "clock", "stepped by +0.9 s"),
        ("tunnel-refused", {"host": "h.test", "port": 22, "detail": "ssh", "count": 1}, "tunnel", "h.test:22 ssh"),
        ("trust-failed", {"host": "h.test", "port": 443, "detail": "unknown ca"}, "untrusted", "h.test:443 unknown ca"),
        ("unrecorded", {"why": "refusals", "count": 9}, "unwritten", "refusals beyond what one agent may have written down x 9"),
        ("ca-renewed", {"was": "f" * 64, "is": "0123456789abcdef"}, "ca", "taken up by the gate 0123456789abcd"),
        ("start", {"program": "serve", "policy": "p", "mode": "enforce", "agents": 1}, "start", "serve: policy p, enforce, 1 agent"),
        ("start", {"program": "python", "policy": "p", "mode": "observe", "fenced": True}, "start", "python: policy p, observe, fenced"),
        ("start", {"program": "sh", "fenced": False, "unfenced": "--no-fence"}, "start", "sh: NOT fenced: --no-fence"),
        ("stop", {"signal": "SIGTERM", "cut": 1}, "stop", "on SIGTERM, 1 client cut off"),
        ("stop", {"code": 3, "around": 2}, "stop", "its command ended with 3, tried to go around x 2"),
        ("log-closed", {"writer": "w1", "size": 1, "stopped": False, "open": 0, "bad": ""}, "closed", "log w1 of 1 receipt"),
        (
            "log-closed",
            {"writer": "w1", "size": 9, "open": 2, "torn": 7, "uncovered": 3, "bad": "receipt 5: no"},
            "closed",
            "log w1 of 9 receipts, BAD: receipt 5: no, of 2 let out nobody knows what became, its last line torn, 3 without a signature",
        ),
        ("something-new", {"program": "serve", "digest": "x", "pid": 7, "listen": []}, "something-new", "program=serve pid=7"),
    ],
)  # fmt: skip
def test_an_event_is_a_word_and_a_sentence(kind: str, about: dict[str, Any], word: str, said: str) -> None:
    assert told(kind, about) == (word, said)


@pytest.mark.parametrize("kind", [*_KINDS, "something-new"])
@pytest.mark.parametrize("about", [{}, {key: [None, {}] for key in KEYS}])
def test_what_is_odd_or_cut_short_is_still_a_line(kind: str, about: dict[str, Any]) -> None:
    word, said = told(kind, about)
    assert word
    assert "\n" not in said


@pytest.mark.parametrize("kind", _KINDS)
def test_a_word_fits_its_column(kind: str) -> None:
    assert len(told(kind, {})[0]) <= 9


def test_an_event_is_about_the_agent_that_it_names() -> None:
    assert subject(HALT) == "mailer"
    assert subject(SIGNED) == "mailer"
    assert subject(HALT | {"scope": "team"}) == ""


NAMED = re.compile(r"""(?:notes\.add|\.note|event_body|\b_note|_noted)\(\s*"([a-z]+(?:-[a-z]+)*)\"""")


def test_every_event_that_the_program_records_is_told_in_words():
    package = Path(outgate.__file__).parent
    named = {kind for path in package.rglob("*.py") for kind in NAMED.findall(path.read_text())}
    assert named >= {"start", "stop", "stranger", "tunnel-refused", "trust-failed", "limit-reached", "reload", "cut"}
    assert named <= set(_KINDS)
