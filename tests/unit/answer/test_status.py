"""outgate.answer.status"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from approvals_made import NOW, PEOPLE, approval, signed, vote
from asked import asked

from outgate.answer.status import approval_page, not_found
from outgate.approvals.approval import State
from outgate.approvals.quorum import judge

ASKED = approval()
ALICE, BOB = vote(ASKED, "alice"), vote(ASKED, "bob")


def page(*votes, accept: str = "*/*", method: str = "GET", now=NOW, used=None):
    of = signed(replace(ASKED, used=used), *votes)
    request = asked(f"{method} http://outgate.internal/approvals/{of.id}", headers={"accept": accept})
    return approval_page(of, judge(of, PEOPLE, now), request)


def test_it_says_where_it_stands_in_numbers():
    said = json.loads(page(ALICE).body)
    assert said["id"] == ASKED.id
    assert said["state"] == "pending"
    assert said["signatures"] == [{"need": 2, "have": 1}]
    assert (said["asked"], said["expires"]) == ("2026-01-31T08:00:00Z", "2026-02-01T08:00:00Z")


@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
def test_it_names_nobody(accept: str):
    text = page(ALICE, accept=accept).body.decode()
    assert not [name for name in (*PEOPLE.by_name, "finance", "ops", "big-payments") if name in text]


@pytest.mark.parametrize(
    ("votes", "how", "state", "retry"),
    [
        ((), {}, State.PENDING, True),
        ((ALICE, BOB), {}, State.GRANTED, True),
        ((vote(ASKED, "alice", deny=True),), {}, State.DENIED, False),
        ((), {"now": NOW + timedelta(days=2)}, State.EXPIRED, True),
        ((ALICE, BOB), {"used": NOW}, State.USED, True),
    ],
    ids=lambda one: str(one) if isinstance(one, State) else "",
)
def test_every_state_says_what_to_do(votes, how, state: State, retry: bool):
    reply = page(*votes, **how)
    said = json.loads(reply.body)
    assert (reply.status, said["state"], said["retry"]) == (200, state.value, retry)
    assert said["message"]
    assert ("Retry-After" in dict(reply.headers)) is (state is State.PENDING)


def test_that_the_time_is_over_is_said_not_to_be_a_denial():
    assert "no denial" in json.loads(page(now=NOW + timedelta(days=2)).body)["message"]


def test_nothing_may_keep_it():
    for reply in (page(), not_found(asked("GET http://outgate.internal/approvals/x"))):
        assert dict(reply.headers)["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; charset=utf-8"),
        ("application/xhtml+xml, text/html", "text/plain; charset=utf-8"),
        ("image/png", "application/json"),
        ("", "application/json"),
    ],
)
def test_it_comes_as_json_or_to_who_asks_for_text_as_text(accept: str, kind: str):
    assert dict(page(accept=accept).headers)["Content-Type"] == kind


def test_head_gets_no_body():
    assert page(method="HEAD").body == b""
    assert not_found(asked("HEAD http://outgate.internal/approvals/x")).body == b""


def test_what_is_not_there_says_nothing_of_what_was_asked():
    replies = {not_found(asked(f"GET http://outgate.internal/approvals/{name}")) for name in ("abcd-efgh-2345", "x")}
    assert len(replies) == 1
    assert replies.pop().status == 404
