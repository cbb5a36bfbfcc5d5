"""The group's committed offsets, with the leases in their metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from activity_consume.brokers.kafka_log import KafkaLog, Piece
from activity_consume.delivery.lease import Lease
from activity_consume.errors import PartitionLostError
from activity_consume.record import TopicPartition


@dataclass(frozen=True, slots=True)
class Committed:
    """The last commit. `lease` None: it is not one of ours, so its offset is not to be trusted."""

    offset: int
    lease: Lease | None


@dataclass(frozen=True, slots=True)
class LogBounds:
    """The first offset that the topic still has, and the one that its next message will get."""

    begin: int
    end: int


class OffsetStore(Protocol):
    """Where a partition's progress is kept, with the lease beside it.

    Called by PartitionWriter and by `resume`, of one partition by one task at a time.
    """

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        """All below `offset` is settled. Kept when this returns; may wait for a coordinator.
        Raises PartitionLostError where the partition is no longer ours."""

    async def committed(self, partition: TopicPartition) -> Committed | None:
        """The last commit, whoever made it; None: there is none."""

    async def bounds(self, partition: TopicPartition) -> LogBounds:
        """What there is to be read."""


class KafkaOffsetStore:
    """In Kafka: commits one partition at a time, fenced by the group's generation."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        group_id: str,
        log: KafkaLog,
    ) -> None:
        self._log = log
        self._consumer = consumer
        self._admin = admin
        self._group_id = group_id

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        """Confirmed by the group's coordinator when this returns; waits while that is away.

        Raises PartitionLostError, and KafkaError for what waiting does not mend.
        """
        metadata = lease.encode(partition.generation)
        try:
            await self._consumer.commit({partition: OffsetAndMetadata(offset, metadata)})
        except (CommitFailedError, IllegalStateError) as error:
            raise PartitionLostError(str(error)) from error

    async def committed(self, partition: TopicPartition) -> Committed | None:
        """The last commit, as the coordinator has it. Raises KafkaError."""
        # The consumer's own `committed()` leaves the metadata out.
        offsets = await self._admin.list_consumer_group_offsets(
            self._group_id, partitions=[partition]
        )
        found = offsets.get(partition)
        if found is None or found.offset < 0:
            return None
        return Committed(found.offset, Lease.decode(found.metadata or "", partition.generation))

    async def read(self, partition: TopicPartition, offset: int) -> Piece:
        """One fetch, beside the client. Raises KafkaError."""
        return await self._log.read(partition, offset)

    async def position(self, partition: TopicPartition) -> int:
        """The next offset that the client will hand over."""
        position: int = await self._consumer.position(partition)
        return position

    async def bounds(self, partition: TopicPartition) -> LogBounds:
        """Raises KafkaError."""
        return LogBounds(*await self._log.bounds(partition))

    async def stable_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """How far each partition can be read: what comes later waits for an open transaction.
        Raises KafkaError."""
        ends = await self._consumer.end_offsets(partitions)
        return {one: ends[one] for one in partitions}
