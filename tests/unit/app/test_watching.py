"""outgate.app.watching: a real switch on disk; what is cut and what is written down is kept here."""

from __future__ import annotations

import asyncio

import pytest

from outgate.app.clock import SystemClock
from outgate.app.watching import ClockWatch, SwitchWatch, halted_by_scope
from outgate.errors import UnavailableError
from outgate.halt import Halt, Halts, Scope, written
from outgate.intake.agents import Agent
from outgate.stores.switch import FILE, SwitchFile

MAILER = Halt(scope=Scope.AGENT, name="mailer", why="strange mails", by="alice")
STRIPE = Halt(scope=Scope.SERVICE, name="stripe")
ALL = Halt(scope=Scope.ALL)


class Carrier:
    """An engine's traffic: who does what now. What is cut is gone."""

    def __init__(self, *under_way):
        self.under_way = list(under_way)
        self.cuts = 0

    def cut(self, covers):
        gone = [one for one in self.under_way if covers(*one)]
        self.under_way = [one for one in self.under_way if one not in gone]
        self.cuts += 1
        return len(gone)


class Notebook:
    def __init__(self):
        self.events = []
        self.broken = False
        self.arrived = asyncio.Event()

    async def note(self, what, agent, about):
        if self.broken:
            raise UnavailableError("the log can't be written")
        self.events.append((what, about))
        self.arrived.set()


class Alarm:
    def __init__(self):
        self.told = []

    def raise_for(self, error, doing):
        self.told.append((doing, str(error)))


class World:
    def __init__(self, state):
        self.state = state
        self.people = SwitchFile.open(state)
        self.carrier = Carrier(
            (Agent(id="mailer"), frozenset({"ses"})),
            (Agent(id="mailer"), frozenset({"stripe"})),
            (Agent(id="coder"), frozenset({"stripe"})),
            (Agent(id="coder"), frozenset({"github"})),
        )
        self.notes, self.alarm, self.again = Notebook(), Alarm(), 0
        self.watch = SwitchWatch(
            switch=SwitchFile.open(state), engine=self.carrier, again=self._again, notes=self.notes, alarm=self.alarm
        )

    def _again(self):
        self.again += 1

    @property
    def left(self):
        return [(agent.id, *services) for agent, services in self.carrier.under_way]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "state")


async def test_a_new_halt_cuts_what_it_covers_at_once_and_is_written_down_then(world):
    world.people.halt(MAILER)
    world.watch.look()
    assert world.left == [("coder", "stripe"), ("coder", "github")]
    await world.watch.settled()
    ((what, about),) = world.notes.events
    assert what == "cut"
    assert (about["scope"], about["name"], about["why"], about["by"], about["cut"]) == (
        "agent",
        "mailer",
        "strange mails",
        "alice",
        2,
    )


async def test_a_halted_service_cuts_that_service_alone(world):
    world.people.halt(STRIPE)
    world.watch.look()
    assert world.left == [("mailer", "ses"), ("coder", "github")]


async def test_what_is_halted_is_cut_once_so_that_later_requests_are_told_why(world):
    world.people.halt(MAILER)
    world.watch.look()
    world.watch.look()
    assert world.carrier.cuts == 1


async def test_what_waits_is_decided_again_when_something_changed_and_only_then(world):
    world.watch.look()
    assert world.again == 0
    world.people.halt(MAILER)
    world.watch.look()
    world.people.resume(Scope.AGENT, "mailer")
    world.watch.look()
    assert world.again == 2


async def test_a_resume_is_written_down(world):
    world.people.halt(ALL)
    world.watch.look()
    world.people.resume(Scope.ALL)
    world.watch.look()
    await world.watch.settled()
    assert [what for what, _ in world.notes.events] == ["cut", "resumed"]
    assert world.watch.said() == {"halts": [], "problem": ""}


async def test_who_asks_is_told_what_each_halt_cut_whoever_looked_first(world):
    world.people.halt(STRIPE)
    world.watch.look()
    world.people.halt(MAILER)
    world.watch.look()
    assert [(one["name"], one["cut"]) for one in world.watch.said()["halts"]] == [("stripe", 2), ("mailer", 1)]


