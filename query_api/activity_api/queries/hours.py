"""A time range as the rollups see it: whole hours inside, rows at the two edges."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from activity_api.queries.filter import Parameters, micros

_HOUR = timedelta(hours=1)
# What toStartOfHour can answer is a DateTime: 32 bits of seconds.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2106, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HourRange:
    """`[start, end)`, of which `[first_hour, last_hour)` are whole hours; None is without end.

    Together `hours` and `edges` hold each moment of the range once.
    """

    start: datetime | None
    end: datetime | None
    first_hour: datetime | None
    last_hour: datetime | None

    @classmethod
    def of(cls, start: datetime | None, end: datetime | None) -> Self | None:
        """None where nothing is to be split: no end at all, or no whole hour inside."""
        first = None if start is None else _clamped(_ceil(start))
        last = None if end is None else _clamped(_floor(end))
        if first is last is None or (first is not None and last is not None and first >= last):
            return None
        return cls(start, end, first, last)

    @property
    def hours(self) -> str:
        """The condition on the whole hours, in the words of the projections' key."""
        parts = []
        if self.first_hour is not None:
            parts.append("toStartOfHour(timestamp) >= {first_hour:DateTime('UTC')}")
        if self.last_hour is not None:
            parts.append("toStartOfHour(timestamp) < {last_hour:DateTime('UTC')}")
        return " AND ".join(parts)

    @property
    def edges(self) -> str:
        """The condition on the rest."""
        # All DateTime64: of a comparison with a DateTime, `< 05:00:00`, the key analysis of
        # ClickHouse 26.9 makes `<= 04:59:59`, and the fractions of that second are lost.
        parts = []
        if self.first_hour is not None:
            parts.append(
                "timestamp >= {start_time:DateTime64(6, 'UTC')}"
                " AND timestamp < {first_hour:DateTime64(6, 'UTC')}"
            )
        if self.last_hour is not None:
            parts.append(
                "timestamp >= {last_hour:DateTime64(6, 'UTC')}"
                " AND timestamp < {end_time:DateTime64(6, 'UTC')}"
            )
        return "(" + " OR ".join(parts) + ")"

    @property
    def parameters(self) -> Parameters:
        """Of both conditions."""
        values: Parameters = {}
        for name, time in (("start_time", self.start), ("end_time", self.end)):
            if time is not None:
                values[name] = micros(time)
        for name, hour in (("first_hour", self.first_hour), ("last_hour", self.last_hour)):
            if hour is not None:
                values[name] = f"{hour:%Y-%m-%d %H:%M:%S}"
        return values


def _floor(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _ceil(time: datetime) -> datetime:
    floor = _floor(time)
    return floor if floor == time else floor + _HOUR


def _clamped(time: datetime) -> datetime:
    return min(max(time, _FIRST), _LAST)
