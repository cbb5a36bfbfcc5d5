"""Faults between the consumer and the engine, and of the engine."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.protocols import ASKED, INSERT_APPLIED, INSERT_SENT
from tests.chaos.proxy import Connection
from tests.chaos.run import Run
from tests.chaos.stack import DATABASE

_IN_PART_TRIES = 8
_RESERVE = "min_free_disk_bytes_to_perform_insert"


async def response_cut(run: Run) -> None:
    """The connection is cut when the insert has been applied and before the answer is back."""
    await run.consumer()

    async def cut(connection: Connection) -> None:
        connection.cut()

    # A busy engine gets all of it in a few large batches.
    trap = run.trap(INSERT_APPLIED, run.random.randint(1, 3), cut)
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
    # Without the protection the insert must be in, and its answer lost, to show.
    step = INSERT_APPLIED if run.without else run.random.choice((INSERT_SENT, INSERT_APPLIED))
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


async def insert_in_part(run: Run) -> None:
    """The engine is killed when an insert into several partitions of the table has put its first
    part in place and not yet the others; again until that was hit."""
    await run.consumer(batch_max_rows=2000, batch_max_age_s=0.4)
    found = await run.stack.clickhouse.query(
        "SELECT data_paths[1] FROM system.tables WHERE database = {d:String} AND name = 'events'",
        {"d": DATABASE},
    )
    directory = Path(found.result_rows[0][0])

    async def kill(connection: Connection) -> None:
        del connection
        # In a thread, because it is over in milliseconds.
        loop, engine = asyncio.get_running_loop(), run.stack.engine.process
        loop.run_in_executor(
            None, _kill_at_next_part, engine.pid, directory, set(_parts(directory))
        )

    for attempt in range(1, _IN_PART_TRIES + 1):
        trap = run.trap(INSERT_SENT, run.random.randint(1, 3), kill)
        async with run.feeding(2000, 1.5):
            await run.sprung(trap)
            await run.stack.engine.process.wait()
            await run.stack.engine.start()
        await run.drain()
        if batches := await _in_part(run):
            run.notes.append(f"{batches} batches in by part, kill {attempt}")
            return
    raise AssertionError(f"{_IN_PART_TRIES} kills, and no insert was in by part")


def _parts(directory: Path) -> Iterator[str]:
    """Those that an insert has put in place."""
    names = (path.name for path in directory.iterdir())
    return (name for name in names if name.endswith("_0") and name[0].isdigit())


def _kill_at_next_part(pid: int, directory: Path, before: set[str]) -> None:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        if any(name not in before for name in _parts(directory)):
            break
    os.kill(pid, signal.SIGKILL)


async def _in_part(run: Run) -> int:
    """Batches of which some rows came with a second insert: it has another lease."""
    result = await run.stack.clickhouse.query(
        "SELECT count() FROM (SELECT 1 FROM events WHERE _topic = {t:String}"
        " GROUP BY _partition, _base_offset HAVING uniqExact(_lease) > 1)",
        {"t": run.topic},
    )
    return int(result.result_rows[0][0])


async def engine_away(run: Run) -> None:
    """The engine is killed, and away for longer than anything waits."""
    await run.consumer()
    async with run.feeding(2000, run.stack.away_s + 2):
        await asyncio.sleep(run.random.uniform(0.5, 1.0))
        await run.stack.engine.kill()
        await asyncio.sleep(run.stack.away_s)
        await run.stack.engine.start()


async def engine_slow(run: Run) -> None:
    """Everything takes the engine long, and one insert in five longer than it is waited for."""
    await run.consumer(insert_timeout_s=1.0, session_timeout_s=4.0)

    def insert() -> float:
        return run.random.choice((0.1, 0.3, 0.5, 0.7, 1.6))

    run.stack.clickhouse_proxy.slow(ASKED, lambda: run.random.uniform(0.0, 0.4))
    run.stack.clickhouse_proxy.slow(INSERT_SENT, insert)
    async with run.feeding(2000, 5.0):
        pass
    run.stack.clickhouse_proxy.drags.clear()


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

    # What was not delivered is in no danger: without the protection it is the answer that is late.
    step = INSERT_APPLIED if run.without else run.random.choice((INSERT_SENT, INSERT_APPLIED))
    trap = run.trap(step, run.random.randint(1, 4), freeze)
    async with run.feeding():
        await run.sprung(trap)
