"""Faults of what is between a request and Kafka: the emitter's."""

import asyncio
import resource
import signal

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from tests.chaos.emitting import Emitting
from tests.chaos.protocols import INSERT_APPLIED, PRODUCED
from tests.chaos.proxy import Connection
from tests.chaos.run import Run
from tests.support.wait import wait_until

_RATE = 150.0


def _worker(run: Run) -> str:
    """Either; a thread where the memory that stands in for a spool must be known."""
    return "thread" if run.without == "spool" else run.random.choice(("thread", "process"))


async def broker_away(run: Run) -> None:
    """The broker is killed, and away while requests go on; more than memory alone would hold."""
    emitting = Emitting(run, emit_worker=_worker(run), emit_queue_size=200)
    await asyncio.gather(run.consumer(), emitting.start())
    async with emitting.requests(_RATE, run.stack.away_s + 2):
        await asyncio.sleep(0.5)
        await run.stack.kafka.kill()
        await asyncio.sleep(run.stack.away_s)
        await run.stack.kafka.start()
    emitting.promise()


async def broker_slow(run: Run) -> None:
    """Each of the broker's answers takes three seconds."""
    emitting = Emitting(run, emit_worker=_worker(run), emit_queue_size=150)
    await asyncio.gather(run.consumer(), emitting.start())
    run.stack.kafka_proxy.slow(PRODUCED, lambda: 3.0)
    async with emitting.requests(_RATE, 8):
        pass
    run.stack.kafka_proxy.drags.clear()
    emitting.promise()


async def disk_full(run: Run) -> None:
    """The spool's disk takes nothing for two seconds, while the broker is slow; then the service
    starts anew, and what it could not delete from its spool is sent again.

    By a limit on the size of the forwarder's files, so that no rights are needed: SQLite is told
    EFBIG where a full disk says ENOSPC, and takes both for a refused write.
    """
    emitting = Emitting(run)
    await asyncio.gather(run.consumer(), emitting.start())
    [service] = emitting.services
    run.stack.kafka_proxy.slow(PRODUCED, lambda: run.random.uniform(0.1, 0.6))
    async with emitting.requests(_RATE, 5):
        await asyncio.sleep(run.random.uniform(0.5, 1.5))
        assert service.forwarder is not None
        _limit_files(service.forwarder, 0)
        await asyncio.sleep(2.0)
        _limit_files(service.forwarder, resource.RLIM_INFINITY)
    run.stack.kafka_proxy.drags.clear()
    await service.stop()
    await service.start()
    emitting.promise()


async def killed(run: Run) -> None:
    """kill -9 of a worker and its forwarder, twice, and a new one each time: at most the events
    that were answered in the last 20 ms are lost."""
    emitting = Emitting(run)
    await asyncio.gather(run.consumer(), emitting.start())
    [service] = emitting.services
    # So that there is always something in the spool.
    run.stack.kafka_proxy.slow(PRODUCED, lambda: 0.7)
    for _ in range(2):
        async with emitting.requests(_RATE, 2.5):
            await asyncio.sleep(run.random.uniform(1.0, 2.0))
            await emitting.kill(service)
            await service.start()
    run.stack.kafka_proxy.drags.clear()
    emitting.promise()


async def killed_unseen(run: Run) -> None:
    """kill -9 of a worker and its forwarder when the last events have not left the worker: `seq`
    shows how many are gone, by the first event of the next one."""
    emitting = Emitting(run, emit_worker=_worker(run), emit_flush_ms=100)
    await asyncio.gather(run.consumer(), emitting.start())
    [service] = emitting.services
    for _ in range(2):
        async with emitting.requests(_RATE, 2.0):
            await asyncio.sleep(run.random.uniform(0.5, 1.5))
            await emitting.kill(service)
            await service.start()
    emitting.promise(only_shown=True)
    async with emitting.requests(20, 1.0):
        pass
    emitting.promise()


