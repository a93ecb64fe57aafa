from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from outgate.policy.hours import Hours, clock, days

LONDON = ZoneInfo("Europe/London")


def hours(spans, start, end, zone=LONDON):
    return Hours(days=days(spans), start=clock(start), end=clock(end), zone=zone)


OFFICE = hours(["mon-fri"], "08:00", "19:00")
NIGHT = hours(["fri"], "22:00", "06:00")
ALL_DAY = hours(["wed"], "00:00", "24:00")


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2026-01-07T07:59:59Z", False),
        ("2026-01-07T08:00:00Z", True),
        ("2026-01-07T18:59:59Z", True),
        ("2026-01-07T19:00:00Z", False),
        ("2026-01-10T12:00:00Z", False),
        ("2026-07-07T07:30:00Z", True),
        ("2026-07-07T18:30:00Z", False),
        ("2026-01-07T12:00:00+05:00", False),
    ],
)
def test_hours_go_by_the_wall_clock_of_their_zone(when, holds):
    assert OFFICE.has(datetime.fromisoformat(when)) is holds


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2026-01-09T21:59:00Z", False),
        ("2026-01-09T22:00:00Z", True),
        ("2026-01-10T05:59:00Z", True),
        ("2026-01-10T06:00:00Z", False),
        ("2026-01-09T05:00:00Z", False),
        ("2026-01-10T23:00:00Z", False),
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_start_on(when, holds):
    assert NIGHT.has(datetime.fromisoformat(when)) is holds


def test_a_whole_day_is_all_of_it_and_no_other():
    assert ALL_DAY.has(datetime(2026, 1, 7, 0, 0, tzinfo=UTC))
    assert ALL_DAY.has(datetime(2026, 1, 7, 23, 59, 59, tzinfo=UTC))
    assert not ALL_DAY.has(datetime(2026, 1, 8, 0, 0, tzinfo=UTC))
    assert not ALL_DAY.has(datetime(2026, 1, 6, 23, 59, tzinfo=UTC))


def test_an_hour_that_happens_twice_is_in_both_times():
    late = hours(["sun"], "01:00", "02:00")
    assert late.has(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert late.has(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_days_are_spans_that_may_go_over_the_weekend():
    assert days(["mon-wed"]) == {0, 1, 2}
    assert days(["fri-mon"]) == {4, 5, 6, 0}
    assert days(["sat", "tue"]) == {5, 1}


def test_a_clock_is_four_digits():
    assert clock("09:05") == time(9, 5)
    for wrong in ("9:05", "24:01", "12:60", "noon"):
        with pytest.raises(ValueError, match="write 08:00"):
            clock(wrong)
