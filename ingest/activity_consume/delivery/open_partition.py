"""Taking a partition over, from wherever it comes: asked until it is known where to go on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.offsets import OffsetStore
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.delivery.patience import Patience
from activity_consume.delivery.resume import resume
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import ClickHouseSink

_LONGEST_PAUSE_S = 1.0


async def _as_it_is(partition: TopicPartition) -> TopicPartition:
    return partition


@dataclass(frozen=True, slots=True)
class PartitionOpener:
    """Makes the writers of all partitions; what they share."""

    sink: ClickHouseSink
    dead_letters: DeadLetterWriter
    settings: ConsumerSettings
    stats: Stats
    memory: MemoryBudget

    async def open(
        self,
        partition: TopicPartition,
        offset_store: OffsetStore,
        partitions: Callable[[], int],
        admit: Callable[[TopicPartition], Awaitable[TopicPartition]] = _as_it_is,
    ) -> PartitionWriter:
        """A writer that goes on where the last one has ended; it does not run yet.

        Waits for the former owner's lease, and while Kafka or ClickHouse is away. `partitions`: how
        many share the memory. `admit`: the partition as the table names it. Raises GapError and
        PoisonError: it must not be read.
        """

        async def attempt() -> PartitionWriter:
            admitted = await admit(partition)
            accumulator = await resume(
                *(admitted, offset_store, self.sink, self.dead_letters.stops, self.settings),
                partitions=partitions(),
            )
            return PartitionWriter(
                accumulator,
                sink=self.sink,
                offset_store=offset_store,
                dead_letters=self.dead_letters,
                settings=self.settings,
                stats=self.stats,
                memory=self.memory,
            )

        patience = Patience(partition, self.stats)
        return await patience.wait_for("cannot take over yet", attempt, _LONGEST_PAUSE_S)
