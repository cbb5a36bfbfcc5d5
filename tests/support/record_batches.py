"""A topic's record batches as the broker has them: their codecs, and what is no event."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_READ_UNCOMMITTED = 0
_FETCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """`values`: of its records, aborted ones and all; none of a transaction's marker."""

    partition: int
    next_offset: int
    codec: str
    is_transactional: bool
    is_marker: bool
    values: list[bytes]


async def record_batches(bootstrap: str, topic: str, partitions: int) -> list[RecordBatch]:
    """All of them, partition by partition, in their order."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        client.set_topics([topic])
        await client.force_metadata_update()
        return [
            batch
            for number in range(partitions)
            async for batch in _of_partition(client, topic, number)
        ]
    finally:
        await client.close()


async def _of_partition(
    client: AIOKafkaClient, topic: str, partition: int
) -> AsyncIterator[RecordBatch]:
    [leader] = {one.nodeId for one in client.cluster.brokers()}
    offset = 0
    while True:
        request = FetchRequest(
            *(0, 1, _FETCH_BYTES, _READ_UNCOMMITTED),
            [(topic, [(partition, offset, _FETCH_BYTES)])],
        )
        answer = await client.send(leader, request)
        [(_, [(_, code, *_, data)])] = answer.topics
        assert code == 0, code
        read = MemoryRecords(data)
        if not read.has_next():
            return
        while read.has_next():
            batch = read.next_batch()
            offset = batch.next_offset
            yield RecordBatch(
                partition,
                offset,
                _CODECS[batch.attributes & 7],
                batch.is_transactional,
                batch.is_control_batch,
                [] if batch.is_control_batch else [record.value for record in batch],
            )
