"""Hands the records that the group's client fetches to their partitions' accumulators."""

import asyncio
import itertools
import logging
import operator
import time
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.delivery.offsets import KafkaOffsetStore
from activity_consume.errors import GapError, StopError, first_line
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.sources.unreadable import Unreadables

log = logging.getLogger(__name__)

Client = Callable[[], tuple[AIOKafkaConsumer, KafkaOffsetStore]]
Accumulators = Callable[[], Mapping[TopicPartition, BatchAccumulator]]

_topic_partition = operator.attrgetter("topic", "partition")


class RecordRouter:
    """What the client calls: with records, with nothing, with an error. Nothing of it is raised:
    `stop` is called with what must end the consumer."""

    def __init__(
        self,
        client: Client,
        accumulators: Accumulators,
        unreadables: Unreadables,
        *,
        stats: Stats,
        memory: MemoryBudget,
        stop: Callable[[Exception], None],
    ) -> None:
        """`accumulators`: of the partitions that are read; of others no record is taken."""
        self._client = client
        self._accumulators = accumulators
        self._unreadables = unreadables
        self._stats = stats
        self._memory = memory
        self._stop = stop
        #: Held by whoever takes records.
        self.taking = asyncio.Lock()

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Records of any partitions, each partition's in order. Waits while memory is full."""
        async with self.taking:
            try:
                await self._take(records)
                await self._pass_over()
            except GapError as error:
                self._stop(error)
                return
            except Exception as error:
                # FastStream would log it and go on without these records.
                log.exception("unexpected")
                self._stop(StopError(f"{type(error).__name__}: {first_line(error)}"))
                return
        self._stats.health.recovered("client")
        await self._memory.wait()

    async def idle(self) -> None:
        """The client has nothing to hand over; but it may have passed over something."""
        self._stats.health.recovered("client")
        async with self.taking:
            await self._pass_over()

    async def failed(self, error: Exception) -> None:
        """The client has raised this when it was asked for records, and may have dropped some of
        any partition: each is read beside it, and then by it from where we are."""
        if isinstance(error, NoOffsetForPartitionError):
            return  # nothing is read before a take-over has said from where
        self._unreadables.rewind()
        async with self.taking:
            try:
                await self._unreadables.after(error)
            except GapError as found:
                self._stop(found)

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        for (topic, partition), group in itertools.groupby(records, _topic_partition):
            accumulator = self._accumulators().get(TopicPartition(topic, partition))
            if accumulator is None:
                continue  # it has left: its next owner reads them
            of_partition = list(group)
            if not await self._is_next(accumulator, of_partition):
                continue
            self._memory.take(accumulator.add(of_partition, time.time()))
            accumulator.behind_by(self._lag(accumulator))

    async def _is_next(
        self, accumulator: BatchAccumulator, records: Sequence[ConsumerRecord]
    ) -> bool:
        """No: they were on their way here when the client was sent to another place, and come once
        more from there. Offsets that are left out have no record."""
        place = await self._place(accumulator.partition)
        if accumulator.next_offset <= records[0].offset and records[-1].offset < place:
            return True
        consumer, _ = self._client()
        if accumulator.partition in consumer.assignment():
            consumer.seek(accumulator.partition, accumulator.next_offset)
        return False

    async def _place(self, partition: TopicPartition) -> int:
        """The next offset that the client will hand over; -1: the group is taking it away."""
        _, offset_store = self._client()
        try:
            return await offset_store.position(partition)
        except IllegalStateError:
            return -1

    async def _pass_over(self) -> None:
        """All that the client has handed over is taken: what it has passed over were no records."""
        for partition, accumulator in self._accumulators().items():
            if not self._unreadables.stands(partition):
                accumulator.pass_over(await self._place(partition), time.time())

    def _lag(self, accumulator: BatchAccumulator) -> int:
        """Messages that Kafka has and we have not taken, as of the last fetch."""
        consumer, _ = self._client()
        return (consumer.highwater(accumulator.partition) or 0) - accumulator.next_offset
