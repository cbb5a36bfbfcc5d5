"""Hours and edges hold each moment of a range once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from activity_api.queries.hours import HourRange

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

moments = st.integers(0, 6 * 3600 * 10**6).map(
    lambda micros: START + timedelta(microseconds=micros)
)
ends = st.none() | moments | st.sampled_from([START + n * HOUR for n in range(7)])


@given(start=ends, end=ends, moment=moments)
def test_every_moment_once(start: datetime | None, end: datetime | None, moment: datetime) -> None:
    hour_range = HourRange.of(start, end)
    inside = (start is None or start <= moment) and (end is None or moment < end)
    if hour_range is None:
        whole = start is not None and end is not None and _hours_between(start, end)
        assert not whole
        return
    first, last = hour_range.first_hour, hour_range.last_hour
    hour = moment.replace(minute=0, second=0, microsecond=0)
    in_hours = (first is None or first <= hour) and (last is None or hour < last)
    in_edges = (start is not None and first is not None and start <= moment < first) or (
        end is not None and last is not None and last <= moment < end
    )
    assert in_hours + in_edges == inside


def _hours_between(start: datetime, end: datetime) -> bool:
    return any(start <= START + n * HOUR and START + (n + 1) * HOUR <= end for n in range(6))


def test_what_no_datetime_holds_is_an_edge() -> None:
    hour_range = HourRange.of(START, datetime(2200, 1, 1, tzinfo=UTC))
    assert hour_range is not None
    assert hour_range.last_hour == datetime(2106, 1, 1, tzinfo=UTC)
