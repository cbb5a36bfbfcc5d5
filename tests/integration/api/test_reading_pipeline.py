"""`activity serve` records its own reads: through Kafka and consumer into what it reads."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.process import Process
from tests.support.consumer import NewConsumer, event, produce, rows_arrive
from tests.support.query import KEY, bearer
from tests.support.wait import wait_until

LIST = "/v1/orgs/acme/activity"


@asynccontextmanager
async def serving(
    directory: Path, **variables: str
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    environment = {
        "ACTIVITY_API_PORT": "0",
        "ACTIVITY_JWT_KEY": KEY,
        "ACTIVITY_CURSOR_KEY": KEY,
        "ACTIVITY_SPOOL_DIR": str(directory / "spool"),
        "ACTIVITY_READING_WINDOW_S": "0.5",
        **{f"ACTIVITY_{name.upper()}": value for name, value in variables.items()},
    }
    command = [sys.executable, "-m", "activity_deploy.reading"]
    process = Process("api", command, directory / "api.log", environment)

    def listening() -> str:
        assert process.running, process.output()
        return next((line for line in process.output() if "listening on" in line), "")

    await process.start()
    try:
        line = await wait_until(listening, 60, "the API listens")
        base = line.split(" on ")[1].split()[0]
        async with httpx.AsyncClient(base_url=base, headers=bearer("acme", "ann")) as client:
            yield process, client
    finally:
        await process.stop()


async def test_a_read_is_in_the_next_list_and_does_not_breed(  # noqa: PLR0917
    kafka_bootstrap: str,
    topic: str,
    clickhouse_url: str,
    database: str,
    clickhouse: AsyncClient,
    new_consumer: NewConsumer,
    tmp_path: Path,
) -> None:
    await produce(kafka_bootstrap, topic, [event(user_id="bob") for _ in range(3)])
    where = {
        "clickhouse_url": clickhouse_url,
        "clickhouse_database": database,
        "kafka_bootstrap_servers": kafka_bootstrap,
        "kafka_topic": topic,
    }
    async with new_consumer() as consumer, serving(tmp_path, **where) as (api, client):
        await consumer.ready()
        await rows_arrive(clickhouse, 3)
        polls = 0

        async def read_of_ann() -> list[dict[str, object]]:
            nonlocal polls
            polls += 1
            found = (await client.get(LIST)).json()["activities"]
            return [one for one in found if one["resource_type"] == "activity"]

        first = (await wait_until(read_of_ann, 60, "the read is in the list"))[-1]
        assert (first["user_id"], first["resource_id"]) == ("ann", "orgs/acme")
        assert (first["action"], first["status_code"]) == ("read", 200)
        await api.stop()  # with what its last window had
        await rows_arrive(clickhouse, 4)

        async def all_told() -> bool:
            told = await clickhouse.query(
                "SELECT sum(JSONExtractUInt(metadata, 'reads')), count() FROM events"
                " WHERE resource_type = 'activity'"
            )
            [(reads, events)] = told.result_rows
            assert events <= reads
            return int(reads) == polls

        await wait_until(all_told, 60, f"{polls} reads are told")
        assert "Traceback" not in "\n".join(api.output())


async def test_without_kafka_reads_go_on_and_it_ends_in_time(
    clickhouse_url: str, database: str, tmp_path: Path
) -> None:
    where = {"clickhouse_url": clickhouse_url, "clickhouse_database": database}
    away = {**where, "kafka_bootstrap_servers": "127.0.0.1:9"}
    async with serving(tmp_path, **away) as (api, client):
        for _ in range(50):
            assert (await client.get(LIST)).status_code == 200
        await wait_until(
            lambda: any((tmp_path / "spool").rglob("*")), 60, "the read waits in the spool"
        )
        started = monotonic()
        await api.stop(patience=30)
        assert api.returncode == 0
        assert monotonic() - started < 20
        assert "Traceback" not in "\n".join(api.output())
