"""Each alert about the consumer fires when the real one is broken in just that way."""

import signal
import uuid
from pathlib import Path

from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create, delete
from tests.alerts.scene import DATABASE, LONG, engine, fires, of_consumer
from tests.integration.consume.test_consume_unreadable import _produce_unreadable
from tests.support.clickhouse import ClickHouseServer
from tests.support.consumer import (
    Consumer,
    NewConsumer,
    event,
    message,
    produce,
    produce_raw,
    rows_arrive,
)
from tests.support.metrics import samples, value
from tests.support.wait import wait_until

__all__ = ["engine"]
STANDS = ("ActivityConsumerNotReady", "ActivityNotFresh", "ActivityRetries")


async def tells(consumer: Consumer, name: str, wanted: float) -> None:
    """Until the consumer exports it."""

    async def told() -> bool:
        found = samples(await consumer.page("/metrics", 200), f"activity_consumer_{name}")
        return wanted in found.values()

    await wait_until(told, 120, f"{name} is {wanted}")


async def freshness(consumer: Consumer) -> float:
    page = await consumer.page("/metrics", 200)
    return max(samples(page, "activity_consumer_freshness_seconds").values(), default=0)


async def test_down(new_consumer: NewConsumer, tmp_path: Path) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        seen = of_consumer(consumer)
        await seen.record(3)
        fires(seen, tmp_path)
        await consumer.process.kill()
        await seen.record(LONG)
        fires(seen, tmp_path, "ActivityConsumerDown")


async def test_kafka_away(tmp_path: Path, clickhouse_url: str, database: str) -> None:
    async with KafkaBroker(tmp_path / "kafka") as broker:
        servers = broker.bootstrap_servers
        await create(servers, [Topic("events", 4), Topic("events.dlq", 1)])
        log = tmp_path / "consumer.log"
        async with Consumer(servers, "events", clickhouse_url, database, log) as consumer:
            await consumer.ready()
            seen = of_consumer(consumer)
            await seen.record(3)
            fires(seen, tmp_path)
            await broker.kill()
            await tells(consumer, "kafka_up", 0)
            await seen.record(LONG)
            fires(seen, tmp_path, "ActivityKafkaAway", "ActivityConsumerNotReady", also=STANDS)


async def test_clickhouse_away_makes_it_retry_and_get_old(
    engine: ClickHouseServer, kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    log = tmp_path / "consumer.log"
    async with Consumer(kafka_bootstrap, topic, engine.url, DATABASE, log) as consumer:
        await consumer.ready()
        await wait_until(lambda: _is_fresh(consumer), 60, "it is fresh")
        seen = of_consumer(consumer)
        await seen.record(3)
        fires(seen, tmp_path)
        await engine.kill()
        await produce(kafka_bootstrap, topic, [event(org) for org in "abcdefgh"])
        await tells(consumer, "clickhouse_up", 0)
        for _ in range(40):
            await seen.record(3)
            if await freshness(consumer) > 31:
                break
        await seen.record(LONG)
        fires(
            seen,
            tmp_path,
            *("ActivityClickHouseAway", "ActivityConsumerNotReady"),
            *("ActivityNotFresh", "ActivityRetries"),
        )
        await engine.start()
        await consumer.ready()


async def _is_fresh(consumer: Consumer) -> bool:
    page = await consumer.page("/metrics", 200)
    through = samples(page, "activity_consumer_complete_through_timestamp_seconds")
    return len(through) == 4 and 0 not in through.values()


async def test_topic_missing(
    kafka_bootstrap: str, topic: str, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        await delete(kafka_bootstrap, [f"{topic}.dlq"])
        await tells(consumer, "dead_letter_topic_up", 0)
        seen = of_consumer(consumer)
        await seen.record(LONG)
        fires(seen, tmp_path, "ActivityTopicMissing", "ActivityConsumerNotReady", also=STANDS)
        await create(kafka_bootstrap, [Topic(f"{topic}.dlq", 1)])


async def test_a_partition_that_nobody_can_read(
    kafka_bootstrap: str, topic: str, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        seen = of_consumer(consumer)
        await seen.record(2)
        await _produce_unreadable(kafka_bootstrap, topic, partition=2)
        await tells(consumer, "unreadable_partitions", 1)
        await seen.record(LONG)
        fires(
            seen,
            tmp_path,
            *("ActivityPartitionUnreadable", "ActivityConsumerNotReady"),
            also=("ActivityNotFresh",),
        )


async def test_an_open_transaction(
    kafka_bootstrap: str, topic: str, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap,
        transactional_id=f"t-{uuid.uuid4().hex}",
        transaction_timeout_ms=600_000,
    )
    async with new_consumer() as consumer, producer:
        await consumer.ready()
        await producer.begin_transaction()
        await producer.send_and_wait(topic, message(event()), partition=0)

        async def is_said() -> bool:
            page = await consumer.page("/metrics", 200)
            found = samples(page, "activity_consumer_open_transaction_seconds")
            return max(found.values(), default=0) > 31

        await wait_until(is_said, 180, "it is open for long")
        seen = of_consumer(consumer)
        await seen.record(LONG)
        fires(seen, tmp_path, "ActivityOpenTransaction", also=("ActivityNotFresh",))
        await producer.abort_transaction()


async def test_messages_that_are_no_events(
    kafka_bootstrap: str, topic: str, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        seen = of_consumer(consumer)
        await seen.record(2)
        await produce_raw(kafka_bootstrap, topic, [b"{", b"\xff"])
        await tells(consumer, "dead_letters_total", 2)
        await seen.record(4)
        fires(seen, tmp_path, "ActivityEventsRefused")
        page = await consumer.page("/metrics", 200)
        assert value(page, "activity_consumer_refused_total", reason="malformed_json") == 1


async def test_a_topic_that_deletes_events(
    kafka_bootstrap: str, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    name = f"short-{uuid.uuid4().hex[:8]}"
    short = Topic(name, 2, {"retention.ms": "60000"})
    await create(kafka_bootstrap, [short, Topic(f"{name}.dlq", 1)])
    reads = {
        "ACTIVITY_KAFKA_TOPIC": name,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{name}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": name,
    }
    async with new_consumer(variables=reads) as consumer:
        await tells(consumer, "topic_concern", 1)
        seen = of_consumer(consumer)
        await seen.record(LONG)
        fires(seen, tmp_path, "ActivityTopicConcern")
    await delete(kafka_bootstrap, [name, f"{name}.dlq"])


async def test_a_schema_that_has_drifted(
    clickhouse: AsyncClient, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    await clickhouse.command("ALTER TABLE events ADD COLUMN region String")
    async with new_consumer() as consumer:
        await tells(consumer, "schema_drift", 1)
        seen = of_consumer(consumer)
        await seen.record(LONG)
        fires(seen, tmp_path, "ActivitySchemaDrift", "ActivityConsumerNotReady")


async def test_a_consumer_that_hangs_is_down(
    new_consumer: NewConsumer,
    tmp_path: Path,
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
) -> None:
    async with new_consumer() as consumer:
        await consumer.ready()
        await produce(kafka_bootstrap, topic, [event()])
        await rows_arrive(clickhouse, 1)
        seen = of_consumer(consumer)
        seen.patience_s = 1.0
        consumer.process.send_signal(signal.SIGSTOP)
        await seen.record(6)
        consumer.process.send_signal(signal.SIGCONT)
        fires(seen, tmp_path, "ActivityConsumerDown")
