"""outgate.notify.webhook"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from outgate.errors import ConfigError
from outgate.notify.message import Message
from outgate.notify.webhook import SIGNATURE, Webhook

SECRET = b"0123456789abcdef0123456789abcdef"
HOOK = Webhook(url="https://hooks.example.com/outgate?team=ops", secret=SECRET)
MESSAGE = Message(
    approval="abcd-efgh-2345", agent="coder", actions=("crm.delete_all",), tier=3, rules=("r",), asks=("1 of *",), expires="then"
)
README = (Path(__file__).parents[3] / "proxy/outgate/notify/README.md").read_text()


def verify():
    """The function that the README gives to whoever gets a webhook."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    found: dict = {}
    exec(code, found)
    return found["is_ours"]


def test_a_message_is_json_with_a_name_for_each_delivery():
    post = HOOK.post(MESSAGE, 1_700_000_000)
    assert json.loads(post.body) == MESSAGE.fields
    assert (post.url, post.headers["Outgate-Delivery"]) == (HOOK.url, "abcd-efgh-2345")
    assert post.body.isascii(), "what is not ASCII is escaped"


def test_whoever_has_the_secret_verifies_it_as_documented():
    now = int(time.time())
    post = HOOK.post(MESSAGE, now)
    said, is_ours = post.headers[SIGNATURE], verify()
    assert said.startswith(f"t={now},v1=")
    assert is_ours(SECRET, said, post.body)
    assert not is_ours(b"another secret of this length", said, post.body)
    assert not is_ours(SECRET, said, post.body.replace(b"T3", b"T0"))
    assert not is_ours(SECRET, said.replace(f"t={now}", f"t={now - 1}"), post.body)


def test_one_that_is_old_is_not_new():
    post = HOOK.post(MESSAGE, int(time.time()) - 4000)
    assert not verify()(SECRET, post.headers[SIGNATURE], post.body)


def test_a_short_secret_is_none():
    with pytest.raises(ConfigError, match="openssl rand"):
        Webhook(url="https://hooks.example.com", secret=b"hunter2")


def test_a_secret_is_in_no_text():
    assert "0123456789" not in repr(HOOK)


def test_every_field_is_explained():
    assert [key for key in MESSAGE.fields if f"`{key}`" not in README] == []
