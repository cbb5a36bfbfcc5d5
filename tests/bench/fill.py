"""The same events in a topic and in a file."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from activity_deploy.kafka.topics import Topic, create
from tests.bench.events import Event, Events

PARTITIONS = 4
# As the emitter's: what a busy service sends at once. Not compressed, which is its default.
_BATCH_BYTES = 256 << 10
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Filled:
    """A topic, and a file of newline-delimited JSON with the same events in the same order."""

    bootstrap: str
    topic: str
    file: Path
    count: int
    distinct: int
    bytes: int


async def fill(bootstrap: str, topic: str, events: Events, file: Path) -> Filled:
    """Create the topic (`<topic>.dlq` beside it) and write all events to both."""
    await create(bootstrap, [Topic(topic, PARTITIONS), Topic(f"{topic}.dlq", PARTITIONS)])
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_batch_size=_BATCH_BYTES
    ) as producer:
        writer = _Writer(producer, topic)
        size = 0
        with file.open("wb") as out:
            for some in _chunks(events):
                size += out.write(b"".join(event.value + b"\n" for event in some))
                for event in some:
                    await writer.write(event)
        await writer.flush()
    return Filled(bootstrap, topic, file, events.count, events.distinct, size)


class _Writer:
    """Builds each partition's batches itself: a tenth of the time of a `send` per event."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._open = [producer.create_batch() for _ in range(PARTITIONS)]
        self._sent: list[asyncio.Future[object]] = []

    async def write(self, event: Event) -> None:
        number = partition(event.key)
        if self._append(number, event) is None:
            await self._send(number)
            self._append(number, event)

    async def flush(self) -> None:
        """All of them acknowledged when this returns."""
        for number in range(PARTITIONS):
            await self._send(number)
        await asyncio.gather(*self._sent)

    def _append(self, number: int, event: Event) -> object:
        return self._open[number].append(key=event.key, value=event.value, timestamp=None)

    async def _send(self, number: int) -> None:
        batch, self._open[number] = self._open[number], self._producer.create_batch()
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, self._topic, partition=number))


@cache
def partition(key: bytes) -> int:
    """Kafka's default partitioner."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % PARTITIONS


def _chunks(events: Iterable[Event]) -> Iterable[list[Event]]:
    some: list[Event] = []
    for event in events:
        some.append(event)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
