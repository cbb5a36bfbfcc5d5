"""The group's committed offsets, with the leases in their metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from activity_consume.batching.batch import Source
from activity_consume.delivery.lease import Lease
from activity_consume.sources.kafka_log import KafkaLog, Piece


class PartitionLostError(Exception):
    """The group has given the partition away: whatever is in memory is somebody else's now."""


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


class CommitLog(Protocol):
    """Where a partition's progress is kept, with the lease beside it."""

    async def commit(self, source: Source, offset: int, lease: Lease) -> None: ...

    async def committed(self, source: Source) -> Committed | None: ...

    async def bounds(self, source: Source) -> LogBounds: ...


class Commits:
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

    async def commit(self, source: Source, offset: int, lease: Lease) -> None:
        """Confirmed by the group's coordinator when this returns; waits while that is away.

        Raises PartitionLostError, and KafkaError for what waiting does not mend.
        """
        partition = TopicPartition(source.topic, source.partition)
        metadata = lease.encode(source.generation)
        try:
            await self._consumer.commit({partition: OffsetAndMetadata(offset, metadata)})
        except (CommitFailedError, IllegalStateError) as error:
            raise PartitionLostError(str(error)) from error

    async def committed(self, source: Source) -> Committed | None:
        """The last commit, as the coordinator has it. Raises KafkaError."""
        partition = TopicPartition(source.topic, source.partition)
        # The consumer's own `committed()` leaves the metadata out.
        offsets = await self._admin.list_consumer_group_offsets(
            self._group_id, partitions=[partition]
        )
        found = offsets.get(partition)
        if found is None or found.offset < 0:
            return None
        return Committed(found.offset, Lease.decode(found.metadata or "", source.generation))

    async def read(self, source: Source, offset: int) -> Piece:
        """One fetch, beside the client. Raises KafkaError."""
        return await self._log.read(source, offset)

    async def position(self, source: Source) -> int:
        """The next offset that the client will hand over."""
        position: int = await self._consumer.position(
            TopicPartition(source.topic, source.partition)
        )
        return position

    async def bounds(self, source: Source) -> LogBounds:
        """Raises KafkaError."""
        return LogBounds(*await self._log.bounds(source))

    async def stable_ends(self, sources: Sequence[Source]) -> dict[Source, int]:
        """How far each partition can be read: what comes later waits for an open transaction.
        Raises KafkaError."""
        partitions = {one: TopicPartition(one.topic, one.partition) for one in sources}
        ends = await self._consumer.end_offsets(list(partitions.values()))
        return {one: ends[partition] for one, partition in partitions.items()}
