"""A partition that a rebalance takes away and gives back goes on from memory, and is asked for in
the table where somebody else may have had it."""

import asyncio
from typing import Any, cast

import aiokafka

from activity_consume.delivery.lease import Lease
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.record import TopicPartition
from activity_consume.sources.assignment import Assignment
from tests.support.writers import TwoPartitions

PATIENCE_S = 30.0
_NO_GUARD = cast("Any", None)


class _Opens:
    """An opener that has each partition's writer at once."""

    def __init__(self, consumer: TwoPartitions) -> None:
        self._rest, self._writers = consumer.opener(), consumer.writers

    def __getattr__(self, name: str) -> object:
        return getattr(self._rest, name)

    async def open(self, partition: TopicPartition, *_: object) -> PartitionWriter:
        return self._writers[partition.partition]


class _Fetches:
    """A Kafka consumer that is told where to go on."""

    def pause(self, *_: object) -> None:
        pass

    def seek(self, *_: object) -> None:
        pass

    def resume(self, *_: object) -> None:
        pass


async def _ended(consumer: TwoPartitions) -> PartitionWriter:
    """The second writer, with its five events in memory: the first has had the turn."""
    first, second = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close(write=False)
    consumer.table.go.set()
    await asyncio.wait_for(asyncio.gather(first, second), PATIENCE_S)
    consumer.memory.empty()
    return consumer.writers[1]


async def _reopened(consumer: TwoPartitions, left: PartitionWriter) -> PartitionWriter | None:
    return await consumer.opener().reopen(left, cast("Any", consumer.group), lambda: 2)


async def test_what_was_in_memory_is_written_without_a_question() -> None:
    consumer = TwoPartitions(flush_timeout_s=600)
    left = await _ended(consumer)
    assert consumer.memory.used == 0
    writer = await _reopened(consumer, left)
    assert writer is not None and writer.settled == 0
    assert consumer.memory.used > 0
    task = asyncio.create_task(writer.run())
    writer.close()
    await asyncio.wait_for(task, PATIENCE_S)
    assert consumer.table.begun == [0, 1]
    assert consumer.group.commits[1][0] == 5
    assert consumer.memory.used == 0


async def test_one_that_was_written_goes_on_after_it() -> None:
    consumer = TwoPartitions(flush_timeout_s=600)
    await _ended(consumer)
    writer = await _reopened(consumer, consumer.writers[0])
    assert writer is not None and writer.settled == 5
    task = asyncio.create_task(writer.run())
    writer.close()
    await asyncio.wait_for(task, PATIENCE_S)
    assert consumer.table.begun == [0]
    offset, lease = consumer.group.commits[0]
    assert (offset, lease.released, lease.written) == (5, True, 0)


async def test_a_commit_of_somebody_else_is_asked_about() -> None:
    """Also one of the same offset that was released: he may have written, and lost it again."""
    consumer = TwoPartitions(flush_timeout_s=600)
    left = await _ended(consumer)
    mine = consumer.group.commits[1]
    for foreign in (Lease(0, released=True), Lease(0, released=True, mark="another"), Lease(5)):
        consumer.group.commits[1] = mine[0], foreign
        assert await _reopened(consumer, left) is None
    consumer.group.commits[1] = mine[0] + 1, mine[1]
    assert await _reopened(consumer, left) is None
    del consumer.group.commits[1]
    assert await _reopened(consumer, left) is None
    assert consumer.memory.used == 0
    consumer.group.commits[1] = mine
    assert await _reopened(consumer, left) is not None


async def test_two_releases_are_never_alike() -> None:
    """Nothing was written in between, and yet somebody could have."""
    consumer = TwoPartitions(flush_timeout_s=600)
    left = await _ended(consumer)
    writer = await _reopened(consumer, left)
    assert writer is not None
    task = asyncio.create_task(writer.run())
    writer.close(write=False)
    await asyncio.wait_for(task, PATIENCE_S)
    assert writer.left is not None and left.left is not None
    assert writer.left.offset == left.left.offset == 0
    assert writer.left != left.left
    assert await _reopened(consumer, left) is None


async def test_nobody_to_ask_or_another_topic_is_the_long_way() -> None:
    consumer = TwoPartitions(flush_timeout_s=600)
    left = await _ended(consumer)
    consumer.group.away = True
    assert await _reopened(consumer, left) is None
    consumer.group.away = False
    consumer.has_changed = True
    assert await _reopened(consumer, left) is None


async def test_one_that_broke_off_is_asked_about() -> None:
    """Its insert may be in the table or not."""
    consumer = TwoPartitions(flush_timeout_s=600)
    task = asyncio.create_task(consumer.writers[0].run())
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    consumer.writers[0].close(write=False)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert consumer.writers[0].left is None
    assert await _reopened(consumer, consumer.writers[0]) is None


async def test_a_topic_that_changes_while_a_rebalance_takes_it_stops_nobody() -> None:
    consumer = TwoPartitions(flush_timeout_s=600)
    consumer.has_changed = True
    opener, client = _Opens(consumer), (_Fetches(), None)
    assignment = Assignment(cast("Any", opener), cast("Any", lambda: client), topic=_NO_GUARD)
    async with assignment.router.taking:  # so the writer that has ended cannot be put away yet
        await assignment.on_partitions_assigned([aiokafka.TopicPartition("events", 0)])
        await asyncio.wait_for(consumer.asked.wait(), PATIENCE_S)
        for _ in range(20):  # rounds of the loop: it ends, and waits
            await asyncio.sleep(0)
        revoking = asyncio.create_task(assignment.on_partitions_revoked([]))
        await asyncio.sleep(0)
    await asyncio.wait_for(revoking, PATIENCE_S)
    assert not assignment.stopped.done()
    assert assignment.settled() == {}
