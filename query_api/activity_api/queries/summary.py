"""The summary: its SQL, and the answer."""

import math
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.hours import Window
from activity_api.queries.query import Query
from activity_api.queries.totals import settings_of
from activity_schemas.answers import NOT_FINITE, ActivitySummary

# An event without a resource type: the counts of by_resource add up to total_requests.
NO_RESOURCE = "unknown"

_SUMS = (
    "SELECT action, resource_type, count() AS requests, countIf(success) AS successful,"
    " sum(duration_ms) AS duration, sum(tokens) AS tokens_used"
)
_FORMAT = "\nFORMAT JSONCompactEachRow"


def last_hours(of: ActivityFilter, hours: int, now: datetime) -> ActivityFilter:
    """The filter of the window `[now - hours, now)`."""
    return replace(of, start_time=now - timedelta(hours=hours), end_time=now)


def summary_of(of: ActivityFilter) -> Query:
    """Sums by action and resource type over the filter's time range: whole hours from a rollup,
    rows at the edges. Where no rollup fits the filter, the engine reads the rows of both."""
    window = Window.of(of.start_time, of.end_time)
    if window is None:
        return Query(f"{_sums(of.where_in_time)}\n{settings_of(of)}{_FORMAT}", of.parameters)
    sql = f"""\
{_sums(f"{of.where} AND {window.hours}")}
UNION ALL
{_sums(f"{of.where} AND {window.edges}")}
{settings_of(of)}{_FORMAT}"""
    return Query(sql, {**of.parameters, **window.parameters})


def _sums(where: str) -> str:
    return f"{_SUMS}\nFROM events\nWHERE {where}\nGROUP BY action, resource_type"


def read_summary(body: bytes, of: ActivityFilter) -> ActivitySummary:
    """Add up what `summary_of` brought: a handful of rows, six actions by the resource types."""
    requests = successful = tokens = 0
    duration = 0.0
    by_action: Counter[str] = Counter()
    by_resource: Counter[str] = Counter()
    for line in body.splitlines():
        # The table's text may be any bytes, past the consumer.
        action, resource_type, count, good, took, used = orjson.loads(line.decode(errors="replace"))
        # int(): older ClickHouse quotes 64-bit numbers.
        requests += int(count)
        successful += int(good)
        duration += math.inf if took is None else took  # JSON has no infinity and no NaN
        tokens += int(used)
        by_action[action] += int(count)
        by_resource[resource_type or NO_RESOURCE] += int(count)
    return ActivitySummary(
        total_requests=requests,
        successful_requests=successful,
        failed_requests=requests - successful,
        avg_duration_ms=_average(duration, requests),
        total_tokens_used=tokens,
        by_action=dict(by_action.most_common()),
        by_resource=dict(by_resource.most_common()),
        start_time=_iso(of.start_time),
        end_time=_iso(of.end_time),
    )


def _average(duration: float, requests: int) -> float:
    if not requests:
        return 0
    return round(duration / requests, 3) if math.isfinite(duration) else NOT_FINITE


def _iso(time: datetime | None) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" if time else ""