async def killed_durable(run: Run) -> None:
    """kill -9 of a worker that commits before it answers: whatever was answered is there."""
    emitting = Emitting(run, spool_before_response="true", emit_worker="thread", emit_flush_ms=300)
    if run.without == "before_response":
        emitting = Emitting(run, emit_worker="thread", emit_flush_ms=300)
    await asyncio.gather(run.consumer(), emitting.start())
    [service] = emitting.services
    for _ in range(2):
        async with emitting.requests(_RATE, 2.5):
            await asyncio.sleep(run.random.uniform(0.7, 1.8))
            await emitting.kill(service, durable=True)
            await service.start()
    emitting.promise()


async def sent_again(run: Run) -> None:
    """kill -9 of a worker when Kafka has its events and it does not know yet; and before they are
    sent again the topic gets more partitions, so that they come out in others."""
    first = await run.consumer()
    emitting = Emitting(run, spool_before_response="true", emit_worker="thread")
    await emitting.start()
    [service] = emitting.services

    async def kill(connection: Connection) -> None:
        await emitting.kill(service, durable=True)
        connection.cut()

    run.stack.kafka_proxy.slow(PRODUCED, lambda: 0.3)
    trap = run.trap(PRODUCED, run.random.randint(3, 5), kill)
    async with emitting.requests(_RATE, 3):
        await run.sprung(trap)
    run.stack.kafka_proxy.drags.clear()
    await wait_until(run.count.committed_all, 30, "what Kafka has is in the table")
    await first.process.stop()
    run.count.partitions *= 2
    admin = AIOKafkaAdminClient(bootstrap_servers=run.stack.bootstrap)
    await admin.start()
    await admin.create_partitions({run.topic: NewPartitions(run.count.partitions)})
    await admin.close()
    await asyncio.gather(run.consumer(), service.start())
    emitting.promise()


async def four_workers(run: Run) -> None:
    """Four workers on one machine; one of them is killed, and another adopts its spool."""
    emitting = Emitting(run, services=4)
    await asyncio.gather(run.consumer(), emitting.start())
    run.stack.kafka_proxy.slow(PRODUCED, lambda: 1.5)
    async with emitting.requests(_RATE, 4):
        await asyncio.sleep(run.random.uniform(1.0, 3.0))
        await emitting.kill(run.random.choice(emitting.services))
    run.stack.kafka_proxy.drags.clear()
    emitting.promise()


async def dropped(run: Run) -> None:
    """A queue and a spool that are too small: the newest are dropped, no request fails, and `seq`
    shows how many are missing."""
    emitting = Emitting(
        run,
        emit_worker=run.random.choice(("thread", "process")),
        emit_queue_size=30,
        emit_flush_ms=400,
        spool_max_bytes=30_000,
    )
    await asyncio.gather(run.consumer(), emitting.start())
    run.stack.kafka_proxy.slow(PRODUCED, lambda: 2.0)
    async with emitting.requests(_RATE, 4):
        pass
    run.stack.kafka_proxy.drags.clear()
    emitting.promise(only_shown=True)
    await wait_until(lambda: not any(emitting.spooled()), 30, "there is room again")
    # A number that is missing shows when a later one is there.
    async with emitting.requests(10, 1.5):
        pass
    emitting.promise()


async def brokerless(run: Run) -> None:
    """Without Kafka: the consumer reads the spools itself. It is killed when an insert has been
    applied, then a worker is."""
    emitting = Emitting(run, transport="spool")
    spools = {"ACTIVITY_TRANSPORT": "spool", "ACTIVITY_SPOOL_DIR": str(emitting.spool)}
    consumer, _ = await asyncio.gather(run.consumer(variables=spools), emitting.start())
    [service] = emitting.services

    async def kill(connection: Connection) -> None:
        consumer.process.send_signal(signal.SIGKILL)
        connection.cut()

    trap = run.trap(INSERT_APPLIED, run.random.randint(1, 4), kill)
    async with emitting.requests(_RATE, 5):
        await run.sprung(trap)
        await consumer.process.wait()
        await run.consumer(variables=spools)
        await emitting.kill(service)
        await service.start()
    emitting.promise()


def _limit_files(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
