"""The API's `/metrics` on the real engine: by one worker or several, on its port or on its own."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.ports import free_ports
from tests.integration.api.test_query_serve import LIST, Api, serving
from tests.support.metrics import samples, value, without_help
from tests.support.promtool import check_metrics
from tests.support.query import insert, row
from tests.support.wait import wait_until

ROUTE = "/v1/orgs/{org_id}/activity"


async def page_of(api: Api, url: str = "/metrics") -> str:
    answer = await api.client.get(url)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text


async def test_what_was_asked_is_counted(
    tmp_path: Path, clickhouse_url: str, database: str, clickhouse: AsyncClient
) -> None:
    await insert(clickhouse, [row("o", datetime.now(UTC)) for _ in range(30)])
    async with serving(
        tmp_path / "api.log",
        clickhouse_url,
        ACTIVITY_CLICKHOUSE_DATABASE=database,
        ACTIVITY_LIMIT_BURST="2",
        ACTIVITY_LIMIT_REQUESTS_PER_SECOND="0.001",
    ) as api:
        statuses = [(await api.get(LIST)).status_code for _ in range(3)]
        statuses.append((await api.client.get(LIST)).status_code)
        await api.get("/v1/nothing-of-this-kind/4711")
        assert statuses == [200, 200, 429, 401]
        page = await page_of(api)
    assert check_metrics(page) == ""
    assert without_help(page) == []
    for status, count in (("200", 2), ("429", 1), ("401", 1), ("503", 0)):
        where = {"route": ROUTE, "status": status}
        assert value(page, "activity_api_requests_total", **where) == count
    assert value(page, "activity_api_requests_total", route="none", status="404") == 1
    assert value(page, "activity_api_request_seconds_count", route=ROUTE) == 4
    assert value(page, "activity_api_limited_total", limit="requests_per_second") == 1
    assert (value(page, "activity_api_read_rows_total") or 0) >= 30
    assert (value(page, "activity_api_engine_seconds_count", outcome="answered") or 0) >= 2
    assert value(page, "activity_api_circuit_open") == 0
    assert "4711" not in page


async def test_without_an_engine_the_page_is_there_and_says_so(tmp_path: Path) -> None:
    [port] = free_ports(1)  # nobody listens there
    async with serving(tmp_path / "api.log", f"http://127.0.0.1:{port}") as api:
        assert (await api.get(LIST)).status_code == 503
        page = await page_of(api)
    assert value(page, "activity_api_circuit_open") == 1
    assert value(page, "activity_api_complete_through_timestamp_seconds") == 0


async def test_two_workers_answer_as_one_on_a_port_of_its_own(
    tmp_path: Path, clickhouse_url: str, database: str
) -> None:
    async with serving(
        tmp_path / "api.log",
        clickhouse_url,
        ACTIVITY_CLICKHOUSE_DATABASE=database,
        ACTIVITY_API_WORKERS="2",
        ACTIVITY_API_METRICS_PORT="0",
    ) as api:
        await wait_until(api.is_ready, 60, "a worker is ready")
        line = next(one for one in api.process.output() if "metrics on" in one)
        own = line.split("metrics on ")[1].split()[0]

        async def ask() -> int:
            async with httpx.AsyncClient(
                base_url=api.client.base_url
            ) as client:  # a new connection
                return (await client.get(LIST)).status_code

        for _ in range(20):
            assert await ask() == 401
        assert (await api.client.get("/metrics")).status_code == 404

        async def counted() -> bool:
            async with httpx.AsyncClient() as client:
                page = (await client.get(own)).text
            where = {"route": ROUTE, "status": "401"}
            return value(page, "activity_api_requests_total", **where) == 20

        for _ in range(8):  # whichever worker is asked, it answers for both
            assert await counted()
        async with httpx.AsyncClient() as client:
            page = (await client.get(own)).text
    assert check_metrics(page) == ""
    assert len(samples(page, "activity_build_info")) == 1
