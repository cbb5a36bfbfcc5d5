"""What producers do that ours do not: every codec, transactions."""

import asyncio

from aiokafka import AIOKafkaProducer

from tests.chaos.run import Run


async def codecs(run: Run) -> None:
    """Producers with every codec at once; the consumer is killed in between."""
    consumer = await run.consumer(ready=not run.without)

    async def feed(compression: str | None) -> None:
        await run.feed((run.event() for _ in range(300)), 0.006, compression=compression)

    async with asyncio.TaskGroup() as group:
        for compression in (None, "gzip", "snappy", "lz4", "zstd"):
            group.create_task(feed(compression))
        if not run.without:
            await asyncio.sleep(run.random.uniform(0.5, 1.5))
            await consumer.process.kill()
            await run.consumer()


async def transactions(run: Run) -> None:
    """Transactions that commit and abort, side by side, the last ones of each; events without one
    between them; the consumer is killed in the middle."""
    consumer = await run.consumer()

    async def feed(number: int) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=run.stack.bootstrap, transactional_id=f"{run.topic}-{number}"
        )
        async with producer:
            for nth in range(12):
                abort = nth == number or run.random.random() < 0.5
                await run.feed_transaction(producer, run.random.randint(1, 30), abort=abort)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(feed(number))
        group.create_task(run.feed((run.event() for _ in range(300)), 0.005))
        await asyncio.sleep(run.random.uniform(0.3, 1.2))
        await consumer.process.kill()
        await run.consumer()
    await feed_last_of_each(run)


async def feed_last_of_each(run: Run) -> None:
    """One transaction more, aborted or not: a marker is the last thing in its partitions."""
    producer = AIOKafkaProducer(
        bootstrap_servers=run.stack.bootstrap, transactional_id=f"{run.topic}-last"
    )
    async with producer:
        await run.feed_transaction(producer, 40, abort=run.random.random() < 0.5)
