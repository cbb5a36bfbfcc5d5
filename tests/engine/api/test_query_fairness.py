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
from tests.support.query import api, bearer, insert, row, settings
from tests.support.wait import wait_until

_RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEach' || 'Row(0.1)%'"


def expensive(seconds: int) -> Query:
    """A search that holds its slot, and takes no CPU."""
    return Query(
        "SELECT {org_id:String}, sum(sleepEachRow(0.1))"
        f" FROM numbers({seconds * 10}) SETTINGS max_block_size = 1",
        {"org_id": "greedy"},
    )


@asynccontextmanager
async def greedy(
    clickhouse: AsyncClient, client: ClickHouseClient, least: int, seconds: int
) -> AsyncIterator[list["asyncio.Task[bytes]"]]:
    """Forty expensive searches of one org, `least` of them running already."""

    async def running() -> bool:
        return int(str(await clickhouse.command(_RUNNING))) >= least

    searches = [asyncio.create_task(client.query(expensive(seconds))) for _ in range(40)]
    try:
        await wait_until(running, timeout=20, what="the searches run")
        yield searches
    finally:
        for search in searches:
            search.cancel()
        await asyncio.wait(searches)


@pytest.mark.parametrize(("per_org", "seconds", "protected"), [(4, 120, True), (16, 6, False)])
async def test_one_org_does_not_take_all_places(
    clickhouse: AsyncClient,
    clickhouse_url: str,
    database: str,
    *,
    per_org: int,
    seconds: int,
    protected: bool,
) -> None:
    """The other org has all its answers while the searches still run; without the limit of slots
    per org it waits for one of them to end. No clock is asked, so a busy machine changes nothing.
    """
    await insert(clickhouse, [row("modest", NOW) for _ in range(20)])
    client = ClickHouseClient(
        ClickHouseSettings(url=clickhouse_url, database=database, connections_per_org=per_org),
        QuerySettings(max_execution_time=0),
    )
    modest = first_page(ActivityFilter(org_id="modest"), 10)
    await client.query(modest)  # connected
    async with greedy(clickhouse, client, per_org, seconds) as searches:
        await asyncio.gather(*(client.query(modest) for _ in range(20)))
        all_still_run = not any(search.done() for search in searches)
        assert all_still_run is protected
    await client.close()


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
