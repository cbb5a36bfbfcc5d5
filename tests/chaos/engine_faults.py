"""Faults between the consumer and the engine, and of the engine."""

import asyncio
import signal

from tests.chaos.protocols import INSERT_APPLIED, INSERT_SENT
from tests.chaos.proxy import Connection
from tests.chaos.run import Run

_RESERVE = "min_free_disk_bytes_to_perform_insert"


async def response_cut(run: Run) -> None:
    """The connection is cut when the insert has been applied and before the answer is back."""
    await run.consumer()

    async def cut(connection: Connection) -> None:
        connection.cut()

    trap = run.trap(INSERT_APPLIED, run.random.randint(1, 5), cut)
    async with run.feeding():
        await run.sprung(trap)


async def insert_held(run: Run) -> None:
    """An insert is delivered after its sender has given up on it, and before its lease is over."""
    await run.consumer(insert_timeout_s=1.0, session_timeout_s=4.0)

    async def hold(connection: Connection) -> None:
        del connection
        await asyncio.sleep(run.random.uniform(1.8, 2.6))

    trap = run.trap(INSERT_SENT, run.random.randint(1, 3), hold)
    async with run.feeding():
        await run.sprung(trap)


async def engine_killed(run: Run) -> None:
    """The engine is killed in the middle of an insert into several partitions of the table, or
    right after; and is away for a moment."""
    await run.consumer(batch_max_rows=2000, batch_max_age_s=0.4)
    step = run.random.choice((INSERT_SENT, INSERT_APPLIED))
    delay = run.random.uniform(0.0, 0.02)

    async def kill(connection: Connection) -> None:
        async def later() -> None:
            await asyncio.sleep(delay)
            run.stack.engine.process.send_signal(signal.SIGKILL)

        if step == INSERT_SENT:
            asyncio.get_running_loop().create_task(later())
        else:
            run.stack.engine.process.send_signal(signal.SIGKILL)
            connection.cut()

    trap = run.trap(step, run.random.randint(1, 3), kill)
    async with run.feeding(4000, 2.5):
        await run.sprung(trap)
        await run.stack.engine.process.wait()
        await asyncio.sleep(run.random.uniform(0.0, 1.5))
        await run.stack.engine.start()


async def engine_stopped(run: Run) -> None:
    """The engine stands still for longer than an insert is waited for, then does it all."""
    await run.consumer(insert_timeout_s=1.0, session_timeout_s=4.0)

    async def stop(connection: Connection) -> None:
        del connection
        run.stack.engine.process.send_signal(signal.SIGSTOP)

    trap = run.trap(INSERT_SENT, run.random.randint(1, 3), stop)
    async with run.feeding():
        await run.sprung(trap)
        await asyncio.sleep(run.random.uniform(1.5, 2.5))
        run.stack.engine.process.send_signal(signal.SIGCONT)


async def engine_disk_full(run: Run) -> None:
    """Out of disk, as the engine sees it: twice, for a second or two, its inserts are refused for
    want of room (243).

    Not by making its writes fail: chDB 26.9 takes no notice of that, which is why it is run with a
    reserve (docs/adr/0004).
    """
    await run.consumer(batch_max_rows=3000, batch_max_age_s=0.5)
    async with run.feeding(5000, 5.0):
        for _ in range(2):
            await asyncio.sleep(run.random.uniform(0.3, 0.8))
            await run.alter(f"MODIFY SETTING {_RESERVE} = {1 << 60}")
            await asyncio.sleep(run.random.uniform(0.8, 1.6))
            await run.alter(f"RESET SETTING {_RESERVE}")


async def half_open(run: Run) -> None:
    """A connection on which nothing passes any more, and which nobody closes."""
    await run.consumer(insert_timeout_s=1.0)

    async def freeze(connection: Connection) -> None:
        while not connection.client.transport.is_closing():  # noqa: ASYNC110 - the client's end
            await asyncio.sleep(0.05)
        connection.cut()

    step = run.random.choice((INSERT_SENT, INSERT_APPLIED))
    trap = run.trap(step, run.random.randint(1, 4), freeze)
    async with run.feeding():
        await run.sprung(trap)
