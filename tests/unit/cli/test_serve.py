"""outgate.cli.serve: how it reads. What it does is tried whole, in tests/faults/test_serve.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outgate.app.serve import ServeReport, Serving
from outgate.cli.serve import app, closing_lines, opening_lines
from outgate.intake.listening import listener_of

SERVING = Serving(
    listeners=(listener_of("127.0.0.1:3128"), listener_of("127.0.0.1:8081", "mailer")),
    policy="coding-agent",
    enforcing=True,
    agents=12,
    revoked=1,
    agents_file=Path("/etc/outgate/agents.yaml"),
    ca="ab" * 32,
    ca_until=datetime(2028, 6, 1, tzinfo=UTC),
    ca_ends_soon=False,
    state=Path("/var/lib/outgate"),
)


def said(serving: Serving) -> str:
    lines = list(opening_lines(serving, "serves"))
    assert max(map(len, lines)) <= 80, lines
    return "\n".join(lines)


def test_who_reads_it_knows_where_under_what_and_what_agents_must_set():
    text = said(SERVING)
    assert "outgate serves 12 agents (1 revoked), policy coding-agent, enforcing" in text
    assert "127.0.0.1:8081         mailer, whoever connects" in text
    assert "HTTPS_PROXY=http://NAME:TOKEN@127.0.0.1:3128" in text
    assert text.count("ab" * 16) == 2
    assert "only observed" not in text


def test_what_needs_somebody_is_said():
    assert "nobody may come in yet: /etc/outgate/agents.yaml" in said(replace(SERVING, agents=0))
    assert "outgate ca rotate --prepare" in said(replace(SERVING, ca_ends_soon=True))
    assert "nobody can approve yet (outgate people add): /etc/p.yaml" in said(replace(SERVING, people_file=Path("/etc/p.yaml")))
    assert "only observed" in said(replace(SERVING, enforcing=False))
    assert "made at the first start" in said(replace(SERVING, ca="", ca_until=None))
    assert "proxy.corp:3128" in said(replace(SERVING, via="http://proxy.corp:3128"))


def test_where_every_listener_is_somebodys_own_no_token_is_spoken_of():
    assert "TOKEN" not in said(replace(SERVING, listeners=SERVING.listeners[1:]))


def test_the_end_says_why_and_who_was_cut_off():
    ended = ServeReport(signal="SIGTERM", seconds=61.2, cut=0)
    assert list(closing_lines(ended)) == ["outgate ended on SIGTERM after 61 s"]
    assert "2 clients cut off" in next(closing_lines(replace(ended, cut=2)))
    assert "could not be written" in list(closing_lines(replace(ended, lost="the disk is full")))[-1]


@pytest.mark.parametrize("enforce", [False, True])
def test_a_check_says_what_would_be(tmp_path, monkeypatch, enforce):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    result = CliRunner().invoke(app, ["--check", "--policy", "deny-all", *(["--enforce"] if enforce else [])])
    assert result.exit_code == 0, result.output
    assert "outgate would serve 0 agents, policy deny-all" in result.output
