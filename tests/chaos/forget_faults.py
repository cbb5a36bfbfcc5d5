"""Forgetting while all goes on: what was erased stays away, and none of it looks like loss."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from activity_deploy.forget.policy import month
from activity_deploy.process.process import Process
from tests.chaos.run import ORGS, Run
from tests.chaos.stack import DATABASE
from tests.support.consumer import Consumer
from tests.support.wait import wait_until

# Patient: here nothing of Kafka or the engine is broken.
_CONSUMER: dict[str, Any] = {
    "erasures_refresh_s": 0.3,
    "session_timeout_s": 6.0,
    "insert_timeout_s": 20,
}
_DAYS = 20
_PATIENCE_S = 180.0
_FOR_EVER = "kept out; never deleted by Kafka"


async def erasure(run: Run) -> None:
    """An org is erased while its events come, late ones too; then its topic is read once more by a
    group whose offsets were lost. The command is killed half of the time, and run again."""
    victim = f"{run.topic}-org{run.random.randrange(ORGS)}"
    before = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    command = ("erase", "--org", victim, "--before", before)
    await _forget(run, command, lambda event: bool(event["org_id"] == victim))


async def retention(run: Run) -> None:
    """What is older than an org keeps its events runs out while such events come."""
    orgs = {f"{run.topic}-org{number}" for number in run.random.sample(range(ORGS), 5)}
    await run.stack.clickhouse.insert(
        "retention", [(org, _DAYS) for org in sorted(orgs)], ["org_id", "days"]
    )
    bound = month(datetime.now(UTC), _DAYS)

    def has_run_out(event: dict[str, Any]) -> bool:
        return event["org_id"] in orgs and datetime.fromisoformat(event["timestamp"]) < bound

    await _forget(run, ("retention", "--apply"), has_run_out)


async def _consumer(run: Run) -> Consumer:
    consumer = await run.consumer(ready=False, **_CONSUMER)
    await consumer.ready(_PATIENCE_S)
    return consumer


async def _forget(
    run: Run, command: tuple[str, ...], is_forgotten: Callable[[dict[str, Any]], bool]
) -> None:
    first = await _consumer(run)
    events = _numbered(run)
    await run.feed(itertools.islice(events, 400), 0.001)
    await _feed_letters(run, is_forgotten)
    await run.drain()
    feeding = asyncio.create_task(run.feed(itertools.islice(events, 600), 0.01))
    try:
        if run.random.random() < 0.5:
            broken_off = await _start(run, command)
            await asyncio.sleep(run.random.uniform(1.0, 4.0))
            await broken_off.kill()
            run.notes.append("command killed")
        if run.random.random() < 0.5:
            await first.process.kill()
            first = await _consumer(run)
        done = await _start(run, command)
        await wait_until(lambda: not done.running, _PATIENCE_S, "the command ends")
        # The harness' broker keeps a message for ever, and says so.
        is_done = done.returncode == 0 or any(_FOR_EVER in line for line in done.output())
        assert run.without or is_done, done.output()
        await feeding
    finally:
        feeding.cancel()
    # All of it once more: what is kept is a copy, what is forgotten would be new.
    again = list(run.ledger.attempted.values())
    await first.process.stop()
    await run.move_offsets_to_end()
    await _consumer(run)
    await run.feed([*run.random.sample(again, 300), *itertools.islice(events, 100)], 0.001)
    await _feed_letters(run, is_forgotten)
    run.ledger.forget(is_forgotten)


def _numbered(run: Run) -> Iterator[dict[str, Any]]:
    """Of one producer, so that each number that is missing shows."""
    for seq in itertools.count():
        yield run.event(producer_id=run.topic, seq=seq)


async def _feed_letters(run: Run, is_forgotten: Callable[[dict[str, Any]], bool]) -> None:
    """Messages that are no events; of these, those of nobody who is forgotten stay."""
    async with AIOKafkaProducer(bootstrap_servers=run.stack.bootstrap, acks="all") as producer:
        for number in range(20):
            event = run.event()
            value = b'{"org_id":"%b","n":%d,"timestamp":"%b"' % (
                event["org_id"].encode(),
                number + 100 * len(run.ledger.poison),
                event["timestamp"].encode(),
            )
            await producer.send_and_wait(run.topic, value, partition=number % 4)
            if not is_forgotten(event):
                run.ledger.poison.append(value)


async def _start(run: Run, command: tuple[str, ...]) -> Process:
    environment = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": run.stack.bootstrap,
        "ACTIVITY_KAFKA_TOPIC": run.topic,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{run.topic}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": run.group,
        "ACTIVITY_CLICKHOUSE_URL": run.stack.engine.url,
        "ACTIVITY_CLICKHOUSE_DATABASE": DATABASE,
        **{f"ACTIVITY_CONSUMER_{name.upper()}": str(value) for name, value in _CONSUMER.items()},
        "ACTIVITY_SPOOL_DIR": str(run.stack.directory / "no-spool"),
    }
    words = [sys.executable, "-m", "activity_deploy.cli", *command]
    process = Process("forget", words, run.stack.directory / f"{run.topic}-forget.log", environment)
    await process.start()
    return process
