"""A topic as the brokers have it, read beside the group: its bounds, and one fetch at a time."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import (
    CorruptRecordException,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    UnknownError,
    for_code,
)
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from activity_consume.record import TopicPartition

_EARLIEST, _LATEST = -2, -1
_FETCH_BYTES = 1 << 20
_NO_SUCH_NODE = (None, -1)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Messages `[offset, end)`, to the end of their record batch, that the client library cannot
    read. `why`: its own words, one line."""

    offset: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class Piece:
    """The records of one fetch, and the first offset after what was read: markers of transactions,
    aborted records and compacted ones are passed over."""

    records: list[ConsumerRecord]
    next_offset: int
    unreadable: Unreadable | None = None


class KafkaLog:
    """Everything raises KafkaError; then ask again."""

    def __init__(self, client: AIOKafkaClient) -> None:
        """`client`: started."""
        self._client = client

    async def lookup(self, topics: Sequence[str]) -> list[str]:
        """Ask some broker for the topics' metadata; the topics that are missing. Waits for all of
        the brokers that are away."""
        self._client.set_topics(topics)
        if not await self._client.force_metadata_update():
            raise KafkaConnectionError("no broker answers")
        return [one for one in topics if not self._client.cluster.partitions_for_topic(one)]

    def partitions(self, topic: str) -> list[int]:
        """Of a topic that was looked up, as the brokers told then."""
        return sorted(self._client.cluster.partitions_for_topic(topic) or ())

    async def coordinator(self, group_id: str) -> int:
        """The node that is the group's coordinator. Asks the brokers, one after the other."""
        failed: KafkaError = KafkaConnectionError("no broker is known")
        for broker in self._client.cluster.brokers():
            try:
                request = FindCoordinatorRequest(group_id, CoordinationType.GROUP)
                answer = await self._client.send(broker.nodeId, request)
                _raise(answer.error_code, "its coordinator")
                return int(answer.coordinator_id)
            except KafkaError as error:
                failed = error
        raise failed

    async def members(self, coordinator: int, group_id: str) -> int:
        """How many members a group has, as its coordinator knows."""
        answer = await self._client.send(coordinator, DescribeGroupsRequest([group_id]))
        [(code, _, _, _, _, members, *_)] = answer.groups
        _raise(code, f"group {group_id}")
        return len(members)

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that each partition's next message will get, whether what stands before it
        belongs to an open transaction or not."""
        return {one: (await self._offsets(one, _LATEST)) for one in partitions}

    async def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The first offset that the topic still has, and that of its next message."""
        return await self._offsets(partition, _EARLIEST), await self._offsets(partition, _LATEST)

    async def read(self, partition: TopicPartition, offset: int) -> Piece:
        """What one fetch brings from an offset on; nothing, if there is nothing.

        Raises OffsetOutOfRangeError for an offset that the topic does not have.
        """
        request = FetchRequest(
            *(0, 1, _FETCH_BYTES, READ_COMMITTED),
            [(partition.topic, [(partition.partition, offset, _FETCH_BYTES)])],
        )
        leader = await self._leader(partition)
        try:
            answer = await self._client.send(leader, request)
            [(_, [(_, code, _, *rest)])] = answer.topics
        except KafkaError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library raises is the finding
            return Piece([], offset, Unreadable(offset, offset + 1, _words(error)))
        refused = for_code(code)
        if refused in (CorruptRecordException, UnknownError):
            why = f"the broker cannot read it: {refused.__name__}"
            return Piece([], offset, Unreadable(offset, offset + 1, why))
        await self._check(code, partition)
        aborted = rest[2] if answer.API_VERSION >= 11 else rest[-2]
        return parse(partition, rest[-1], aborted, offset)

    async def _offsets(self, partition: TopicPartition, when: int) -> int:
        request = OffsetRequest(
            -1, READ_UNCOMMITTED, [(partition.topic, [(partition.partition, when)])]
        )
        answer = await self._client.send(await self._leader(partition), request)
        [(_, [(_, code, *_, offset)])] = answer.topics
        await self._check(code, partition)
        return int(offset)

    async def _leader(self, partition: TopicPartition) -> int:
        leader = self._client.cluster.leader_for_partition(partition)
        if leader in _NO_SUCH_NODE:
            await self._client.force_metadata_update()
            leader = self._client.cluster.leader_for_partition(partition)
        if leader in _NO_SUCH_NODE:
            raise LeaderNotAvailableError(str(partition))
        return int(leader)

    async def _check(self, code: int, partition: TopicPartition) -> None:
        if getattr(for_code(code), "invalid_metadata", False):
            await self._client.force_metadata_update()
        _raise(code, str(partition))


def parse(
    partition: TopicPartition, data: bytes, aborted: Sequence[tuple[int, int]] | None, offset: int
) -> Piece:
    """The records of a fetch's answer, as aiokafka's consumer would hand them over, up to the first
    that it cannot read."""
    records: list[ConsumerRecord] = []
    at = offset
    try:
        read = PartitionRecords(
            *(partition, MemoryRecords(data), aborted, offset, None, None, True, READ_COMMITTED)
        )
        try:
            for record in read:
                records.append(record)
        finally:
            at = max(offset, read.next_fetch_offset)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the finding
        first, end = _record_batch(data, at)
        return Piece(records, first, Unreadable(first, end, _words(error)))
    return Piece(records, at)


def _record_batch(data: bytes, offset: int) -> tuple[int, int]:
    """The part `[offset, end)` of the record batch that an offset is in; of the next one, where the
    offset is in none. Read from its header alone, which is never compressed."""
    place = 0
    while place + _HEADER <= len(data):
        base, length = struct.unpack_from(">qi", data, place)
        last = base  # in formats 0 and 1 a compressed set has the offset of its last message
        if data[place + _MAGIC] >= 2:
            last += struct.unpack_from(">i", data, place + _LAST_DELTA)[0]
            offset = max(offset, base) if last >= offset else offset
        if last >= offset:
            return offset, last + 1
        place += _LENGTH_END + max(length, 1)
    return offset, offset + 1


_LENGTH_END, _MAGIC, _LAST_DELTA, _HEADER = 12, 16, 23, 27


def _raise(code: int, what: str) -> None:
    error: Any = for_code(code)
    if error.errno != 0:
        raise error(what)


def _words(error: Exception) -> str:
    [text, *_] = [*str(error).strip().splitlines(), ""]
    name = type(error).__name__
    return text[:300] if text.startswith(name) else f"{name}: {text[:300]}".removesuffix(": ")
