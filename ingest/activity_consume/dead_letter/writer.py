"""Where messages go that are no events: a topic for programs, a table for people."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.model import DeadLetter, as_time
from activity_consume.dead_letter.poison_stops import PoisonStops
from activity_consume.dead_letter.produce import send_as_is

log = logging.getLogger(__name__)

_PREFIX = "activity-dlq-"


class DeadLetterWriter:
    """Buries dead letters; a message buried twice is one row of the table."""

    def __init__(self, producer: AIOKafkaProducer | None, topic: str, client: AsyncClient) -> None:
        """`producer`: None where there is no broker; then the table has them alone."""
        self._producer = producer
        self._topic = topic
        self._client = client
        #: Where there were too many in a row.
        self.stops = PoisonStops(client)

    async def write(self, letters: Sequence[DeadLetter]) -> None:
        """Acknowledged by the topic and in the table when this returns.

        Raises KafkaError or ClickHouseError; then it may be called again with the same ones.
        """
        if not letters:
            return
        await self._to_table(letters)
        if self._producer is not None:
            await asyncio.gather(*(self._to_topic(self._producer, one) for one in letters))

    async def _to_topic(self, producer: AIOKafkaProducer, letter: DeadLetter) -> None:
        headers = [
            *((name, content) for name, content in letter.record.headers),
            (f"{_PREFIX}reason", letter.reason.value.encode()),
            (f"{_PREFIX}detail", letter.detail.encode()),
            (f"{_PREFIX}topic", letter.partition.topic.encode()),
            (f"{_PREFIX}partition", str(letter.partition.partition).encode()),
            (f"{_PREFIX}offset", str(letter.record.offset).encode()),
            (f"{_PREFIX}timestamp", str(letter.record.timestamp).encode()),
        ]
        try:
            await send_as_is(
                producer,
                self._topic,
                key=letter.record.key,
                value=letter.record.value,
                headers=headers,
            )
        except MessageSizeTooLargeError:
            # With our headers it is larger than the topic takes. It is whole in the table.
            log.error(
                "%s offset %d is too large for %s (raise its max.message.bytes);"
                " it is in the table dead_letters only",
                letter.partition,
                letter.record.offset,
                self._topic,
            )

    async def _to_table(self, letters: Sequence[DeadLetter]) -> None:
        rows = [
            (
                letter.partition.label,
                letter.partition.partition,
                letter.record.offset,
                letter.reason.value,
                letter.detail,
                letter.record.key,
                letter.record.value,
                [(name.encode(), content) for name, content in letter.record.headers],
                as_time(letter.record.timestamp),
                _BURIED_AT,
            )
            for letter in letters
        ]
        await self._client.insert("dead_letters", rows, _COLUMNS, settings={"async_insert": 0})


# The oldest there is: burying again, after a crash, must not undo a replay or a drop.
_BURIED_AT = datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS = [
    *("source_topic", "source_partition", "source_offset", "reason", "detail"),
    *("key", "value", "headers", "source_timestamp", "updated_at"),
]
