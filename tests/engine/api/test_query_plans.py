"""What the engine does for a statement: which key, which rollup, how many rows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.queries.cursor import Cursor
from activity_api.queries.filter import ActivityFilter, micros
from activity_api.queries.listing import first_page, next_page
from activity_api.queries.query import Query
from activity_api.queries.summary import last_hours, summary_of
from activity_api.queries.totals import total_of
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import connect

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROLLUPS: list[tuple[dict[str, Any], str]] = [
    ({}, "by_org"),
    ({"workspace_id": "w1"}, "by_workspace"),
    ({"user_id": "u5"}, "by_user"),
    ({"workspace_id": "w1", "app_id": "a", "endpoint_id": "e1"}, "by_endpoint"),
]


_INSERT = f"""\
INSERT INTO events (id, timestamp, org_id, workspace_id, user_id, app_id, endpoint_id,
    resource_id, action, status_code, duration_ms, schema_version, _topic, _lease)
SELECT generateUUIDv7(), toDateTime64('{micros(NOW)}', 6, 'UTC')
        - toIntervalMicrosecond(number * 8640000),
    'o', 'w' || toString(number % 5), 'u' || toString(intDiv(number, 100)),
    'a', 'e' || toString(number % 3), 'r' || toString(intDiv(number, 10)),
    'read', 200, 1, 1, 't', now64(3) + 3600
FROM numbers(300000)
SETTINGS max_insert_block_size = 1000000, min_insert_block_size_rows = 1000000"""


@pytest.fixture(scope="module")
async def large(clickhouse_url: str) -> AsyncIterator[AsyncClient]:
    """300,000 events of one org in 30 days, made by the engine, in one part a month."""
    database = f"test_{uuid4().hex}"
    async with await connect(clickhouse_url, "default") as client:
        await migrate(client, database)
    async with await connect(clickhouse_url, database) as client:
        await client.command(_INSERT)
        yield client
        await client.command(f"DROP DATABASE {database} SYNC")


def bare(query: Query) -> str:
    """The statement without its format, for a client that has one of its own."""
    return query.sql.replace("\nFORMAT JSONCompactEachRow", "").replace("\nFORMAT RowBinary", "")


async def plan(clickhouse: AsyncClient, query: Query) -> str:
    """EXPLAIN of a statement, with its indexes."""
    explained = Query(f"EXPLAIN indexes = 1, projections = 1 {bare(query)}", query.parameters)
    answer: bytes = await clickhouse.raw_query(explained.sql, parameters=explained.parameters)
    return answer.decode()


async def rows_read(clickhouse: AsyncClient, query: Query) -> int:
    """By the engine's own count, without what it remembers of queries before this one."""
    result = await clickhouse.query(
        bare(query), parameters=query.parameters, settings={"use_query_condition_cache": 0}
    )
    return int(result.summary["read_rows"])


async def test_summaries_come_from_the_rollups(large: AsyncClient) -> None:
    for fields, projection in ROLLUPS:
        filter_ = last_hours(ActivityFilter(org_id="o", **fields), 168, NOW)
        explained = await plan(large, summary_of(filter_))
        assert f"ReadFromMergeTree ({projection})" in explained, explained
        # 168 hours of the org are 70,000 rows.
        assert await rows_read(large, summary_of(filter_)) < 35_000


async def test_totals_of_an_org_come_from_the_index(large: AsyncClient) -> None:
    """Rows are read at the two ends of the range alone, in one granule a part and end."""
    org = ActivityFilter(org_id="o")
    for filter_ in (org, replace(org, start_time=NOW - 20 * 24 * HOUR, end_time=NOW - HOUR)):
        assert "_exact_count_projection" in await plan(large, total_of(filter_))
        assert await rows_read(large, total_of(filter_)) <= 40_000


async def test_lists_read_the_key_backwards(large: AsyncClient) -> None:
    """A page costs its parts' first granules, the last page as much as the first."""
    org = ActivityFilter(org_id="o")
    deep = Cursor(NOW - timedelta(days=29), uuid4(), total=0, as_of=datetime.now(UTC))
    for query in (first_page(org, 50), next_page(org, 50, deep)):
        explained = await plan(large, query)
        assert "Read type: InReverseOrder" in explained, explained
        assert "ReadFromMergeTree (by_" not in explained
    explained = await plan(large, first_page(replace(org, resource_id="r7"), 50))
    assert "resource_id_bloom" in explained


async def test_a_workspace_has_one_rollup_for_every_range(large: AsyncClient) -> None:
    """Its sums stand together: a total reads its own, for all hours as for some."""
    workspace = ActivityFilter(org_id="o", workspace_id="w1")
    for filter_ in (
        workspace,
        replace(workspace, start_time=NOW - 20 * 24 * HOUR, end_time=NOW - HOUR),
        replace(workspace, workspace_id=None, workspaces=("w1",)),
        replace(workspace, action="read", success=False),
    ):
        if filter_.start_time is None:  # else the total is a sum of two scalars, which have no plan
            explained = await plan(large, total_of(filter_))
            assert "ReadFromMergeTree (by_workspace)" in explained, explained
        # Of 60,000 rows of the workspace.
        assert await rows_read(large, total_of(filter_)) <= 20_000
