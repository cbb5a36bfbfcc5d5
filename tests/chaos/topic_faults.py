"""Faults of the topic itself: another one under the same name, partitions that are added."""

import asyncio
import sys

from activity_deploy.process.process import Process
from tests.chaos.run import Run
from tests.chaos.stack import DATABASE
from tests.support.topic import add_partitions, anew
from tests.support.wait import wait_until

_PARTITIONS = 4


async def created_anew(run: Run) -> None:
    """Deleted and created while it is read, now and then with fewer events; then accepted."""
    first = await run.consumer()
    await _some(run)
    await run.drain()  # what a deleted topic had, and nobody has read, is gone with it
    await anew(run.stack.bootstrap, run.topic, _PARTITIONS)
    await _some(run)
    if not run.without:
        await first.ended()
        await _accept(run)
        await run.consumer()
    await _some(run)


async def created_anew_stopped(run: Run) -> None:
    """The same while nobody reads; half of the time two members come afterwards."""
    first = await run.consumer()
    await _some(run, most=150)
    await run.drain()
    await (first.process.kill() if run.random.random() < 0.5 else first.process.stop())
    await anew(run.stack.bootstrap, run.topic, _PARTITIONS)
    await _some(run, least=450)
    second = await run.consumer(ready=False)
    if not run.without:
        await second.ended()
        await _accept(run)
        members = run.random.choice((1, 2))
        started = [await run.consumer(ready=False) for _ in range(members)]
        await asyncio.gather(*(one.ready() for one in started))
    await _some(run)


async def partitions_added(run: Run) -> None:
    """Partitions are added, and what was sent before is sent once more: by its key it comes in
    another one. Half of the time the consumer is started only afterwards."""
    consumer = await run.consumer()
    events = [run.event() for _ in range(600)]
    await run.feed(events, 0.001)
    await run.drain()
    stopped = run.random.random() < 0.5
    if stopped:
        await consumer.process.stop()
    run.count.partitions = run.random.choice((6, 8, 12))
    await add_partitions(run.stack.bootstrap, run.topic, run.count.partitions)
    if stopped:
        await run.consumer(ready=False)
    else:
        await wait_until(lambda: _seen(run), 20, "the change is seen")
    again = run.random.sample(events, 400)
    await run.feed([*again, *(run.event() for _ in range(400))], 0.001)
    # Also without the protection all of it is read; a count before that would show nothing of it.
    await wait_until(run.count.is_drained, 60, "all is read")


async def _seen(run: Run) -> bool:
    if run.without:
        return True
    result = await run.stack.clickhouse.query(
        "SELECT max(partitions) FROM topic_incarnations WHERE topic = {t:String}", {"t": run.topic}
    )
    return bool(result.result_rows[0][0] == run.count.partitions)


async def _some(run: Run, least: int = 100, most: int = 500) -> None:
    await run.feed((run.event() for _ in range(run.random.randint(least, most))), 0.001)


async def _accept(run: Run) -> None:
    """`activity topic accept`, as an operator would."""
    environment = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": run.stack.bootstrap,
        "ACTIVITY_CLICKHOUSE_URL": run.stack.engine.url,
        "ACTIVITY_CLICKHOUSE_DATABASE": DATABASE,
    }
    command = [sys.executable, "-m", "activity_deploy.cli", "topic", "accept", run.topic]
    process = Process("accept", command, run.stack.directory / "accept.log", environment)
    await process.start()
    await wait_until(lambda: not process.running, 30, "the command ends")
    assert process.returncode == 0, process.output()
