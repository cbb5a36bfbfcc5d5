"""One message to a topic, as it is."""

import random
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError


async def send_as_is(
    producer: AIOKafkaProducer,
    topic: str,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    partition: int | None = None,
    timestamp_ms: int | None = None,
) -> None:
    """Acknowledged when this returns. `partition`: where it belongs, if the topic has that one;
    else Kafka's partitioner decides. `timestamp_ms`: Unix, by default now. Raises KafkaError."""
    try:
        partitions = await producer.partitions_for(topic)
    except UnknownTopicOrPartitionError as error:
        raise UnknownTopicOrPartitionError(f"topic {topic} does not exist") from error
    if partition not in partitions:
        partition = None
    if key is not None or value is not None:
        await producer.send_and_wait(
            topic,
            key=key,
            value=value,
            headers=list(headers),
            partition=partition,
            timestamp_ms=timestamp_ms,
        )
        return
    # Kafka takes a message with neither, other clients write them, aiokafka's `send` does not.
    batch = producer.create_batch()
    batch.append(timestamp=timestamp_ms, key=None, value=None, headers=list(headers))
    batch.close()
    if partition is None:
        partition = random.choice(sorted(partitions))  # noqa: S311 - no secret
    await (await producer.send_batch(batch, topic, partition=partition))
