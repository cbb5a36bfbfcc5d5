"""Readiness tells the truth within ten seconds, and the log says it in a handful of lines."""

import math
import time
from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer, NewConsumer, event, produce, rows_arrive
from tests.support.wait import on_this_machine, wait_until

WITHIN_S = 10


async def test_a_broker_that_is_killed_and_comes_back(
    tmp_path: Path, clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    async with KafkaBroker(tmp_path / "kafka") as broker:
        bootstrap = broker.bootstrap_servers
        await create(bootstrap, [Topic("events", 4), Topic("events.dlq", 1)])
        log = tmp_path / "consumer.log"
        async with Consumer(bootstrap, "events", clickhouse_url, database, log) as consumer:
            await consumer.ready()
            began = time.time()
            await broker.kill()
            await _says(consumer, began, "Kafka")
            metrics = await consumer.page("/metrics", 200)
            assert "activity_consumer_kafka_up 0" in metrics
            assert "activity_consumer_clickhouse_up 1" in metrics
            lines = len(consumer.process.output())
            # Long enough for what was 110 lines a second.
            await wait_until(lambda: _minute(consumer), 90, "it has said so for a minute")
            assert len(consumer.process.output()) - lines < 15, consumer.process.output()
            await broker.start()
            await consumer.ready()
            await produce(bootstrap, "events", [event()])
            await rows_arrive(clickhouse, 1)
            assert len(consumer.process.output()) < 30, consumer.process.output()


async def test_topics_that_are_missing(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        began = time.time()
        await delete(kafka_bootstrap, [f"{topic}.dlq"])
        await _says(consumer, began, f"dead-letter topic {topic}.dlq does not exist")
        assert "activity_consumer_dead_letter_topic_up 0" in await consumer.page("/metrics", 200)
        await create(kafka_bootstrap, [Topic(f"{topic}.dlq", 1)])
        await consumer.ready()
        began = time.time()
        await delete(kafka_bootstrap, [topic])
        await _says(consumer, began, f"topic {topic} does not exist")
        # What is created now is another topic (test_topic_anew.py).
        await create(kafka_bootstrap, [Topic(topic, 4)])
        assert f"`activity topic accept {topic}`" in await consumer.ended()


async def test_a_topic_that_is_created_after_the_start(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    await delete(kafka_bootstrap, [topic])
    began = time.time()
    async with new_consumer() as consumer:
        await _says(consumer, began, f"topic {topic} does not exist")
        assert "activity_consumer_topic_up 0" in await consumer.page("/metrics", 200)
        await create(kafka_bootstrap, [Topic(topic, 4)])
        await consumer.ready()
        await produce(kafka_bootstrap, topic, [event()])
        await rows_arrive(clickhouse, 1)


async def test_an_engine_that_is_killed_and_comes_back(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    server = ClickHouseServer(tmp_path / "engine")
    await server.start()
    try:
        async with await connect(server.url, "default") as admin:
            await migrate(admin, "activity")
        where = kafka_bootstrap, topic, server.url, "activity"
        async with Consumer(*where, tmp_path / "consumer.log") as consumer:
            await consumer.ready()
            began = time.time()
            await server.kill()
            await _says(consumer, began, "ClickHouse")
            assert "activity_consumer_clickhouse_up 0" in await consumer.page("/metrics", 200)
            await server.start()
            await consumer.ready()
            async with await connect(server.url, "activity") as clickhouse:
                await produce(kafka_bootstrap, topic, [event()])
                await rows_arrive(clickhouse, 1)
    finally:
        await server.kill()


async def test_clickhouse_says_no(clickhouse: AsyncClient, new_consumer: NewConsumer) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        for table in ("events", "dead_letters", "progress"):
            await clickhouse.command(f"RENAME TABLE {table} TO away")
            await _is_not_ready(consumer, "ClickHouse", table)
            assert "activity_consumer_clickhouse_up 0" in await consumer.page("/metrics", 200)
            await clickhouse.command(f"RENAME TABLE away TO {table}")
            await consumer.ready()
        lines = [one for one in consumer.process.output() if "ClickHouse" in one]
        assert len(lines) <= 8, lines


async def _says(consumer: Consumer, since: float, *words: str) -> None:
    """It is not ready because of this, and knew so, by its own clock, within ten seconds."""
    await _is_not_ready(consumer, *words)
    line = "WARNING activity_consume.health", *words
    # The page may know a moment earlier.
    await wait_until(lambda: consumer.said_after(since, *line) < math.inf, 30, "the line")
    assert consumer.said_after(since, *line) < on_this_machine(WITHIN_S)


async def _is_not_ready(consumer: Consumer, *words: str) -> None:
    async def says() -> bool:
        text = await consumer.page("/readyz", 503)
        return all(word in text for word in words)

    await wait_until(says, 30, f"it is not ready because of {words}")


def _minute(consumer: Consumer) -> bool:
    return any("s now: Kafka" in line for line in consumer.process.output())
