"""Topics that change while they are used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.client import AIOKafkaClient

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.brokers.topic_metadata import TopicMetadata, describe
from activity_deploy.kafka.topics import Topic, create, delete
from activity_kafka.dead_letters import dead_letter_producer
from tests.support.wait import wait_until


async def anew(bootstrap: str, topic: str, partitions: int = 4) -> None:
    """Deleted and created once more; returns when the brokers have it."""
    async with _admin(bootstrap) as admin:
        before = await describe(admin, topic)
        await delete(bootstrap, [topic])

        async def created() -> bool:
            await create(bootstrap, [Topic(topic, partitions)])
            now = await describe(admin, topic)
            return now.partitions == partitions and now.topic_id != before.topic_id

        await wait_until(created, 20, "the topic is created anew")


async def add_partitions(bootstrap: str, topic: str, count: int) -> None:
    """To `count` in all; returns when the brokers have them."""
    async with _admin(bootstrap) as admin:
        await admin.create_partitions({topic: NewPartitions(total_count=count)})

        async def there() -> bool:
            return (await describe(admin, topic)).partitions == count

        await wait_until(there, 20, "the partitions are there")


async def metadata(bootstrap: str, topic: str) -> TopicMetadata:
    """As the brokers know it now."""
    async with _admin(bootstrap) as admin:
        return await describe(admin, topic)


@asynccontextmanager
async def dead_letter_access(
    bootstrap: str,
) -> AsyncIterator[tuple[KafkaLog, AIOKafkaAdminClient, AIOKafkaProducer]]:
    """What rewriting a topic of dead letters takes."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        async with (
            _admin(bootstrap) as admin,
            dead_letter_producer("test", {"bootstrap_servers": bootstrap}) as producer,
        ):
            yield KafkaLog(client), admin, producer
    finally:
        await client.close()


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
