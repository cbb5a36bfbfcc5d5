"""A topic whose own configuration loses events is said to be one, in the log and to a scraper."""

import uuid

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.topics import Topic, create, delete
from tests.support.consumer import Consumer, NewConsumer, event, produce, rows_arrive
from tests.support.metrics import samples
from tests.support.wait import wait_until

_METRIC = "activity_consumer_topic_concern"


async def test_a_compacted_topic_and_a_short_retention_are_said(
    kafka_bootstrap: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    name = f"compacted-{uuid.uuid4().hex[:8]}"
    odd = {"cleanup.policy": "compact,delete", "retention.ms": "60000"}
    letters = Topic(f"{name}.dlq", 1, {"max.message.bytes": "1000"})
    await create(kafka_bootstrap, [Topic(name, 2, odd), letters])
    async with new_consumer(variables=_reads(name)) as consumer:
        metrics = await wait_until(lambda: _concerns(consumer), 30, "it is said")
        await produce(kafka_bootstrap, name, [event(seq=n) for n in range(3)])
        await rows_arrive(clickhouse, 3)
        log = "\n".join(consumer.process.output())
    assert metrics == {
        (name, "compacted"),
        (name, "retention_ms"),
        (f"{name}.dlq", "max_message_bytes"),
    }
    assert log.count(f"topic {name}: cleanup.policy has compact") == 1
    assert log.count(f"topic {name}: retention.ms=60000 deletes events") == 1
    await delete(kafka_bootstrap, [name, f"{name}.dlq"])


async def test_a_plain_topic_is_no_concern(topic: str, new_consumer: NewConsumer) -> None:
    del topic
    async with new_consumer() as consumer:
        await consumer.ready()
        await wait_until(lambda: consumer.page("/metrics", 200), 20, "there are metrics")
        assert not await _concerns(consumer)
        assert "cleanup.policy" not in "\n".join(consumer.process.output())


async def _concerns(consumer: Consumer) -> set[tuple[str, str]]:
    found = samples(await consumer.page("/metrics", 200), _METRIC)
    return {
        (dict(labels)["topic"], dict(labels)["kind"]) for labels, value in found.items() if value
    }


def _reads(name: str) -> dict[str, str]:
    return {
        "ACTIVITY_KAFKA_TOPIC": name,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{name}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": f"group-{name}",
    }
