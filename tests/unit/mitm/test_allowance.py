"""outgate.mitm.allowance"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outgate.mitm.allowance import HOUR, Allowance, size_of
from outgate.policy.decision import Reason, refusal

SMALL = refusal(Reason.UNREADABLE, "no")


def test_a_whole_allowance_is_there_at_once_and_then_comes_back_evenly():
    allowance = Allowance(bytes=10_240)
    for _ in range(10):
        assert allowance.wait("a", 0.0) == 0
        allowance.spend("a", 1024, 0.0)
    assert allowance.wait("a", 0.0) == HOUR / 10
    assert 0 < allowance.wait("a", HOUR / 20) <= HOUR / 20
    assert allowance.wait("a", HOUR / 10 + 1) == 0
    assert allowance.wait("a", HOUR) == 0


def test_one_agents_refusals_are_not_anothers():
    allowance = Allowance(bytes=1024)
    allowance.spend("a", 4096, 0.0)
    assert allowance.wait("a", 0.0) > 0
    assert allowance.wait("b", 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 600), st.integers(1024, 20_000)), max_size=60))
def test_in_an_hour_no_more_is_written_than_twice_the_allowance_and_one_receipt(steps):
    allowance, now, written = Allowance(bytes=50_000), 0.0, []
    for pause, size in steps:
        now += pause
        if allowance.wait("a", now) == 0:
            allowance.spend("a", size, now)
            written.append((now, size))
    for at, _ in written:
        assert sum(size for then, size in written if at <= then < at + HOUR) <= 2 * 50_000 + 20_000


def test_a_receipt_is_never_guessed_without_bound():
    assert size_of(SMALL, 10) == 1034
    assert size_of(SMALL, 10**9) <= 4096
