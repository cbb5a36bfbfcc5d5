"""One org's expensive searches are not another's wait; many clients are no outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page
from activity_api.queries.query import Query
from activity_api.settings import ClickHouseSettings, QuerySettings
from activity_deploy.generate import Platform
from tests.engine.api.test_query_rows import NOW
from tests.support.open_loop import open_loop
from tests.support.query import api, bearer, insert, row, settings
from tests.support.wait import wait_until

# Holds its slot for six seconds and takes no CPU: what is measured is the wait for a slot, and
# not how busy the machine is.
_EXPENSIVE = Query(
    "SELECT {org_id:String}, sum(sleepEachRow(0.01)) FROM numbers(600) SETTINGS max_block_size = 1",
    {"org_id": "greedy"},
)
_RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEach' || 'Row(0.01)%'"
_EVERY_SECONDS = 0.04
_REQUESTS = 50


@asynccontextmanager
async def greedy(
    clickhouse: AsyncClient, client: ClickHouseClient, least: int
) -> AsyncIterator[None]:
    """Forty expensive searches of one org, `least` of them running already."""

    async def running() -> bool:
        return int(str(await clickhouse.command(_RUNNING))) >= least

    searches = [asyncio.create_task(client.query(_EXPENSIVE)) for _ in range(40)]
    try:
        await wait_until(running, timeout=20, what="the searches run")
        yield
    finally:
        for search in searches:
            search.cancel()
        await asyncio.wait(searches)


async def slowest(client: ClickHouseClient) -> float:
    """Seconds."""
    modest = first_page(ActivityFilter(org_id="modest"), 10)

    async def ask() -> None:
        await client.query(modest)

    return await open_loop(_REQUESTS, _EVERY_SECONDS, ask)


@pytest.mark.parametrize(("per_org", "protected"), [(4, True), (16, False)])
async def test_one_org_does_not_take_all_places(
    clickhouse: AsyncClient,
    clickhouse_url: str,
    database: str,
    *,
    per_org: int,
    protected: bool,
) -> None:
    """Twice the p99 it has alone, and what a busy machine adds; without the limit of slots per
    org it waits for searches of six seconds to end."""
    await insert(clickhouse, [row("modest", NOW) for _ in range(20)])
    client = ClickHouseClient(
        ClickHouseSettings(url=clickhouse_url, database=database, connections_per_org=per_org),
        QuerySettings(),
    )
    await client.query(first_page(ActivityFilter(org_id="modest"), 10))  # connected
    alone = await slowest(client)
    async with greedy(clickhouse, client, least=per_org):
        beside = await slowest(client)
    await client.close()
    assert (beside < 2 * alone + 1) is protected, (alone, beside)


async def test_a_loaded_engine_is_not_away(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """Sixty clients of heavy searches: slow answers, but answers."""
    async for _ in Platform(100_000, datetime(2026, 3, 4, tzinfo=UTC)).insert(clickhouse):
        pass
    url = "/v1/orgs/org-0001/workspaces/ws-1/activity/search?status=error&min_duration_ms=20"
    async with api(settings(clickhouse_url, database)) as client:
        headers = bearer("org-0001")
        answers = await asyncio.gather(
            *(client.get(f"{url}&limit={100 + number}", headers=headers) for number in range(60))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["total"] for answer in answers}) == 1
