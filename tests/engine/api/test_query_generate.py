"""Generated events: a platform's shape, the same for the same seed, and good to be read."""

import asyncio
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient
from typer.testing import CliRunner, Result

from activity_deploy.cli import app
from activity_deploy.errors import UserError
from activity_deploy.generate import DAYS, Platform, org
from tests.support import query
from tests.support.query import api, bearer

UNTIL = datetime(2026, 3, 4, 5, tzinfo=UTC)
_SHAPE = """\
SELECT count(), uniqExact(id), min(timestamp), max(timestamp),
    countIf(_ingested_at > timestamp + INTERVAL 1 HOUR) AS late, uniqExact(org_id, timestamp),
    countIf(org_id = 'org-0001') AS largest, uniqExact(org_id), uniqExact(org_id, workspace_id),
    countIf(success), maxIf(duration_ms, 1), sum(cityHash64(* EXCEPT (_lease)))
FROM events"""


async def insert(clickhouse: AsyncClient, seed: int) -> tuple[object, ...]:
    """In a table that had none before; what they look like."""
    await clickhouse.command("TRUNCATE TABLE events")
    platform = Platform(20_000, UNTIL, seed)
    assert [count async for count in platform.insert(clickhouse)] == [20_000]
    (shape,) = (await clickhouse.query(_SHAPE)).result_rows
    return tuple(shape)


async def test_a_platform(clickhouse: AsyncClient, clickhouse_url: str, database: str) -> None:
    shape = await insert(clickhouse, 1)
    count, ids, first, last, late, times, largest, orgs, workspaces, good, slowest, _ = shape
    assert count == ids == 20_000
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    until = UNTIL.replace(tzinfo=None)  # as the client gives a column's times
    assert until - timedelta(days=DAYS + 3) < first < until - timedelta(days=DAYS - 1)
    assert until - timedelta(days=1) < last < until
    for number, least, most in (
        (late, 100, 300),
        (times, 19_000, 19_999),
        (largest, 3_400, 4_000),
        (orgs, 1_500, 2_000),
        (workspaces, 2_000, 6_000),
        (good, 18_000, 19_500),
        (slowest, 1_000, 100_000),
    ):
        assert isinstance(number, int | float)
        assert least < number < most
    async with api(query.settings(clickhouse_url, database)) as client:
        url = "/v1/orgs/org-0001/activity"
        page = (await client.get(url, headers=bearer("org-0001"))).json()
        assert page["total"] == largest
        assert len(page["activities"]) == 50


async def test_the_seed_decides(clickhouse: AsyncClient) -> None:
    first = await insert(clickhouse, 1)
    assert await insert(clickhouse, 2) != first
    assert await insert(clickhouse, 1) == first


def test_orgs_are_drawn_by_size() -> None:
    assert org(0) == "org-0001"
    assert org(0.184) == "org-0001"
    assert org(0.185) == "org-0002"
    assert org(1 - 1e-12) == "org-2000"


async def test_a_second_call_adds_other_events(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    await clickhouse.command("TRUNCATE TABLE events")
    for _ in range(2):
        await asyncio.to_thread(_generate, clickhouse_url, database, "--rows", "1000")
    result = await clickhouse.query(
        "SELECT count(), uniqExact(id), uniqExact(_offset), max(seq), max(timestamp) < now()"
        " FROM events"
    )
    assert result.result_rows == [(2000, 2000, 2000, 1999, 1)]


async def test_it_leaves_a_table_with_anybody_elses_events_alone(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    await clickhouse.command("TRUNCATE TABLE events")
    await insert_row(clickhouse)
    refused = await asyncio.to_thread(_generate, clickhouse_url, database, "--rows", "10")
    assert isinstance(refused.exception, UserError)
    assert "1 events that `generate` did not make" in str(refused.exception)
    assert (await clickhouse.query("SELECT count() FROM events")).result_rows == [(1,)]
    told = ("--rows", "10", "--beside-others")
    await asyncio.to_thread(_generate, clickhouse_url, database, *told)
    assert (await clickhouse.query("SELECT count() FROM events")).result_rows == [(11,)]


async def insert_row(clickhouse: AsyncClient) -> None:
    """One event of a real service."""
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, producer_id, _lease)"
        " VALUES (generateUUIDv7(), now64(6), 'acme', 'svc-1', now64(3) + 60)"
    )


def _generate(url: str, database: str, *arguments: str) -> Result:
    environment = {"ACTIVITY_CLICKHOUSE_URL": url}
    return CliRunner().invoke(
        app,
        ["generate", "--database", database, "--shape", "load", *arguments],
        env=environment,
    )
