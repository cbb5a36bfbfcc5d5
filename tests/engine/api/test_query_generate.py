"""Generated events: a platform's shape, the same for the same seed, and good to be read."""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient

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
