"""outgate.cli.before"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from receipts_made import NOW, action, decision, open_journal, outcome

from outgate.cli.before import MOST_LAST, MOST_LOGS, before
from outgate.intake.agents import Agent
from outgate.policy.effect import Effect

if TYPE_CHECKING:
    from pathlib import Path

SINCE = NOW - timedelta(days=12)


async def wrote(state: Path, writer: str = "w1", *, agent: str = "coder", minutes: int = 0) -> None:
    journal = open_journal(state, writer)
    at = NOW + timedelta(minutes=minutes)
    asks = Agent(id=agent, since=SINCE)
    await journal.append(outcome(await journal.append(decision(at=at, agent=asks))))
    await journal.append(decision(Effect.BLOCK, at=at + timedelta(seconds=5), agent=asks))
    await journal.close()


def test_of_an_agent_that_nobody_saw_nothing_is_known(tmp_path: Path):
    found = before(tmp_path, "coder")
    assert (found.answers.total(), found.first, found.since, list(found.last)) == (0, "", "", [])


async def test_it_counts_answers_of_this_agent_in_all_logs(tmp_path: Path):
    await wrote(tmp_path)
    await wrote(tmp_path, "w2", minutes=1)
    await wrote(tmp_path, "w3", agent="other")
    found = before(tmp_path, "coder")
    assert found.answers == {"allow": 2, "block": 2}
    assert found.first == "2026-01-31T08:00:00.123Z"
    assert found.since.startswith("2026-01-19")
    assert found.whole


async def test_it_shows_the_last_actions_the_newest_last(tmp_path: Path):
    for number in range(4):
        await wrote(tmp_path, f"w{number}", minutes=9 - number)
    found = before(tmp_path, "coder")
    assert len(found.last) == MOST_LAST
    assert [at for at, _, _ in found.last] == sorted(at for at, _, _ in found.last)
    assert found.last[-1] == ("2026-01-31T08:09:05.123Z", "block", "github.repos/get acme/site")


async def test_more_actions_are_counted(tmp_path: Path):
    journal = open_journal(tmp_path, "w1")
    await journal.append(decision(Effect.BLOCK, verdicts=_verdicts(3)))
    await journal.close()
    assert before(tmp_path, "coder").last[-1][2].endswith(" +2")


def _verdicts(count: int):
    from receipts_made import decided

    return decided(Effect.BLOCK, *[action()] * count).verdicts


async def test_of_many_logs_the_newest_are_read_and_that_is_said(tmp_path: Path):
    for number in range(MOST_LOGS + 2):
        await wrote(tmp_path, f"w{number:02}", minutes=number)
    found = before(tmp_path, "coder")
    assert found.answers.total() == 2 * MOST_LOGS
    assert not found.whole


async def test_a_line_that_is_no_receipt_is_passed_over(tmp_path: Path):
    await wrote(tmp_path)
    path = next((tmp_path / "log").rglob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"answer":"allow"', b'"answer":"allow', 1))
    assert before(tmp_path, "coder").answers == {"block": 1}
