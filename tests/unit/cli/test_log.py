"""outgate.cli.log"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receipts_made import NOW, decided, decision, open_journal, outcome
from typer.testing import CliRunner

from outgate.app.record import record
from outgate.cli.log import app
from outgate.errors import ConfigError
from outgate.intake.agents import Agent
from outgate.policy.effect import Effect
from outgate.receipts.receipt import Result, event_body
from outgate.stores.logs import new_writer

if TYPE_CHECKING:
    from outgate.stores.files import FileJournal


def shown(state: Path, *arguments: str) -> list[str]:
    result = CliRunner().invoke(app, ["--state", str(state), *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output.splitlines()


async def wrote(state: Path, writer: str = "w1", *, at: datetime = NOW) -> FileJournal:
    journal = open_journal(state, writer)
    await journal.append(event_body("start", at, None, {"policy": "coding-agent"}))
    await journal.append(outcome(await journal.append(decision(at=at)), at=at))
    await journal.append(decision(Effect.BLOCK, at=at + timedelta(seconds=5), agent=Agent(id="other")))
    return journal


async def test_each_decision_is_a_line_the_newest_last(tmp_path: Path) -> None:
    await (await wrote(tmp_path)).close()
    lines = shown(tmp_path)
    assert lines[0].startswith("--- ")
    assert [line[9:].split()[0] for line in lines[1:]] == ["start", "allow", "block"]
    assert all(len(line) <= 80 for line in lines)


async def test_all_writers_are_merged_by_time(tmp_path: Path) -> None:
    for hours in (0, 1):
        await (await wrote(tmp_path, new_writer(NOW + timedelta(hours=hours), bytes(4)), at=NOW + timedelta(hours=hours))).close()
    times = [line[:8] for line in shown(tmp_path) if not line.startswith("---")]
    assert len(times) == 6
    assert times == sorted(times) or times[0] > times[-1]


async def test_filters_choose(tmp_path: Path) -> None:
    await (await wrote(tmp_path)).close()
    assert len(shown(tmp_path, "--agent", "other")) == 2
    assert len(shown(tmp_path, "--answer", "block")) == 2
    assert len(shown(tmp_path, "--action", "github.*")) == 3
    for nothing in (("--action", "stripe.*"), ("--since", "1s")):
        assert shown(tmp_path, *nothing) == [f"outgate: nothing of that is in {tmp_path / 'log'}"]
    assert len(shown(tmp_path, "--since", "2026-01-31T08:00:03+00:00")) == 2


async def test_what_enforcing_would_stop_is_counted(tmp_path: Path) -> None:
    journal = await wrote(tmp_path)
    observed = decided(would=Effect.BLOCK).verdicts
    for _ in range(3):
        await journal.append(outcome(await journal.append(decision(verdicts=observed, would=Effect.BLOCK))))
    await journal.close()
    lines = shown(tmp_path, "--would")
    assert lines[0].startswith("5 decisions, 2026-01-31 08:00 to ")
    assert lines[1] == "had everything been enforced, 3 would have been stopped, of 1 agent:"
    assert lines[2].split() == ["3", "x", "block", "policy", "github.repos/get", "coder"]
    assert lines[3].strip().startswith("2026-01-31 08:00:00 w1-4 GET api.github.com/repos/acme/site")
    assert "2 decisions" not in shown(tmp_path, "--would", "--agent", "other")[0]
    assert "nothing more would have been stopped" in shown(tmp_path, "--would", "--agent", "other")[1]
    assert {json.loads(line)["type"] for line in shown(tmp_path, "--would", "--json")} == {"decision", "outcome"}


async def test_what_a_mock_answered_is_given_with_its_outcome(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    mocked = {**decision(Effect.SANDBOX), "mock": {"service": "github", "scheme": "http", "host": "mock.test", "port": 1}}
    await journal.append(outcome(await journal.append(mocked), Result.MOCKED))
    await journal.close()
    assert [json.loads(line)["type"] for line in shown(tmp_path, "--json", "--answer", "sandbox")] == ["decision", "outcome"]
    assert " mocked " in shown(tmp_path)[1]


async def test_json_is_the_receipts_as_they_are(tmp_path: Path) -> None:
    journal = await wrote(tmp_path)
    await journal.close()
    stored = (journal.folder / "000000000000.jsonl").read_text().splitlines()
    assert shown(tmp_path, "--json") == [line for line in stored if not line.startswith('{"checkpoint"')]


async def test_json_gives_the_outcomes_of_the_decisions_that_are_wanted(tmp_path: Path) -> None:
    await (await wrote(tmp_path)).close()
    assert [json.loads(line)["type"] for line in shown(tmp_path, "--json", "--answer", "allow")] == ["decision", "outcome"]


def test_where_nothing_was_logged_yet_it_is_said(tmp_path: Path) -> None:
    assert shown(tmp_path) == [f"outgate: {tmp_path / 'log'} is empty, begin with: outgate run -- CMD…"]
    assert shown(tmp_path, "--json") == []


def test_a_time_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'yesterday' is no time: use 10m"):
        shown(tmp_path, "--since", "yesterday")


async def test_a_spoilt_line_is_told_and_the_rest_shown(tmp_path: Path) -> None:
    journal = await wrote(tmp_path)
    await journal.close()
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"type":"start"', b'"type":"start'))
    lines = shown(tmp_path)
    assert any("run outgate verify" in line for line in lines)
    assert any("github.repos/get" in line for line in lines)


def test_following_shows_what_one_command_after_the_other_adds_to_a_log(tmp_path: Path) -> None:
    record(tmp_path, "halt", {"n": 0})
    command = [sys.executable, "-c", "from outgate.cli.log import app; app()", "-f", "--state", str(tmp_path), "--json"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "proxy")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as following:
        assert following.stdout is not None
        for n in range(3):
            assert json.loads(following.stdout.readline())["about"] == {"n": n}
            record(tmp_path, "halt", {"n": n + 1})
        following.send_signal(signal.SIGINT)


async def test_following_shows_what_comes_line_by_line_and_of_writers_that_begin_later(tmp_path: Path) -> None:
    journal = await wrote(tmp_path)
    command = [sys.executable, "-c", "from outgate.cli.log import app; app()", "-f", "--state", str(tmp_path), "--json"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "proxy")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as following:
        assert following.stdout is not None
        assert [json.loads(following.stdout.readline())["type"] for _ in range(4)] == ["start", "decision", "outcome", "decision"]
        await journal.append(event_body("around", NOW, None, {}))
        assert json.loads(following.stdout.readline())["type"] == "around"
        later = open_journal(tmp_path, "w2")
        await later.append(event_body("start", NOW, None, {"second": True}))
        assert json.loads(following.stdout.readline())["about"] == {"second": True}
        following.send_signal(signal.SIGINT)
        assert following.wait() == 130
    await journal.close()
    await later.close()


async def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for _ in range(500):
        journal.append(decision(Effect.BLOCK))
    await journal.close()
    script = f"{sys.executable} -c 'from outgate.cli.log import app; app()' --state {tmp_path} --json | head -n 1"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "proxy")}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=environ)
    assert done.stderr == ""
