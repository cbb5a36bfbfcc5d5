"""Writers of partitions, with a table and a group that the test holds up or lets go on."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

from aiokafka.errors import KafkaConnectionError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.dedup import DedupWindow
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.batching.rows import PackedRows, Row
from activity_consume.delivery.lease import Lease, ServerClock
from activity_consume.delivery.offsets import Committed
from activity_consume.delivery.open_partition import PartitionOpener
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.erasure.rules import NONE, Rules
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from tests.support.consumer import event, message
from tests.support.records import Message


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
    """The last commit of each partition; `away`: nobody can be asked."""

    def __init__(self) -> None:
        self.commits: dict[int, tuple[int, Lease]] = {}
        self.away = False

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        self.commits[partition.partition] = offset, lease

    async def committed(self, partition: TopicPartition) -> Committed | None:
        if self.away:
            raise KafkaConnectionError
        found = self.commits.get(partition.partition)
        return Committed(*found) if found else None


class Nothing:
    """No dead letters, and nothing was erased."""

    async def write(self, letters: object) -> None:
        del letters

    async def fresh(self) -> Rules:
        return NONE


class TwoPartitions:
    """Of one consumer: five events in memory of each, and one turn to insert."""

    def __init__(self, flush_timeout_s: float) -> None:
        self.table, self.group = Table(), Group()
        self.has_changed = False  # the topic
        self.asked = asyncio.Event()  # whether it has
        self._settings = ConsumerSettings(flush_timeout_s=flush_timeout_s, batch_max_age_s=0.001)
        self.memory = MemoryBudget(1 << 20, 1)
        self._nothing = cast("Any", Nothing())
        self.writers = [self._writer(number) for number in range(2)]

    def _writer(self, number: int) -> PartitionWriter:
        partition = TopicPartition("events", number)
        accumulator = BatchAccumulator(partition, 0, set(), DedupWindow(1000), self._settings)
        writer = PartitionWriter(
            accumulator,
            sink=cast("Any", self.table),
            offset_store=cast("Any", self.group),
            dead_letters=self._nothing,
            settings=self._settings,
            stats=Stats(),
            memory=self.memory,
            erasures=self._nothing,
            is_unchanged=self._is_unchanged,
            clock=ServerClock(),
            settled=0,
        )
        values = [message(event("acme")) for _ in range(5)]
        records = [Message(offset, value) for offset, value in enumerate(values)]
        self.memory.take(accumulator.add(records, time.time()))
        return writer

    async def _is_unchanged(self) -> bool:
        self.asked.set()
        return not self.has_changed

    def opener(self) -> PartitionOpener:
        """With what the writers have, and nothing that could ask the table how far it is."""
        return PartitionOpener(
            *(cast("Any", self.table), self._nothing, self._settings, Stats(), self.memory),
            erasures=self._nothing,
            settled=self._nothing,
        )
