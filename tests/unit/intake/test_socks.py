"""outgate.intake.socks"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.intake import socks
from outgate.intake.destination import canonical_host
from outgate.intake.socks import Answer, Asked, Bad, Greeting, Login

GREETING = b"\x05\x02\x00\x02"
LOGIN = b"\x01\x02me\x03key"
NAMED = b"\x05\x01\x00\x03\x08API.test\x01\xbb"
V4 = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"
V6 = b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50"


@pytest.mark.parametrize(
    ("read", "message", "found"),
    [
        (socks.greeting, GREETING, Greeting(methods=b"\x00\x02", size=4)),
        (socks.greeting, b"\x05\x00", Greeting(methods=b"", size=2)),
        (socks.login, LOGIN, Login(name=b"me", token=b"key", size=8)),
        (socks.login, b"\x01\x00\x00", Login(name=b"", token=b"", size=3)),
        (socks.asked, NAMED, Asked(host="api.test", port=443, size=15)),
        (socks.asked, V4, Asked(host="127.0.0.1", port=80, size=10)),
        (socks.asked, V6, Asked(host="::1", port=80, size=22)),
    ],
)
def test_a_message_is_read_once_it_is_whole_and_what_follows_is_left(read, message, found):
    assert [read(message[:cut]) for cut in range(len(message))] == [None] * len(message)
    assert read(message) == read(message + b"more") == found


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"\x05\x02\x00\x03\x01", Answer.NO_SUCH_COMMAND),
        (b"\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50", Answer.NO_SUCH_COMMAND),
        (b"\x05\x01\x00\x05\x01", Answer.NO_SUCH_ADDRESS),
        (b"\x05\x01\x01\x01\x01", Answer.FAILED),
        (b"\x04", Answer.FAILED),
        (b"\x05\x01\x00\x03\x00\x01\xbb", Answer.NOT_ALLOWED),
        (b"\x05\x01\x00\x03\x05[::1]\x01\xbb", Answer.NOT_ALLOWED),
        (b"\x05\x01\x00\x03\x01a\x00\x00", Answer.NOT_ALLOWED),
    ],
)
def test_what_may_not_be_asked_for_has_its_answer(message, answer):
    found = socks.asked(message)
    assert isinstance(found, Bad)
    assert found.answer is answer


def test_a_token_is_in_no_message_that_is_shown():
    assert "key" not in repr(socks.login(LOGIN))


@given(st.binary(max_size=600))
def test_whatever_comes_nothing_raises_and_no_more_is_waited_for_than_a_message_takes(data):
    for read, longest in ((socks.greeting, 257), (socks.login, 513), (socks.asked, 262)):
        found = read(data)
        assert found is not None or len(data) < longest


@given(st.binary(min_size=1, max_size=255), st.integers(0, 65535))
def test_a_name_that_is_accepted_is_the_one_that_a_tunnel_would_have(name, port):
    found = socks.asked(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2))
    assert isinstance(found, (Asked, Bad))
    if isinstance(found, Asked):
        assert found.host == canonical_host(name.decode("ascii"))
        assert found.port == port > 0
