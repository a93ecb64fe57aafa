"""outgate.policy.agent_form"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from outgate.intake.agents import Agent
from outgate.policy.agent_form import facts_of, moment


def test_what_is_said_is_what_the_agent_is():
    said = {"team": "finance", "owner": "alice", "permissions": ["pay"], "labels": {"trust": "trusted"}}
    agent = Agent(id="mailer", **facts_of(said))
    assert (agent.team, agent.owner, agent.permissions, dict(agent.labels)) == (
        "finance",
        "alice",
        frozenset({"pay"}),
        {"trust": "trusted"},
    )


def test_one_permission_stands_without_brackets():
    assert facts_of({"permissions": "pay"})["permissions"] == frozenset({"pay"})


def test_nothing_said_is_nothing_granted():
    assert Agent(id="a", **facts_of({})) == Agent(id="a")


def test_a_date_begins_in_utc_and_a_time_is_where_it_says():
    assert moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert moment("2026-01-31T08:00:00+01:00") == datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize("text", ["2026-02-30", "2026-01-31T08:00:00", "yesterday", "2026-01-31Tnoon"])
def test_a_time_that_can_be_two_is_none(text):
    with pytest.raises(ValueError, match="Write a date"):
        moment(text)
