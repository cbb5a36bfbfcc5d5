"""The dead-letter topic without some of its messages: a log cannot lose a message in its middle.

So, in each partition that has any: the others up to the last of them are sent once more, to its
end, and then everything up to there is deleted (DeleteRecords). Whoever is killed in between and
starts again sends none a second time: a copy says in a header which offset it is of.
"""

from collections.abc import Callable

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.dead_letter.produce import send_as_is
from activity_consume.erasure.rules import KeptOut
from activity_consume.record import TopicPartition
from activity_deploy.forget.topics import Found, read

MOVED = "activity-dlq-moved"


class DeadLetterTopic:
    """Everything raises KafkaError."""

    def __init__(
        self, log: KafkaLog, admin: AIOKafkaAdminClient, producer: AIOKafkaProducer
    ) -> None:
        self.log = log
        self._admin = admin
        self._producer = producer

    async def forget(
        self, partition: TopicPartition, judge: Callable[[ConsumerRecord], KeptOut | None]
    ) -> Found:
        """What was forgotten of it."""
        found = Found()
        begin, end = await self.log.bounds(partition)
        moved: set[int] = set()
        async for record in read(self.log, partition, begin, end, found):
            if judge(record):
                found.add(record)
            moved |= {int(content) for content in _moved_from(record) if content.isdigit()}
        if not found.count:
            return found
        async for record in read(self.log, partition, begin, found.last + 1, Found()):
            # Also copies that an erasure of before has made: their originals are gone.
            if record.offset not in moved and not judge(record):
                await self._send(partition, record)
        await self._admin.delete_records({partition: RecordsToDelete(found.last + 1)})
        return found

    async def _send(self, partition: TopicPartition, record: ConsumerRecord) -> None:
        headers = [one for one in record.headers if one[0] != MOVED]
        await send_as_is(
            self._producer,
            partition.topic,
            key=record.key,
            value=record.value,
            headers=[*headers, (MOVED, str(record.offset).encode())],
            partition=partition.partition,
            timestamp_ms=record.timestamp,
        )


def _moved_from(record: ConsumerRecord) -> list[bytes]:
    return [content or b"" for name, content in record.headers if name == MOVED]
