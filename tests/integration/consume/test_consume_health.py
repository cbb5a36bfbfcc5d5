"""Readiness tells the truth within ten seconds, and the log says it in a handful of lines."""

from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create, delete
from tests.support.consumer import Consumer, NewConsumer, event, produce, rows_arrive
from tests.support.wait import wait_until

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
            await broker.kill()
            await _says(consumer, "Kafka")
            metrics = await consumer.page("/metrics", 200)
            assert "activity_consumer_kafka_up 0" in metrics
            assert "activity_consumer_clickhouse_up 1" in metrics
            began = len(consumer.process.output())
            # Long enough for what was 110 lines a second.
            await wait_until(lambda: _minute(consumer), 90, "it has said so for a minute")
            assert len(consumer.process.output()) - began < 15, consumer.process.output()
            await broker.start()
            await consumer.ready(WITHIN_S)
            await produce(bootstrap, "events", [event()])
            await rows_arrive(clickhouse, 1)
            assert len(consumer.process.output()) < 30, consumer.process.output()


async def test_topics_that_are_missing(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        await delete(kafka_bootstrap, [f"{topic}.dlq"])
        await _says(consumer, f"dead-letter topic {topic}.dlq does not exist")
        assert "activity_consumer_dead_letter_topic_up 0" in await consumer.page("/metrics", 200)
        await create(kafka_bootstrap, [Topic(f"{topic}.dlq", 1)])
        await consumer.ready(WITHIN_S)
        await delete(kafka_bootstrap, [topic])
        await _says(consumer, f"topic {topic} does not exist")
        await create(kafka_bootstrap, [Topic(topic, 4)])
        await consumer.ready(WITHIN_S)


async def test_clickhouse_says_no(clickhouse: AsyncClient, new_consumer: NewConsumer) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        for table in ("events", "dead_letters", "progress"):
            await clickhouse.command(f"RENAME TABLE {table} TO away")
            await _says(consumer, "ClickHouse", table)
            assert "activity_consumer_clickhouse_up 0" in await consumer.page("/metrics", 200)
            await clickhouse.command(f"RENAME TABLE away TO {table}")
            await consumer.ready(WITHIN_S)
        lines = [one for one in consumer.process.output() if "ClickHouse" in one]
        assert len(lines) <= 8, lines


async def _says(consumer: Consumer, *words: str) -> None:
    async def says() -> bool:
        text = await consumer.page("/readyz", 503)
        return all(word in text for word in words)

    await wait_until(says, WITHIN_S, f"it is not ready because of {words}")


def _minute(consumer: Consumer) -> bool:
    return any("s now: Kafka" in line for line in consumer.process.output())
