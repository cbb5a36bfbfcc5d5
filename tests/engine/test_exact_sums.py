"""Sums are exact and cannot wrap; a table of the release before comes forward with its rows."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_deploy.migration_files import read
from activity_deploy.migration_run import migrate
from activity_schemas.answers import ActivitySummary
from activity_schemas.event import MAX_COUNT, MAX_DURATION_MS, MAX_TOKEN_NAMES
from tests.support.clickhouse import connect
from tests.support.query import insert, row
from tests.support.wait import wait_until

NOW = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)
EARLIER = datetime(2026, 3, 4, 3, 30, tzinfo=UTC)  # in a whole hour: a rollup has it
WRAPS = {"a": 2**63 - 1, "b": 2**63 - 1, "c": 2}


async def summary(clickhouse: AsyncClient, org_id: str) -> ActivitySummary:
    filter_ = last_hours(ActivityFilter(org_id=org_id), 24, NOW)
    query = summary_of(filter_)
    return read_summary(await clickhouse.raw_query(query.sql, parameters=query.parameters), filter_)


async def test_largest_events(clickhouse: AsyncClient) -> None:
    """3,000 of them would be more than 2^64 tokens, and 92 more than 2^63 nanoseconds."""
    names = {str(name): MAX_COUNT for name in range(MAX_TOKEN_NAMES)}
    largest = {"token_usage": names, "duration_ms": MAX_DURATION_MS}
    rows = [row("o", EARLIER, **largest) for _ in range(100)]
    rows += [row("o", EARLIER, duration_ms=0.001, token_usage={"total": 1})]
    await insert(clickhouse, rows)
    found = await summary(clickhouse, "o")
    assert found.total_tokens_used == 100 * MAX_TOKEN_NAMES * MAX_COUNT + 1
    exact = (100 * Fraction(MAX_DURATION_MS) + Fraction(1, 1000)) / 101
    assert found.avg_duration_ms == round(float(exact), 3)


async def test_a_sum_is_the_same_in_any_order(clickhouse: AsyncClient) -> None:
    """Doubles would lose the small ones beside the large ones."""
    durations = [1e11, 0.001, 12_345_678.9, 0.000_001]
    for number, order in enumerate(itertools.permutations(durations)):
        await insert(clickhouse, [row(f"o{number}", EARLIER, duration_ms=one) for one in order])
    averages = {(await summary(clickhouse, f"o{n}")).avg_duration_ms for n in range(24)}
    assert averages == {round((10**17 + 1000 + 12_345_678_900_000 + 1) / 4e6, 3)}


@pytest.mark.parametrize("duration", [float("inf"), float("-inf"), float("nan"), 1e308, -1e308])
async def test_a_row_past_the_consumer_counts_as_no_time(
    clickhouse: AsyncClient, duration: float
) -> None:
    rows = [row("o", EARLIER, duration_ms=one) for one in (duration, duration, 3.0)]
    await insert(clickhouse, [*rows, row("o", EARLIER, duration_ms=1.0, token_usage=WRAPS)])
    found = await summary(clickhouse, "o")
    assert (found.avg_duration_ms, found.total_tokens_used) == (1.0, 2**64)


@pytest.fixture
async def old(clickhouse_url: str) -> AsyncIterator[AsyncClient]:
    """A client of a database as the release before had it."""
    name = f"test_{uuid4().hex}"
    async with await connect(clickhouse_url, "default") as client:
        await migrate(client, name, read()[:5])
        async with await connect(clickhouse_url, name) as bound:
            yield bound
        await client.command(f"DROP DATABASE {name} SYNC")


async def test_a_table_with_rows_is_brought_forward(old: AsyncClient) -> None:
    """Rows of before, also such as had wrapped; meanwhile and afterwards the answer is right."""
    rows = [row("o", EARLIER, duration_ms=2.5, token_usage=WRAPS) for _ in range(3)]
    before = [*rows, row("o", EARLIER, duration_ms=1e308), row("p", EARLIER)]
    await insert(old, before, renamed=False)
    later = row("o", NOW.replace(hour=4, minute=59), duration_ms=0.5)
    await insert(old, [later], renamed=False)
    assert await number(old, "SELECT sum(tokens) FROM events") == 0
    database = await value(old, "SELECT currentDatabase()")
    migrations = read()
    assert await migrate(old, database) == [one.label for one in migrations[5:]]

    async def right() -> bool:
        found = await summary(old, "o")
        return (found.total_requests, found.total_tokens_used, found.avg_duration_ms) == (
            *(5, 3 * 2**64),
            1.6,
        )

    assert await right()

    async def done() -> bool:
        waiting = "SELECT count() FROM system.mutations WHERE NOT is_done"
        return await number(old, f"{waiting} AND database = '{database}'") == 0

    await wait_until(done, timeout=60, what="the rollups are made")
    assert await right()
    made = (
        "SELECT count() FROM system.projection_parts WHERE active AND parent_name IN"
        f" (SELECT name FROM system.parts WHERE active AND database = '{database}')"
        f" AND database = '{database}' AND name = '{{}}'"
    )
    parts = f"SELECT count() FROM system.parts WHERE active AND database = '{database}'"
    events = await number(old, f"{parts} AND table = 'events'")
    for rollup in ("by_org", "by_workspace", "by_user", "by_endpoint"):
        assert await number(old, made.format(rollup)) == events, rollup
    await insert(old, [row("o", EARLIER, duration_ms=0, token_usage={"x": 5})])
    assert (await summary(old, "o")).total_tokens_used == 3 * 2**64 + 5


async def value(clickhouse: AsyncClient, sql: str) -> Any:
    return (await clickhouse.query(sql)).result_rows[0][0]


async def number(clickhouse: AsyncClient, sql: str) -> int:
    return int(await value(clickhouse, sql))
