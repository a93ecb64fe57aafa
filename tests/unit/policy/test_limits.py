"""The arithmetic of limits."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from outgate.policy.limits import Limit, Window, rate

LONDON = ZoneInfo("Europe/London")
T = 1_700_000_000_000_000


def test_counts_in_short_windows_are_rates_and_everything_else_is_a_quota():
    assert Limit(amount=60, unit="count", window=Window.MINUTE).is_rate
    assert not Limit(amount=60, unit="count", window=Window.DAY).is_rate
    assert not Limit(amount=60, unit="tokens", window=Window.MINUTE).is_rate


def test_a_day_is_by_the_wall_clock_of_the_zone_also_when_the_clocks_change():
    day = Limit(amount=1, unit="count", window=Window.DAY, zone=LONDON)
    start, end = day.period(datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert (start, end) == (datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 3, 29, 23, tzinfo=UTC))
    start, end = day.period(datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    assert (start, end) == (datetime(2026, 7, 1, 23, tzinfo=UTC), datetime(2026, 7, 2, 23, tzinfo=UTC))


def test_the_hour_that_comes_twice_when_summer_ends_is_two_hours():
    hour = Limit(amount=1, unit="tokens", window=Window.HOUR, zone=LONDON)
    for start in (datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)):
        assert hour.period(start + timedelta(minutes=30)) == (start, start + timedelta(hours=1))


def test_weeks_begin_on_monday_and_months_and_years_on_their_first_day():
    now = datetime(2026, 12, 31, 5, tzinfo=UTC)
    week, month, year = (Limit(amount=1, unit="count", window=w).period(now) for w in (Window.WEEK, Window.MONTH, Window.YEAR))
    assert week == (datetime(2026, 12, 28, tzinfo=UTC), datetime(2027, 1, 4, tzinfo=UTC))
    assert month == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert year == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@given(st.integers(946_684_800, 4_102_444_800), st.sampled_from(Window), st.sampled_from([UTC, LONDON]))
def test_every_moment_is_in_its_period(moment, window, zone):
    now = datetime.fromtimestamp(moment, UTC)
    start, end = Limit(amount=1, unit="tokens", window=window, zone=zone).period(now)
    assert start <= now < end
    assert end - start <= timedelta(days=366)


def test_a_burst_passes_at_once_and_then_one_at_a_time():
    limit = Limit(amount=60, unit="count", window=Window.MINUTE, burst=3)
    tat = None
    for _ in range(3):
        taken = rate(limit, tat, T, 1)
        assert taken.allowed
        tat = taken.tat
    refused = rate(limit, tat, T, 1)
    assert (refused.allowed, refused.wait, refused.left) == (False, 1_000_000, 0)
    assert rate(limit, tat, T + 1_000_000, 1).allowed


@given(st.integers(1, 300), st.sampled_from([Window.SECOND, Window.MINUTE, Window.HOUR]), st.lists(st.integers(1, 40)))
def test_a_burst_fits_in_whatever_parts_and_never_one_more_though_a_microsecond_can_not_be_divided(amount, window, parts):
    limit, tat, taken = Limit(amount=amount, unit="count", window=window), None, 0
    for part in [*parts, *([1] * (amount + 1))]:
        found = rate(limit, tat, T, part)
        assert found.allowed is (taken + part <= amount)
        tat, taken = found.tat, taken + (part if found.allowed else 0)
        assert found.left == amount - taken


def test_more_than_the_burst_never_fits():
    limit = Limit(amount=60, unit="count", window=Window.MINUTE, burst=3)
    assert rate(limit, None, T, 4).wait is None
    assert not rate(limit, None, T, 4).allowed
    assert rate(limit, None, T, 4, forced=True).allowed


@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(1, 5)), max_size=60), st.integers(1, 20), st.integers(1, 100))
def test_no_more_than_burst_and_the_rate_is_ever_let_through(steps, burst, amount):
    limit = Limit(amount=amount, unit="count", window=Window.MINUTE, burst=burst)
    now, tat, let = T, None, 0
    for pause, wanted in steps:
        now += pause
        taken = rate(limit, tat, now, wanted)
        if taken.allowed:
            let += wanted
        tat = taken.tat
        assert let <= burst + (now - T) * amount / 60_000_000 + 1e-6
