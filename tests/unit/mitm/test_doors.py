"""outgate.mitm.doors: how long a refusal takes. Who is let in is tried on the wire, in test_many_agents."""

from __future__ import annotations

import pytest

from outgate.intake.credentials import Denied
from outgate.mitm.doors import Slowing, TurnedAway


def test_each_failure_takes_twice_as_long_up_to_a_bound():
    slowing = Slowing(first=0.5, most=3.0)
    assert [slowing.failed("192.0.2.1", 0.0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert all(slowing.failed("192.0.2.1", 0.0) == 3.0 for _ in range(2000)), "and never more"


def test_another_address_begins_anew_and_a_while_is_enough_to_be_forgotten():
    slowing = Slowing(first=0.5, forgotten=60.0)
    assert slowing.failed("192.0.2.1", 0.0) == 0.5
    assert slowing.failed("192.0.2.2", 0.0) == 0.5
    assert slowing.failed("192.0.2.1", 60.0) == 1.0
    assert slowing.failed("192.0.2.1", 121.0) == 0.5


def test_a_network_of_ipv6_is_one_place():
    slowing = Slowing(first=0.5)
    assert slowing.failed("2001:db8::1", 0.0) == 0.5
    assert slowing.failed("2001:db8::2", 0.0) == 1.0
    assert slowing.failed("2001:db8:0:1::1", 0.0) == 0.5
    assert slowing.failed("fe80::1%eth0", 0.0) == 0.5
    assert [slowing.failed(f"::ffff:192.0.2.{n}", 0.0) for n in (1, 2)] == [0.5, 0.5], "these are addresses of IPv4"
    assert [slowing.failed("", 0.0) for _ in range(2)] == [0.5, 1.0], "a Unix socket has no address, and is one place too"


def test_only_so_many_places_are_remembered():
    slowing = Slowing(known=10)
    for number in range(1000):
        slowing.failed(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(slowing._failed) == 10


@pytest.mark.parametrize("why", Denied)
def test_whatever_the_reason_the_answer_is_whole_and_small(why):
    reply = TurnedAway(why=why, delay=0.0, closes=True).reply()
    known = {Denied.REVOKED: 403, Denied.ELSEWHERE: 403, Denied.CERTIFICATE: 403, Denied.CROWDED: 429}
    assert reply.status == known.get(why, 407)
    assert ("Proxy-Authenticate", 'Basic realm="outgate"') in reply.headers or reply.status != 407
    assert 0 < len(reply.body) < 1024
