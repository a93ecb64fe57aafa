"""outgate.notify.notifier"""

from __future__ import annotations

import json
import queue
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from posted import taking

from outgate.notify.notifier import DOING, EVERY, MOST, WAITING, Means, Notifier
from outgate.notify.ntfy import Ntfy
from outgate.notify.webhook import Webhook
from outgate.telemetry.tally import Observers, Tally

SECRET = b"0123456789abcdef"


def about(n=0):
    return {
        "approval": f"abcd-efgh-{'abcdefghijklmnopqrstuvwxyz234567'[n // 32]}{'abcdefghijklmnopqrstuvwxyz234567'[n % 32]}aa",
        "tier": 2,
    }


@dataclass
class World:
    """Time that a test moves on, and what was counted and complained of, as it comes."""

    at: float = 1_700_000_000.0
    counts: queue.Queue = field(default_factory=queue.Queue)
    alarms: queue.Queue = field(default_factory=queue.Queue)

    def means(self, tls=None, backoff=(0.0, 0.0)):
        return Means(
            now=lambda: self.at,
            jitter=lambda: 0.5,
            tls=lambda _: tls or ssl.create_default_context(),
            counted=lambda to, result: self.counts.put((to, result)),
            alarm=self,
            backoff=backoff,
        )

    def raise_for(self, error, doing):
        self.alarms.put((str(error), doing))

    def counted(self):
        return self.counts.get(timeout=20)


@contextmanager
def notifying(world, *places, **means):
    notifier = Notifier(places, world.means(**means))
    notifier.start()
    try:
        yield notifier
    finally:
        notifier.close()


def test_every_place_is_told_of_a_new_approval_over_tls():
    world = World()
    with taking(tls=True) as taker:
        places = Webhook(url=f"{taker.url}/hook", secret=SECRET), Ntfy(url=taker.url, topic="ops")
        with notifying(world, *places, tls=taker.tls) as notifier:
            notifier.noted("approval-asked", "coder", about())
            came = {one.path: one for one in (taker.next(), taker.next())}
            assert {world.counted(), world.counted()} == {("webhook", "sent"), ("ntfy", "sent")}
    assert json.loads(came["/hook"].body)["approval"] == about()["approval"]
    assert came["/hook"].headers["outgate-signature"].startswith("t=1700000000,v1=")
    assert came["/ops"].headers["priority"] == "high"


@pytest.mark.parametrize("what", ["approval-granted", "start", "halt", "decision"])
def test_nothing_else_is_told(what):
    with taking() as taker, notifying(World(), Webhook(url=taker.url, secret=SECRET)) as notifier:
        notifier.noted(what, "coder", about(1))
        notifier.noted("approval-asked", "coder", about(2))
        assert json.loads(taker.next().body)["approval"] == about(2)["approval"]


def test_it_is_an_observer_like_the_others():
    world = World()
    with taking() as taker, notifying(world, Webhook(url=taker.url, secret=SECRET)) as notifier:
        both = Observers((Tally(), notifier))
        both.waited("coder", "held", 1.0)
        both.noted("approval-asked", "coder", about())
        assert taker.next().path == "/"


def test_what_fails_for_now_is_tried_again_under_the_same_name():
    world = World()
    with taking(503, 500) as taker, notifying(world, Webhook(url=taker.url, secret=SECRET)) as notifier:
        notifier.noted("approval-asked", "coder", about())
        came = [taker.next() for _ in range(3)]
        assert world.counted() == ("webhook", "sent")
    assert len({one.headers["outgate-delivery"] for one in came}) == 1
    assert world.alarms.empty()


def test_what_fails_every_time_is_counted_and_complained_of_and_the_next_goes_out():
    world = World()
    with taking(503, 503, 503) as taker, notifying(world, Webhook(url=taker.url, secret=SECRET)) as notifier:
        notifier.noted("approval-asked", "coder", about(1))
        notifier.noted("approval-asked", "coder", about(2))
        assert [world.counted(), world.counted()] == [("webhook", "failed"), ("webhook", "sent")]
    error, doing = world.alarms.get_nowait()
    assert "answered 503" in error
    assert doing == DOING


def test_what_is_refused_is_not_tried_again():
    world = World()
    with taking(401) as taker, notifying(world, Webhook(url=taker.url, secret=SECRET)) as notifier:
        notifier.noted("approval-asked", "coder", about())
        assert world.counted() == ("webhook", "failed")
        taker.next()
        assert taker.came.empty()


def test_one_place_that_is_gone_holds_up_no_other():
    world = World()
    with taking() as taker:
        gone = Webhook(url="http://127.0.0.1:9/", secret=SECRET)
        with notifying(world, gone, Ntfy(url=taker.url, topic="t"), backoff=(600.0,)) as notifier:
            notifier.noted("approval-asked", "coder", about(1))
            notifier.noted("approval-asked", "coder", about(2))
            assert [taker.next().path, taker.next().path] == ["/t", "/t"]


def test_who_asked_never_waits_and_what_is_too_much_is_dropped_and_said():
    """Nobody takes anything: the couriers were not started."""
    world = World()
    notifier = Notifier((Webhook(url="http://127.0.0.1:9/", secret=SECRET),), world.means())
    for n in range(WAITING + 3):
        notifier.noted("approval-asked", f"agent-{n}", about(n))
    assert [world.counts.get_nowait() for _ in range(3)] == [("webhook", "dropped")] * 3
    assert world.counts.empty()
    notifier.close()


def test_of_one_agent_people_are_told_so_often_and_then_how_much_they_missed():
    world = World()
    with taking() as taker, notifying(world, Webhook(url=taker.url, secret=SECRET)) as notifier:
        for n in range(MOST + 7):
            notifier.noted("approval-asked", "coder", about(n))
        notifier.noted("approval-asked", "other", about(900))
        told = [json.loads(taker.next().body) for _ in range(MOST + 1)]
        # one that was not taken in time is told again behind the others
        assert sorted(one["agent"] for one in told) == ["coder"] * MOST + ["other"], "another agent's are told"
        world.at += EVERY
        notifier.noted("approval-asked", "coder", about(901))
        assert json.loads(taker.next().body)["further"] == 7


def test_what_waits_when_the_gate_stops_is_tried_once_more():
    world = World()
    with taking() as taker:
        notifier = Notifier((Webhook(url=taker.url, secret=SECRET),), world.means())
        for n in range(5):
            notifier.noted("approval-asked", "coder", about(n))
        notifier.start()
        notifier.close()
        assert [taker.next() for _ in range(5)]


def test_a_stop_does_not_wait_for_the_next_try():
    world = World()
    with taking(503) as taker:
        with notifying(world, Webhook(url=taker.url, secret=SECRET), backoff=(600.0,)) as notifier:
            notifier.noted("approval-asked", "coder", about())
            taker.next()
        assert world.counted() == ("webhook", "failed")


def test_without_a_place_nothing_is_kept():
    world = World()
    with notifying(world) as notifier:
        notifier.noted("approval-asked", "coder", about())
    assert world.counts.empty()
