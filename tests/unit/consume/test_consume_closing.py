"""A writer that must close: what is on the way ends, what has its turn soon is written, and nobody
waits for the rest."""

import asyncio

from tests.support.writers import TwoPartitions

PATIENCE_S = 30.0


async def test_who_does_not_get_a_turn_soon_releases_without_writing() -> None:
    consumer = TwoPartitions(flush_timeout_s=1)
    first, second = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close()
    await asyncio.wait_for(second, PATIENCE_S)
    assert consumer.table.begun == [0]
    offset, lease = consumer.group.commits[1]
    assert offset == 0 and lease.released  # the next owner reads the five, and need not wait
    assert not first.done()
    consumer.table.go.set()
    await asyncio.wait_for(first, PATIENCE_S)
    offset, lease = consumer.group.commits[0]
    assert offset == 5 and lease.released
    assert consumer.table.begun == [0]


async def test_whose_turn_comes_soon_is_written() -> None:
    consumer = TwoPartitions(flush_timeout_s=600)
    tasks = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close()
    consumer.table.go.set()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
    assert consumer.table.begun == [0, 1]
    assert [offset for offset, _ in consumer.group.commits.values()] == [5, 5]
    assert all(lease.released for _, lease in consumer.group.commits.values())


async def test_nothing_begins_after_that_time() -> None:
    consumer = TwoPartitions(flush_timeout_s=0.0001)
    consumer.table.go.set()
    for writer in consumer.writers:
        writer.close()
    await asyncio.sleep(0.001)  # it is over
    await asyncio.wait_for(
        asyncio.gather(*(writer.run() for writer in consumer.writers)), PATIENCE_S
    )
    assert consumer.table.begun == []
    assert [offset for offset, _ in consumer.group.commits.values()] == [0, 0]


async def test_turns_are_given_back() -> None:
    """A consumer that gives its partitions back may get others: none of its turns is lost."""
    consumer = TwoPartitions(flush_timeout_s=0.01)
    tasks = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close()
    await asyncio.wait_for(tasks[1], PATIENCE_S)
    consumer.table.go.set()
    await asyncio.wait_for(tasks[0], PATIENCE_S)
    assert not consumer.memory.turns.locked()


async def test_in_a_rebalance_no_insert_begins() -> None:
    """All members wait for the slowest; however much time there were."""
    consumer = TwoPartitions(flush_timeout_s=600)
    first, second = [asyncio.create_task(writer.run()) for writer in consumer.writers]
    await asyncio.wait_for(consumer.table.came.wait(), PATIENCE_S)
    for writer in consumer.writers:
        writer.close(write=False)
    await asyncio.wait_for(second, PATIENCE_S)
    consumer.table.go.set()
    await asyncio.wait_for(first, PATIENCE_S)
    assert consumer.table.begun == [0]
    assert [offset for offset, _ in consumer.group.commits.values()] == [5, 0]
    assert all(lease.released for _, lease in consumer.group.commits.values())
