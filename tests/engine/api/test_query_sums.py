"""Summary and total are always what counting the rows gives."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_api.queries.filter import ActivityFilter, micros
from activity_api.queries.query import Query
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_api.queries.totals import total_of
from tests.support.query import Row, insert, row

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

# Ages that lie on and next to the hours, and anywhere between.
ages = st.one_of(
    st.integers(0, 5 * 3600 * 10**6),
    st.builds(
        lambda hours, off: max(0, hours * 3600 * 10**6 + off), st.integers(0, 5), st.integers(-2, 2)
    ),
).map(lambda n: timedelta(microseconds=n))
stored = st.lists(
    st.builds(
        lambda age, ws, user, status, duration, usage: (
            age,
            {
                "workspace_id": ws,
                "user_id": user,
                "status_code": status,
                "duration_ms": duration,
                "token_usage": usage,
                "action": "read" if duration < 1 else "execute",
                "resource_type": ws and "app",
            },
        ),
        ages,
        st.sampled_from(["", "w1", "w2"]),
        st.sampled_from(["", "u1"]),
        st.sampled_from([200, 399, 400, 503]),
        st.floats(0, 1e6),
        st.dictionaries(st.sampled_from(["total", "in", "out"]), st.integers(0, 2**40)),
    ),
    max_size=60,
)
filters: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"workspace_id": "w1"},
        {"user_id": "u1"},
        {"workspace_id": "w1", "user_id": "u1"},
        {"workspace_id": "w2", "app_id": "a", "endpoint_id": "e"},
        {"success": False},
        {"workspaces": ("w1", "w2")},
    ]
)


async def ask(clickhouse: AsyncClient, query: Query) -> bytes:
    """The raw answer."""
    answer: bytes = await clickhouse.raw_query(query.sql, parameters=query.parameters)
    return answer


def matches(filter_: ActivityFilter, event: Row) -> bool:
    """What the filter means, said once more without SQL."""
    start, end = (time and micros(time) for time in (filter_.start_time, filter_.end_time))
    names = ("org_id", "workspace_id", "user_id", "app_id", "endpoint_id")
    return (
        all(getattr(filter_, name) in (None, event.get(name)) for name in names)
        and filter_.success in (None, event["status_code"] < 400)
        and (filter_.workspaces is None or event["workspace_id"] in filter_.workspaces)
        and (start is None or start <= event["timestamp"])
        and (end is None or event["timestamp"] < end)
    )


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(
    events=stored,
    fields=filters,
    hours=st.integers(1, 6),
    since=ages,
    now=st.sampled_from([NOW, NOW.replace(minute=0, second=0, microsecond=0)]),
)
async def test_equal_to_a_recount(
    clickhouse: AsyncClient,
    *,
    events: list[tuple[timedelta, Row]],
    fields: dict[str, Any],
    hours: int,
    since: timedelta,
    now: datetime,
) -> None:
    """At any second, also a full hour; in several parts; for filters with and without a rollup."""
    org_id = str(uuid4())
    rows = [row(org_id, now - age, **values) for age, values in events]
    for part in filter(None, (rows[::2], rows[1::2])):
        await insert(clickhouse, part)
    filter_ = last_hours(ActivityFilter(org_id=org_id, **fields), hours, now)
    counted = [event for event in rows if matches(filter_, event)]
    summary = read_summary(await ask(clickhouse, summary_of(filter_)), filter_)
    assert summary.total_requests == len(counted)
    assert summary.successful_requests == sum(event["status_code"] < 400 for event in counted)
    assert summary.failed_requests == sum(event["status_code"] >= 400 for event in counted)
    usages = [event["token_usage"] for event in counted]
    assert summary.total_tokens_used == sum(u.get("total", sum(u.values())) for u in usages)
    mean = sum(event["duration_ms"] for event in counted) / max(1, len(counted))
    assert summary.avg_duration_ms == pytest.approx(mean, rel=1e-9, abs=0.001)
    assert summary.by_action == Counter(event["action"] for event in counted)
    assert summary.by_resource == Counter(event["resource_type"] or "unknown" for event in counted)
    for start, end in ((None, None), (now - since, None), (None, now - since), (now - since, now)):
        ranged = replace(filter_, start_time=start, end_time=end)
        total = int(await ask(clickhouse, total_of(ranged)))
        assert total == sum(matches(ranged, event) for event in rows)
