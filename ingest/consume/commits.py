"""The group's committed offsets, with the leases in their metadata."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, CorruptRecordException, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from ingest.consume.batch import Source
from ingest.consume.lease import Lease

# Records read again at a time: more come with the next look.
_MANY = 5000


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
        reader: Callable[[], AIOKafkaConsumer],
    ) -> None:
        """`reader` makes a consumer outside of the group, not started."""
        self._reader = reader
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

    async def read_again(
        self, source: Source, first: int, end: int
    ) -> tuple[list[ConsumerRecord], str]:
        """The records in `[first, end)`, one by one; and, where one cannot be read, which and why.

        aiokafka passes over all it has fetched when it cannot parse one message (a header's name
        that is not UTF-8, a wrong checksum). Raises KafkaError.
        """
        partition = TopicPartition(source.topic, source.partition)
        records: list[ConsumerRecord] = []
        async with self._reader() as reader:
            reader.assign([partition])
            reader.seek(partition, first)
            while len(records) < _MANY and await reader.position(partition) < end:
                try:
                    found = await reader.getmany(partition, timeout_ms=200, max_records=1)
                except (UnicodeDecodeError, CorruptRecordException) as error:
                    at = records[-1].offset + 1 if records else first
                    return records, f"offset {at}: {error}"
                records += [one for one in found.get(partition, ()) if one.offset < end]
            return records, ""

    async def position(self, source: Source) -> int:
        """The next offset that the client will hand over."""
        position: int = await self._consumer.position(
            TopicPartition(source.topic, source.partition)
        )
        return position

    async def bounds(self, source: Source) -> LogBounds:
        """Raises KafkaError."""
        partition = TopicPartition(source.topic, source.partition)
        begin, end = await asyncio.gather(
            self._consumer.beginning_offsets([partition]), self._consumer.end_offsets([partition])
        )
        return LogBounds(begin[partition], end[partition])
