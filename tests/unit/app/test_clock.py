from datetime import UTC, datetime

from outgate.app.clock import DISTRUST, SystemClock


class Machine:
    def __init__(self):
        self.wall, self.boot, self.told = 1_700_000_000.0, 50.0, []
        self.looks = 0
        self.clock = SystemClock(wall=self.look, boot=lambda: self.boot, stepped=self.told.append)

    def look(self):
        self.looks += 1
        return self.wall

    def steady(self):
        self.clock.now()
        return self.clock.steady()

    def go_on(self, seconds):
        self.wall += seconds
        self.boot += seconds


def test_it_tells_the_time_in_utc():
    assert Machine().clock.now() == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_clock_that_goes_on_is_steady():
    machine = Machine()
    machine.go_on(86_400)
    assert machine.steady()
    assert machine.told == []


def test_a_small_step_is_told_and_the_clock_stays_steady():
    machine = Machine()
    machine.wall += 4
    assert machine.steady()
    assert machine.told == [4.0]


def test_a_large_step_either_way_is_not_relied_on_for_a_while():
    for step in (3600, -3600):
        machine = Machine()
        machine.wall += step
        assert not machine.steady()
        assert machine.told == [step]
        machine.go_on(DISTRUST + 1)
        assert machine.steady()


def test_whether_it_is_steady_is_said_of_the_time_that_was_told():
    machine = Machine()
    machine.clock.now()
    looks = machine.looks
    assert machine.clock.steady()
    assert machine.looks == looks
