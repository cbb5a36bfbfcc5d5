"""After late events, retention and erasure: list, total and summary are still one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page
from activity_api.queries.page_rows import Rows
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_api.queries.totals import total_of
from tests.engine.api.test_query_sums import ask, matches
from tests.support.query import Row, insert, row

# Two hours into a month: a window of some hours has both in it.
NOW = datetime(2026, 4, 1, 2, 0, 7, 890123, tzinfo=UTC)
_SYNC = {"mutations_sync": 2, "lightweight_deletes_sync": 2}
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

stored = st.lists(
    st.tuples(
        st.integers(0, 6 * 3600 * 10**6).map(lambda n: timedelta(microseconds=n)),
        st.fixed_dictionaries(
            {
                "workspace_id": st.sampled_from(["w1", "w2"]),
                "user_id": st.sampled_from(["u1", "u2"]),
                "status_code": st.sampled_from([200, 404]),
            }
        ),
    ),
    min_size=1,
    max_size=30,
)
FILTERS: list[dict[str, Any]] = [{}, {"workspace_id": "w1"}, {"user_id": "u1"}, {"success": False}]


async def agree(clickhouse: AsyncClient, org_id: str, expected: list[Row]) -> None:
    """Each way to ask gives what counting `expected` gives."""
    for fields in FILTERS:
        filter_ = last_hours(ActivityFilter(org_id=org_id, **fields), 6, NOW)
        counted = [event for event in expected if matches(filter_, event)]
        summary = read_summary(await ask(clickhouse, summary_of(filter_)), filter_)
        assert summary.total_requests == len(counted)
        assert summary.failed_requests == sum(event["status_code"] >= 400 for event in counted)
        for ranged in (filter_, replace(filter_, start_time=None, end_time=None)):
            counted = [event for event in expected if matches(ranged, event)]
            assert int(await ask(clickhouse, total_of(ranged))) == len(counted)
            page = Rows.of_first_page(await ask(clickhouse, first_page(ranged, 50)))
            assert page.total == len(page.found.rows) == len(counted)


async def delete_mutation(clickhouse: AsyncClient, org_id: str) -> None:
    await clickhouse.command(
        "ALTER TABLE events DELETE WHERE org_id = {org_id:String} AND user_id = 'u1'",
        parameters={"org_id": org_id},
        settings=_SYNC,
    )


async def delete_lightweight(clickhouse: AsyncClient, org_id: str) -> None:
    await clickhouse.command(
        "ALTER TABLE events MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild'"
    )
    await clickhouse.command(
        "DELETE FROM events WHERE org_id = {org_id:String} AND user_id = 'u1'",
        parameters={"org_id": org_id},
        settings=_SYNC,
    )


@pytest.mark.parametrize("erase", [delete_mutation, delete_lightweight])
@settings(max_examples=4, deadline=None, suppress_health_check=SLOW)
@given(events=stored, late=stored)
async def test_erased_is_gone_from_all(
    clickhouse: AsyncClient,
    *,
    erase: Any,
    events: list[tuple[timedelta, dict[str, Any]]],
    late: list[tuple[timedelta, dict[str, Any]]],
) -> None:
    """A user is erased; events of before and after it count, also such as come late."""
    org_id, other = str(uuid4()), str(uuid4())
    rows = [row(org_id, NOW - age, **values) for age, values in events]
    foreign = [row(other, NOW - age, **values) for age, values in events]
    await insert(clickhouse, [*rows, *foreign])
    await agree(clickhouse, org_id, rows)
    await erase(clickhouse, org_id)
    rows = [event for event in rows if event["user_id"] != "u1"]
    await agree(clickhouse, org_id, rows)
    await agree(clickhouse, other, foreign)
    more = [row(org_id, NOW - age, **values) for age, values in late]
    await insert(clickhouse, more)
    await agree(clickhouse, org_id, rows + more)


@settings(max_examples=4, deadline=None, suppress_health_check=SLOW)
@given(events=stored)
async def test_retention_takes_a_month_from_all(
    clickhouse: AsyncClient, *, events: list[tuple[timedelta, dict[str, Any]]]
) -> None:
    """The partitions of March are dropped: April's two hours stay, exact."""
    org_id = str(uuid4())
    rows = [row(org_id, NOW - age, **values) for age, values in events]
    await insert(clickhouse, rows)
    await agree(clickhouse, org_id, rows)
    for bucket in range(4):
        await clickhouse.command(f"ALTER TABLE events DROP PARTITION ({bucket}, 202603)")
    april = [event for event in rows if event["timestamp"] >= "2026-04"]
    await agree(clickhouse, org_id, april)
