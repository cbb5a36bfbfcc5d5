"""The engine's limits and its absence as answers, and queries that end with their client."""

import asyncio

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.clickhouse.client import ClickHouseClient, UnavailableError
from activity_api.clickhouse.single_flight import ClientDisconnectedError, SingleFlight
from activity_api.queries.query import Query
from activity_api.settings import ClickHouseSettings, LimitSettings, QuerySettings
from tests.engine.api.test_query_rows import NOW
from tests.support.query import api, bearer, insert, row, settings
from tests.support.wait import wait_until

SLOW = Query("SELECT sum(sleepEachRow(0.01)) FROM numbers(3000) SETTINGS max_block_size = 1", {})
RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEach' || 'Row(0.01)%'"


async def get(client: httpx.AsyncClient, path: str = "activity") -> httpx.Response:
    return await client.get(f"/v1/orgs/o/{path}", headers=bearer("o"))


@pytest.mark.parametrize(
    ("limits", "status", "limit"),
    [
        (QuerySettings(max_rows_to_read=10), 422, "max_rows_to_read"),
        (QuerySettings(max_execution_time=1e-6), 503, "max_execution_time"),
        (QuerySettings(max_memory_usage=10_000), 503, "max_memory_usage"),
    ],
)
async def test_a_query_over_its_limit(
    clickhouse: AsyncClient,
    clickhouse_url: str,
    database: str,
    *,
    limits: QuerySettings,
    status: int,
    limit: str,
) -> None:
    await insert(clickhouse, [row("o", NOW) for _ in range(100)])
    async with api(settings(clickhouse_url, database, query=limits)) as client:
        response = await get(client)
        assert response.status_code == status, response.text
        if status == 422:
            (detail,) = response.json()["detail"]
            assert detail["type"] == "query_too_large"
            assert detail["ctx"] == {"limit": limit}
            assert "narrow" in detail["msg"]
        else:
            assert response.json()["details"] == {"limit": limit}
            assert "narrow" in response.json()["message"]
            assert response.headers["retry-after"] == "1"
        # One query's limit is no outage: the circuit stays closed.
        assert (await get(client, "activity")).status_code == status


async def test_a_database_that_is_not_migrated(clickhouse_url: str, database: str) -> None:
    async with api(settings(clickhouse_url, database)) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}
    async with api(settings(clickhouse_url, "nowhere")) as client:
        for path in ("/readyz", "/v1/orgs/o/activity", "/v1/orgs/o/activity/summary"):
            response = await client.get(path, headers=bearer("o"))
            assert response.status_code == 503
            assert response.json()["message"] == "The event store is not migrated yet"


async def test_a_query_ends_with_its_client(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    client = ClickHouseClient(
        ClickHouseSettings(url=clickhouse_url, database=database, ping_after_s=0.05),
        QuerySettings(),
    )

    async def running() -> int:
        return int(str(await clickhouse.command(RUNNING)))

    left = asyncio.Event()

    async def disconnected() -> None:
        await left.wait()

    flights: SingleFlight[bytes] = SingleFlight(0.05)
    asked = asyncio.create_task(flights.ask("slow", lambda: client.query(SLOW), disconnected))
    await wait_until(running, timeout=10, what="the query runs")
    left.set()
    with pytest.raises(ClientDisconnectedError):
        await asked

    async def ended() -> bool:
        return await running() == 0

    await wait_until(ended, timeout=10, what="the engine has cancelled it")
    # The same for a request whose task is cancelled.
    asked = asyncio.create_task(client.query(SLOW))
    await wait_until(running, timeout=10, what="the query runs")
    asked.cancel()
    await asyncio.wait((asked,))
    await wait_until(ended, timeout=10, what="the engine has cancelled it")
    await client.close()


async def test_one_org_s_requests_at_the_same_time(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    await insert(clickhouse, [row("o", NOW)])
    limits = LimitSettings(concurrent=2)
    async with api(settings(clickhouse_url, database, limits=limits)) as client:
        await get(client)  # connected
        answers = await asyncio.gather(*(get(client) for _ in range(8)))
        assert sorted({answer.status_code for answer in answers}) == [200, 429]
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["details"] == {"limit": "concurrent"}
        assert refused.headers["retry-after"] == "1"
        assert (await get(client)).status_code == 200


async def test_an_engine_that_hangs_is_away() -> None:
    """It takes connections and says nothing."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = ClickHouseClient(ClickHouseSettings(url=url), QuerySettings())
        async with asyncio.timeout(3):
            with pytest.raises(UnavailableError):
                await client.query(Query("SELECT 1", {}))
        await client.close()
