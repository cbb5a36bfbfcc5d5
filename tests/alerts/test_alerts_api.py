"""Each alert about the read API, the emitters and the tables fires when they are broken so."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.ports import free_ports
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings, prometheus
from tests.alerts.recorder import Recorder
from tests.alerts.scene import DATABASE, LONG, SlowProxy, api_of, engine, fires, of_api
from tests.integration.api.test_query_serve import LIST, Api
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import NewConsumer, event, produce, rows_arrive
from tests.support.query import insert, row
from tests.support.wait import wait_until

__all__ = ["engine"]
GAPS = "/?database={}&query=SELECT+*+FROM+event_gap_metrics+FORMAT+Prometheus"
OLD = ("ActivityNotFresh",)  # no consumer tells it how far the table is
COPIES = "/?database={}&query=SELECT+*+FROM+event_duplicate_metrics+FORMAT+Prometheus"


@pytest.fixture
def kafka(kafka_bootstrap: str, topic: str) -> tuple[str, str]:
    """Where, and which topic."""
    return kafka_bootstrap, topic


@pytest.fixture
def tables(clickhouse_url: str, database: str) -> tuple[str, str]:
    """Where, and which database."""
    return clickhouse_url, database


async def ask(api: Api, seen: Recorder, rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.gather(*(api.get(LIST) for _ in range(3)))
        await seen.record(1)


async def test_down(tmp_path: Path, clickhouse_url: str, database: str) -> None:
    async with api_of(tmp_path, clickhouse_url, database) as api:
        await wait_until(api.is_ready, 60, "it is ready")
        seen = of_api(api)
        await seen.record(2)
        fires(seen, tmp_path, also=OLD)
        await api.process.kill()
        await seen.record(LONG)
        fires(seen, tmp_path, "ActivityApiDown")


async def test_clickhouse_away_is_errors_too(engine: ClickHouseServer, tmp_path: Path) -> None:
    async with api_of(tmp_path, engine.url, DATABASE) as api:
        await wait_until(api.is_ready, 60, "it is ready")
        seen = of_api(api)
        await ask(api, seen, 3)
        fires(seen, tmp_path, also=OLD)
        await engine.kill()
        await ask(api, seen, LONG)
        fires(seen, tmp_path, "ActivityClickHouseAway", "ActivityApiErrors", also=OLD)


async def test_slow(engine: ClickHouseServer, tmp_path: Path) -> None:
    proxy = SlowProxy(engine, 1.3)
    url = await proxy.start()
    patient = {
        "ACTIVITY_CLICKHOUSE_PING_AFTER_S": "20",
        "ACTIVITY_CLICKHOUSE_CONNECT_TIMEOUT_S": "20",
    }
    async with api_of(tmp_path, url, DATABASE, **patient) as api:
        await wait_until(api.is_ready, 90, "it is ready")
        seen = of_api(api)
        await ask(api, seen, 8)
        fires(seen, tmp_path, "ActivityApiSlow", also=OLD)
    await proxy.stop()


async def test_limited(tmp_path: Path, clickhouse_url: str, database: str) -> None:
    few = {"ACTIVITY_LIMIT_BURST": "1", "ACTIVITY_LIMIT_REQUESTS_PER_SECOND": "0.01"}
    async with api_of(tmp_path, clickhouse_url, database, **few) as api:
        await wait_until(api.is_ready, 60, "it is ready")
        seen = of_api(api)
        await ask(api, seen, LONG)
        fires(seen, tmp_path, "ActivityApiLimited", also=OLD)


async def test_a_service_that_does_not_reach_kafka_and_then_loses_events(tmp_path: Path) -> None:
    [port] = free_ports(1)  # nobody listens there
    publisher = KafkaPublisher(
        KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}"),
        EmitSettings.model_validate({"worker": "thread", "stop_timeout_s": 1}),
        SpoolSettings(dir=tmp_path / "spool", max_bytes=100_000),
    )
    seen = Recorder({"activity-emitters": lambda: prometheus(publisher.metrics())})
    with publisher:
        await seen.record(2)
        for _ in range(20):
            publisher.record(org_id="o", action="read")
        await wait_until(lambda: publisher.metrics().spooled, 60, "they are in the spool")
        await seen.record(3)
        seen.hold(25)
        fires(seen, tmp_path, "ActivityEmitterSpooling")

        async def lost() -> bool:
            publisher.record(org_id="o", action="read", path="/" + "x" * 200)
            await asyncio.sleep(0.001)
            return publisher.metrics().spool_full > 0

        await wait_until(lost, 120, "the spool is full")
        await seen.record(3)
        fires(seen, tmp_path, "ActivityEventsLost", "ActivityEmitterSpooling")


async def test_what_is_missing(
    kafka: tuple[str, str],
    clickhouse: AsyncClient,
    tables: tuple[str, str],
    new_consumer: NewConsumer,
    tmp_path: Path,
) -> None:
    seen = Recorder({"activity-gaps": tables[0] + GAPS.format(tables[1])})
    await seen.record(2)
    fires(seen, tmp_path)
    async with new_consumer():
        await produce(*kafka, [event(seq=number) for number in (0, 1, 5)])
        await rows_arrive(clickhouse, 3)
    await seen.record(3)
    seen.hold(65)
    fires(seen, tmp_path, "ActivityEventsMissing")


async def test_what_is_there_twice(
    clickhouse_url: str, clickhouse: AsyncClient, database: str, tmp_path: Path
) -> None:
    seen = Recorder({"activity-duplicates": clickhouse_url + COPIES.format(database)})
    one = row("o", datetime.now(UTC))
    await insert(clickhouse, [one])
    await seen.record(2)
    fires(seen, tmp_path)
    await insert(clickhouse, [one])
    await seen.record(2)
    fires(seen, tmp_path, "ActivityDuplicates")


async def test_nothing_fires_in_a_normal_run(
    kafka: tuple[str, str], tables: tuple[str, str], new_consumer: NewConsumer, tmp_path: Path
) -> None:
    (kafka_bootstrap, topic), (clickhouse_url, database), rounds = kafka, tables, 40
    publisher = KafkaPublisher(
        KafkaSettings(bootstrap_servers=kafka_bootstrap, topic=topic),
        EmitSettings.model_validate({"worker": "thread"}),
        SpoolSettings(dir=tmp_path / "spool"),
    )
    told = {"ACTIVITY_KAFKA_TOPIC": topic}
    async with (
        new_consumer() as consumer,
        api_of(tmp_path, clickhouse_url, database, **told) as api,
    ):
        await consumer.ready()
        await wait_until(api.is_ready, 60, "the API is ready")
        seen = Recorder(
            {
                "activity-consumer": f"http://127.0.0.1:{consumer.port}/metrics",
                "activity-api": f"{str(api.client.base_url).rstrip('/')}/metrics",
                "activity-emitters": lambda: prometheus(publisher.metrics()),
                "activity-gaps": clickhouse_url + GAPS.format(database),
                "activity-duplicates": clickhouse_url + COPIES.format(database),
            }
        )
        with publisher:
            for number in range(rounds):
                publisher.record(org_id="o", action="read", path=f"/{number}")
                await api.get(LIST)
                await seen.record(1)
                assert seen.firing(tmp_path) == set() or number % 10
        assert seen.firing(tmp_path) == set()
    async with await connect(clickhouse_url, database) as client:
        found = await client.query("SELECT count() FROM events")
        assert found.result_rows[0][0] > 0
