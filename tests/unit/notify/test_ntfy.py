"""outgate.notify.ntfy"""

from __future__ import annotations

from dataclasses import replace

import pytest

from outgate.errors import ConfigError
from outgate.notify.message import Message
from outgate.notify.ntfy import Ntfy

MESSAGE = Message(
    approval="abcd-efgh-2345", agent="coder", actions=("crm.delete_all",), tier=3, rules=("r",), asks=("1 of *",), expires="then"
)


def test_a_message_goes_to_its_topic_with_title_priority_and_tag():
    post = Ntfy(url="https://ntfy.example/", topic="approvals").post(MESSAGE, 0)
    assert post.url == "https://ntfy.example/approvals"
    assert post.headers["Title"] == "coder waits for approval (T3)"
    assert (post.headers["Priority"], post.headers["Tags"]) == ("urgent", "raised_hand")
    assert {"Click", "Authorization"} & post.headers.keys() == set()
    assert post.body == MESSAGE.text.encode()


@pytest.mark.parametrize(("tier", "priority"), [(3, "urgent"), (2, "high"), (1, "default"), (0, "default")])
def test_the_tier_says_how_urgent_it_is(tier, priority):
    assert Ntfy(url="https://ntfy.example", topic="t").post(replace(MESSAGE, tier=tier), 0).headers["Priority"] == priority


def test_a_token_and_a_link_are_sent_where_there_are_any():
    place = Ntfy(url="https://ntfy.example", topic="t", token="tk_secret", click="https://gate.example/approvals/{approval}")
    headers = place.post(MESSAGE, 0).headers
    assert headers["Authorization"] == "Bearer tk_secret"
    assert headers["Click"] == "https://gate.example/approvals/abcd-efgh-2345"
    assert "tk_secret" not in repr(place)


def test_a_name_puts_no_header_of_its_own_in():
    title = Ntfy(url="https://ntfy.example", topic="t").post(replace(MESSAGE, agent="a\r\nX: y ü"), 0).headers["Title"]
    assert title == "a??X: y ? waits for approval (T3)"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"topic": "a/b"}, "is no topic"),
        ({"topic": ""}, "is no topic"),
        ({"url": "ntfy.example"}, "is no place"),
        ({"token": "two\nlines"}, "not one line"),
        ({"url": "http://ntfy.example", "token": "tk"}, "use https"),
        ({"click": "javascript:alert(1)"}, "is no place"),
    ],
)
def test_what_can_not_be_one_is_said_so(said, wrong):
    with pytest.raises(ConfigError, match=wrong):
        Ntfy(**{"url": "https://ntfy.example", "topic": "t", **said})
