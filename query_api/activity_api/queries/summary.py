"""The summary: its SQL, and the answer."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.hours import HourRange
from activity_api.queries.query import Query
from activity_api.queries.totals import settings_of
from activity_schemas.answers import ActivitySummary

# An event without a resource type: the counts of by_resource add up to total_requests.
NO_RESOURCE = "unknown"

# Both of 128 bits, and as text: a JSON parser would make doubles of them. Durations are summed as
# whole nanoseconds, which has one result in any order; what no event may last counts as 0. The
# rollups have the same expression (migration 0006), else none of them would fit.
_NANOSECONDS = "sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6)))"
_SUMS = (
    "SELECT action, resource_type, count() AS requests, countIf(success) AS successful,"
    f" toString({_NANOSECONDS}) AS nanoseconds, toString(sum(tokens)) AS tokens_used"
)
_FORMAT = "\nFORMAT JSONCompactEachRow"


def last_hours(filter_: ActivityFilter, hours: int, now: datetime) -> ActivityFilter:
    """The filter of the time range `[now - hours, now)`."""
    return replace(filter_, start_time=now - timedelta(hours=hours), end_time=now)


def summary_of(filter_: ActivityFilter) -> Query:
    """Sums by action and resource type over the filter's time range: whole hours from a rollup,
    rows at the edges. Where no rollup fits the filter, the engine reads the rows of both."""
    hour_range = HourRange.of(filter_.start_time, filter_.end_time)
    if hour_range is None:
        return Query(
            f"{_sums(filter_.where_in_time)}\n{settings_of(filter_)}{_FORMAT}", filter_.parameters
        )
    sql = f"""\
{_sums(f"{filter_.where} AND {hour_range.hours}")}
UNION ALL
{_sums(f"{filter_.where} AND {hour_range.edges}")}
{settings_of(filter_)}{_FORMAT}"""
    return Query(sql, {**filter_.parameters, **hour_range.parameters})


def _sums(where: str) -> str:
    return f"{_SUMS}\nFROM events\nWHERE {where}\nGROUP BY action, resource_type"


def read_summary(body: bytes, filter_: ActivityFilter) -> ActivitySummary:
    """Add up what `summary_of` brought: a handful of rows, six actions by the resource types."""
    requests = successful = tokens = nanoseconds = 0
    by_action: Counter[str] = Counter()
    by_resource: Counter[str] = Counter()
    for line in body.splitlines():
        # The table's text may be any bytes, past the consumer.
        action, resource_type, count, good, took, used = orjson.loads(line.decode(errors="replace"))
        # int(): older ClickHouse quotes 64-bit numbers.
        requests += int(count)
        successful += int(good)
        nanoseconds += int(took)
        tokens += int(used)
        by_action[action] += int(count)
        by_resource[resource_type or NO_RESOURCE] += int(count)
    return ActivitySummary(
        total_requests=requests,
        successful_requests=successful,
        failed_requests=requests - successful,
        avg_duration_ms=round(nanoseconds / (requests * 1_000_000), 3) if requests else 0,
        total_tokens_used=tokens,
        by_action=dict(by_action.most_common()),
        by_resource=dict(by_resource.most_common()),
        start_time=_iso(filter_.start_time),
        end_time=_iso(filter_.end_time),
    )


def _iso(time: datetime | None) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" if time else ""
