"""outgate.notify.message"""

from __future__ import annotations

import json
from typing import Any

import pytest

from outgate.notify.message import MOST_ACTIONS, message_of

ABOUT: dict[str, Any] = {
    "approval": "abcd-efgh-2345",
    "actions": ["crm.delete_all", "github.repos/delete acme/site"],
    "tier": 3,
    "rules": ["two-people"],
    "panels": [{"name": "finance", "need": 2, "of": ["alice", "bob", "group:ops"]}],
    "expires": "2026-01-31T08:00:00.000Z",
}
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


def test_people_read_what_who_until_when_and_what_to_type():
    assert message_of("coder", ABOUT).text.splitlines() == [
        "crm.delete_all",
        "github.repos/delete acme/site",
        "asks 2 of alice, bob, group:ops",
        "until 2026-01-31T08:00:00.000Z",
        "outgate approve abcd-efgh-2345",
    ]


def test_programs_get_the_same_as_fields():
    assert message_of("coder", ABOUT).fields == {
        "type": "approval-asked",
        "approval": "abcd-efgh-2345",
        "status": "pending",
        "agent": "coder",
        "actions": ABOUT["actions"],
        "tier": "T3",
        "rules": ["two-people"],
        "asks": ["2 of alice, bob, group:ops"],
        "expires": ABOUT["expires"],
        "further": 0,
    }


@pytest.mark.parametrize("approval", [None, 7, "", "../../x", "abcd-efgh-2345; rm -rf", "ABCD-EFGH-2345"])
def test_what_nobody_could_approve_is_not_told(approval):
    assert message_of("coder", ABOUT | {"approval": approval}) is None


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nb: c", "\u202egnp", TOKEN, f"x {TOKEN} y", "x" * 9000])
def test_hostile_text_and_credentials_do_not_get_through(hostile):
    said = ABOUT | {"actions": [hostile], "rules": [hostile], "expires": hostile, "panels": [{"need": 1, "of": [hostile]}]}
    message = message_of(hostile, said)
    shown = [*message.actions, *message.rules, *message.asks, message.agent, message.expires]
    assert all(one.isprintable() and len(one) <= 250 and TOKEN not in one for one in shown)
    assert TOKEN not in message.text + json.dumps(message.fields)


def test_of_many_actions_the_first_are_said_and_the_rest_counted():
    message = message_of("coder", ABOUT | {"actions": [f"a.b{n}" for n in range(40)]})
    assert len(message.actions) == MOST_ACTIONS + 1
    assert message.actions[-1] == "and 30 more"


@pytest.mark.parametrize("odd", [None, 7, "text", {"a": 1}, [None, 7, {}]])
def test_what_is_odd_is_left_out_never_an_error(odd):
    message = message_of("coder", {"approval": "abcd-efgh-2345", "actions": odd, "panels": odd, "tier": odd})
    assert message.tier in {3, 7}, "what is not known is the worst"
    assert "outgate approve abcd-efgh-2345" in message.text
