"""Taking a partition over, from wherever it comes: asked until it is known where to go on."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.lease import ServerClock
from activity_consume.delivery.offsets import OffsetStore
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.delivery.patience import Patience
from activity_consume.delivery.resume import resume
from activity_consume.erasure.known import Erasures
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.settled_offsets import SettledOffsets

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 1.0


async def _never_changes() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Admission:
    """That a partition may be read: how the table names it, and what is known of its topic."""

    partition: TopicPartition
    #: Ids born before this (Unix milliseconds) are looked up in the table.
    lookup_born_before_ms: int = 0
    #: Whether all that still holds; see PartitionWriter.
    is_unchanged: Callable[[], Awaitable[bool]] = _never_changes


async def _as_it_is(partition: TopicPartition) -> Admission:
    return Admission(partition)


@dataclass(frozen=True, slots=True)
class PartitionOpener:
    """Makes the writers of all partitions; what they share."""

    sink: ClickHouseSink
    dead_letters: DeadLetterWriter
    settings: ConsumerSettings
    stats: Stats
    memory: MemoryBudget
    erasures: Erasures
    settled: SettledOffsets
    clock: ServerClock = field(default_factory=ServerClock)

    async def open(
        self,
        partition: TopicPartition,
        offset_store: OffsetStore,
        partitions: Callable[[], int],
        admit: Callable[[TopicPartition], Awaitable[Admission]] = _as_it_is,
    ) -> PartitionWriter:
        """A writer that goes on where the last one has ended; it does not run yet.

        Waits for the former owner's lease, and while Kafka or ClickHouse is away. `partitions`: how
        many share the memory. `admit`: says how it is to be read. Raises GapError and PoisonError:
        it must not be read.
        """

        async def attempt() -> PartitionWriter:
            admission = await admit(partition)
            accumulator = await resume(
                *(
                    admission.partition,
                    offset_store,
                    self.sink,
                    self.dead_letters.stops,
                    self.settings,
                ),
                partitions=partitions(),
                erasures=self.erasures,
            )
            await self.settled.take_over(admission.partition, accumulator.next_offset)
            accumulator.lookup_born_before(admission.lookup_born_before_ms)
            is_unchanged, settled = admission.is_unchanged, accumulator.next_offset
            return self._writer(accumulator, offset_store, is_unchanged, settled)

        self.stats.held(partition)
        patience = Patience(partition, self.stats)
        writer = await patience.wait_for("cannot take over yet", attempt, _LONGEST_PAUSE_S)
        self.stats.state.settled_offset[partition] = writer.settled
        return writer

    async def reopen(
        self, left: PartitionWriter, offset_store: OffsetStore, partitions: Callable[[], int]
    ) -> PartitionWriter | None:
        """A writer that goes on where `left` has ended, with what that had in memory. None: the
        last commit is not the one that it has left, so somebody else may have written meanwhile;
        or that cannot be told now. Raises GapError: the topic is another one.

        Nobody inserts anything before his own first commit has succeeded.
        """
        accumulator = left.accumulator
        partition = accumulator.partition
        try:
            if left.left is None or await offset_store.committed(partition) != left.left:
                return None
            if not await left.is_unchanged():
                return None
        except (KafkaError, ClickHouseError):
            return None
        accumulator.remember(max(1, self.settings.id_window // partitions()))
        accumulator.written_base = left.written
        if left.settled == accumulator.next_offset:
            accumulator.filled.clear()
        self.memory.take(accumulator.size)
        log.info("%s: is back, goes on at offset %d", partition, accumulator.next_offset)
        self.stats.held(partition)
        self.stats.state.settled_offset[partition] = left.settled
        return self._writer(accumulator, offset_store, left.is_unchanged, left.settled)

    def _writer(
        self,
        accumulator: BatchAccumulator,
        offset_store: OffsetStore,
        is_unchanged: Callable[[], Awaitable[bool]],
        settled: int,
    ) -> PartitionWriter:
        return PartitionWriter(
            accumulator,
            sink=self.sink,
            offset_store=offset_store,
            dead_letters=self.dead_letters,
            settings=self.settings,
            stats=self.stats,
            memory=self.memory,
            erasures=self.erasures,
            is_unchanged=is_unchanged,
            clock=self.clock,
            settled=settled,
        )

    async def tell(self, partition: TopicPartition, settled: int) -> None:
        """Readers are told how far a partition came that ends here. Waits while ClickHouse is
        away."""
        patience = Patience(partition, self.stats)
        await patience.wait_for(
            "how far it came", lambda: self.settled.tell({partition: settled}), _LONGEST_PAUSE_S
        )