async def test_a_log_that_is_gone_holds_up_no_halt(world):
    world.notes.broken = True
    world.people.halt(ALL)
    world.watch.look()
    await world.watch.settled()
    assert world.left == []
    assert world.alarm.told == [("recording 'cut'", "the log can't be written")]


async def test_a_file_that_is_spoilt_is_told_once_and_what_was_halted_stays_so(world):
    world.people.halt(MAILER)
    world.watch.look()
    (world.state / FILE).write_text("?")
    world.watch.look()
    world.watch.look()
    assert [doing for doing, _ in world.alarm.told] == ["reading the switch"]
    assert [one["name"] for one in world.watch.said()["halts"]] == ["mailer"]
    assert "can't be relied on" in world.watch.said()["problem"]
    (world.state / FILE).write_bytes(written(Halts((MAILER,))))
    world.watch.look()
    (world.state / FILE).write_text("?")
    world.watch.look()
    assert len(world.alarm.told) == 2


async def test_what_is_halted_as_a_gate_begins_is_written_down(tmp_path):
    SwitchFile.open(tmp_path).halt(MAILER)
    world = World(tmp_path)
    world.watch.begin()
    await world.watch.settled()
    assert world.notes.events == [("halted", {"halts": ["agent mailer"], "all": 1})]
    assert world.carrier.cuts == 0


async def test_the_watch_outlives_what_goes_wrong_in_one_look_and_cuts_with_the_next(world):
    real, failures = world.carrier.cut, []

    def failing(covers):
        if not failures:
            failures.append(1)
            raise RuntimeError("a defect")
        return real(covers)

    world.carrier.cut = failing
    watching = asyncio.create_task(world.watch.watch(every=0.0))
    world.people.halt(MAILER)
    await world.notes.arrived.wait()
    watching.cancel()
    assert world.alarm.told == [("watching the switch", "a defect")]
    assert world.left == [("coder", "stripe"), ("coder", "github")]


def test_halts_are_counted_by_scope(tmp_path):
    switch = SwitchFile.open(tmp_path)
    counts = halted_by_scope(switch)
    switch.halt(MAILER)
    switch.halt(Halt(scope=Scope.AGENT, name="coder"))
    switch.halt(ALL)
    assert {scope.value: count() for scope, count in counts.items()} == {"agent": 2, "team": 0, "service": 0, "all": 1}


class Machine:
    """A wall clock that can be set, and one that nobody sets."""

    def __init__(self):
        self.wall, self.boot = 1_800_000_000.0, 50.0

    def clock(self):
        return SystemClock(wall=lambda: self.wall, boot=lambda: self.boot)


@pytest.mark.parametrize(("seconds", "large"), [(2.5, False), (-2.5, False), (3600.0, True), (-7.0, True)])
async def test_a_step_of_the_clock_is_written_down_and_a_large_one_alarms(seconds, large):
    machine, notes, alarm = Machine(), Notebook(), Alarm()
    watch = ClockWatch(clock=machine.clock(), notes=notes, alarm=alarm)
    watching = asyncio.create_task(watch.watch(every=0.0))
    machine.wall += seconds
    await notes.arrived.wait()
    watching.cancel()
    assert notes.events == [("clock-stepped", {"milliseconds": round(seconds * 1000), "large": large})]
    assert [doing for doing, _ in alarm.told] == (["reading the clock"] if large else [])


async def test_a_step_that_another_thread_notices_is_written_down():
    machine, notes = Machine(), Notebook()
    clock = machine.clock()
    watch = ClockWatch(clock=clock, notes=notes, alarm=Alarm())
    machine.wall += 60
    await asyncio.to_thread(clock.now)
    watching = asyncio.create_task(watch.watch())
    await notes.arrived.wait()
    watching.cancel()
    assert notes.events == [("clock-stepped", {"milliseconds": 60_000, "large": True})]


async def test_a_step_that_can_not_be_written_down_is_told():
    notes, alarm = Notebook(), Alarm()
    notes.broken = True
    await ClockWatch(clock=Machine().clock(), notes=notes, alarm=alarm).told(2.0)
    assert alarm.told == [("recording a step of the clock", "the log can't be written")]
