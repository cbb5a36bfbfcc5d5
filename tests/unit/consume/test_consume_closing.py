"""A writer that must close: what is on the way ends, what has its turn soon is written, and nobody
waits for the rest."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.dedup import DedupWindow
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.batching.rows import PackedRows, Row
from activity_consume.delivery.lease import Lease
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.erasure.rules import NONE, Rules
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from tests.support.consumer import event, message
from tests.support.records import Message

PATIENCE_S = 30.0


class Table:
    """Takes each insert when `go` is set. `begun`: the partitions whose insert has come so far."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go = asyncio.Event()
        self.came = asyncio.Event()

    async def now_ms(self) -> int:
        return 0

    async def insert(
        self, partition: TopicPartition, base: int, lease_ms: int, rows: Sequence[Row | PackedRows]
    ) -> None:
        del base, lease_ms, rows
        self.begun.append(partition.partition)
        self.came.set()
        await self.go.wait()


class Group:
    """The last commit of each partition."""

    def __init__(self) -> None:
        self.committed: dict[int, tuple[int, Lease]] = {}

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        self.committed[partition.partition] = offset, lease


class Nothing:
    """No dead letters, and nothing was erased."""

    async def write(self, letters: object) -> None:
        del letters

    async def fresh(self) -> Rules:
        return NONE


async def _unchanged() -> bool:
    return True


class Consumer:
    """Two partitions with five events each, and one turn to insert."""

    def __init__(self, flush_timeout_s: float) -> None:
        self.table, self.group = Table(), Group()
        self._settings = ConsumerSettings(flush_timeout_s=flush_timeout_s, batch_max_age_s=0.001)
        self._memory = MemoryBudget(1 << 20, 1)
        self.writers = [self._writer(number) for number in range(2)]

    def _writer(self, number: int) -> PartitionWriter:
        partition = TopicPartition("events", number)
        accumulator = BatchAccumulator(partition, 0, set(), DedupWindow(1000), self._settings)
        nothing = cast("Any", Nothing())
        writer = PartitionWriter(
            accumulator,
            sink=cast("Any", self.table),
            offset_store=cast("Any", self.group),
            dead_letters=nothing,
            settings=self._settings,
            stats=Stats(),
            memory=self._memory,
            erasures=nothing,
            is_unchanged=_unchanged,
        )
        values = [message(event("acme")) for _ in range(5)]
        records = [Message(offset, value) for offset, value in enumerate(values)]
        self._memory.take(accumulator.add(records, time.time()))
        return writer


async def test_who_does_not_get_a_turn_soon_releases_without_writing() -> None:
    consumer = Consumer(flush_timeout_s=1)
    first, second = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close()
    await asyncio.wait_for(second, PATIENCE_S)
    assert consumer.table.begun == [0]
    offset, lease = consumer.group.committed[1]
    assert offset == 0 and lease.released  # the next owner reads the five, and need not wait
    assert not first.done()
    consumer.table.go.set()
    await asyncio.wait_for(first, PATIENCE_S)
    offset, lease = consumer.group.committed[0]
    assert offset == 5 and lease.released
    assert consumer.table.begun == [0]


async def test_whose_turn_comes_soon_is_written() -> None:
    consumer = Consumer(flush_timeout_s=600)
    tasks = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close()
    consumer.table.go.set()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
    assert consumer.table.begun == [0, 1]
    assert [offset for offset, _ in consumer.group.committed.values()] == [5, 5]
    assert all(lease.released for _, lease in consumer.group.committed.values())


async def test_nothing_begins_after_that_time() -> None:
    consumer = Consumer(flush_timeout_s=0.0001)
    consumer.table.go.set()
    for writer in consumer.writers:
        writer.close()
    await asyncio.sleep(0.001)  # it is over
    await asyncio.wait_for(
        asyncio.gather(*(writer.run() for writer in consumer.writers)), PATIENCE_S
    )
    assert consumer.table.begun == []
    assert [offset for offset, _ in consumer.group.committed.values()] == [0, 0]


async def test_turns_are_given_back() -> None:
    """A consumer that gives its partitions back may get others: none of its turns is lost."""
    consumer = Consumer(flush_timeout_s=0.01)
    tasks = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close()
    await asyncio.wait_for(tasks[1], PATIENCE_S)
    consumer.table.go.set()
    await asyncio.wait_for(tasks[0], PATIENCE_S)
    assert not consumer._memory.turns.locked()
