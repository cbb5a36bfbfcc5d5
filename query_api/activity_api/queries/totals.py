"""How many events a filter means, and which hours hold the newest of them."""

from dataclasses import dataclass, replace
from typing import Self

from activity_api.queries.filter import ActivityFilter, Parameters
from activity_api.queries.hours import HourRange
from activity_api.queries.query import Query

# Status is a difference of sums to the rollups, which hold how many succeeded: no condition.
_NUMBERS = {None: "count()", True: "countIf(success)", False: "count() - countIf(success)"}

#: Of a page's rows, beside its filter, where a scalar `seen` is `Counted.with_newest_hours`.
IN_NEWEST_HOURS = "toStartOfHour(timestamp) IN seen.2"


def settings_of(filter_: ActivityFilter) -> str:
    """Names the projection: to look at the others costs 1 to 2 ms of CPU each. The first that fits
    is the best for any range: it begins with org and id, and then come the hours."""
    names = ["by_duration"] if filter_.by_duration else filter_.rollups
    if not names:
        return "SETTINGS optimize_use_projections = 0"
    return (
        f"SETTINGS optimize_use_projections = 1, preferred_optimize_projection_name = '{names[0]}'"
    )


def total_of(filter_: ActivityFilter) -> Query:
    """Counts the filter's events; reads rows only where neither key nor rollup has the answer."""
    if filter_.by_key_only:
        # A bound on `timestamp` makes it a range of the table's key, and of such a range the engine
        # knows the count from the index, however large it is.
        bound = (
            ""
            if filter_.start_time or filter_.end_time
            else " AND timestamp >= toDateTime64(0, 6, 'UTC')"
        )
        return Query(
            _count(filter_.where_in_time + bound, settings_of(filter_)), filter_.parameters
        )
    counted = Counted.of(filter_)
    counts = [_count(where, counted.settings, counted.number) for where in counted.parts]
    sql = counts[0] if len(counts) == 1 else "SELECT " + " + ".join(f"({one})" for one in counts)
    return Query(sql, counted.parameters)


def _count(where: str, settings: str, number: str = "count()") -> str:
    return f"SELECT {number} FROM events WHERE {where} {settings}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Counted:
    """The conditions of a filter in parts that exclude each other, and what to count in each."""

    parts: tuple[str, ...]
    number: str
    parameters: Parameters
    settings: str

    @classmethod
    def of(cls, filter_: ActivityFilter) -> Self:
        """Whole hours from a rollup and the rest from rows, where a rollup knows the filter."""
        settings = settings_of(filter_)
        if not filter_.rollups:
            return cls((filter_.where_in_time,), "count()", filter_.parameters, settings)
        number, others = _NUMBERS[filter_.success], replace(filter_, success=None)
        hour_range = HourRange.of(filter_.start_time, filter_.end_time)
        if hour_range is None:
            return cls((others.where_in_time,), number, filter_.parameters, settings)
        parts = (f"{others.where} AND {hour_range.hours}", f"{others.where} AND {hour_range.edges}")
        return cls(parts, number, {**filter_.parameters, **hour_range.parameters}, settings)

    @property
    def with_newest_hours(self) -> str:
        """A scalar: the total, and the newest hours that hold `rows` events together (or all hours
        that hold any). The page then reads these hours and no others: what is rare in a large org
        costs its few hours, and what is frequent the newest parts, however many the org has."""
        by_hour = "\n    UNION ALL\n".join(
            f"    SELECT toStartOfHour(timestamp) AS hour, {self.number} AS n\n"  # noqa: S608
            f"    FROM events\n    WHERE {where}\n    GROUP BY hour"
            for where in self.parts
        )
        # An array and no window function, which costs a third more. Behind 2106, where hours end,
        # both parts of a range may name the same hour; it is there twice then, in neighbours.
        return f"""\
SELECT
(
    sum(n),
    arrayFilter(
        (hour, upto, n) -> upto - n < {{rows:UInt16}},
        (arrayReverseSort(groupArrayIf((hour, n), n > 0)) AS known).1,
        arrayCumSum(known.2),
        known.2
    )
)
FROM
(
{by_hour}
)
{self.settings}"""  # noqa: S608 - no value is in the text, only placeholders
