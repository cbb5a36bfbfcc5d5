"""Which hours hold the newest events of a filter: asked of the rollup, together with the total."""

from dataclasses import replace

from query_api.filter import ActivityFilter

# How many of an hour's events the filter means. Status is a difference of sums to the rollups.
NUMBERS = {None: "count()", True: "countIf(success)", False: "count() - countIf(success)"}

#: Of the rows: in one of those hours.
IN_NEWEST_HOURS = "toStartOfHour(timestamp) IN seen.2"


def helps(of: ActivityFilter) -> bool:
    """The rollup knows all that is asked. Of a time range it would know the hours inside only."""
    return of.rolled_up and not of.by_key_only and of.start_time is of.end_time is None


def total_and_newest_hours(of: ActivityFilter) -> str:
    """A scalar: the total, and the newest hours that hold `rows` events together (or all hours
    that hold any). The page then reads these hours and no others: what is rare in a large org
    costs its few hours, and what is frequent the newest parts, however many the org has."""
    number, others = NUMBERS[of.success], replace(of, success=None)
    return f"""\
SELECT (sum(n), groupArrayIf(hour, n > 0 AND newer < {{rows:UInt16}}))
FROM
(
    SELECT hour, n, sum(n) OVER (ORDER BY hour DESC) - n AS newer
    FROM
    (
        SELECT toStartOfHour(timestamp) AS hour, {number} AS n
        FROM events
        WHERE {others.where}
        GROUP BY hour
    )
)
SETTINGS optimize_use_projections = 1"""  # noqa: S608 - no value is in the text, only placeholders
