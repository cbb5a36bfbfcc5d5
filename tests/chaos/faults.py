"""The faults. Each is played against a run; its controls are named beside it.

Not here, because each is one case and no search (tests/integration): retention gap,
group offsets deleted or moved to the begin, nothing but poison (test_consume_faults.py), a
header name or a checksum that cannot be read (test_consume_unreadable.py), null and empty values,
keys and headers byte for byte (test_consume.py), replay of dead letters
(test_dead_letters_replay.py), a forwarder that dies alone, a fork (test_emit_kill.py).
"""

import asyncio
import contextlib
import operator
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos import emit_faults, feed_faults, forget_faults, kafka_faults, topic_faults
from tests.chaos.engine_faults import (
    engine_away,
    engine_disk_full,
    engine_killed,
    engine_slow,
    engine_stopped,
    half_open,
    insert_held,
    insert_in_part,
    response_cut,
)
from tests.chaos.protocols import (
    COMMITTED,
    COMMITTING,
    FETCHED,
    INSERT_APPLIED,
    INSERT_SENT,
    JOINING,
    PRODUCED,
)
from tests.chaos.proxy import Connection
from tests.chaos.run import Run
from tests.support.consumer import Consumer
from tests.support.wait import wait_until


@dataclass(frozen=True, slots=True)
class Fault:
    """`controls`: the protections without which this fault does damage."""

    name: str
    play: Callable[[Run], Awaitable[None]]
    controls: tuple[str, ...] = ()
    #: It needs a cluster of three.
    cluster: bool = False


def killed_at(step: str) -> Callable[[Run], Awaitable[None]]:
    """kill -9 of the consumer at a step of one of its first batches; another one follows."""

    async def play(run: Run) -> None:
        first = await run.consumer()

        async def kill(connection: Connection) -> None:
            first.process.send_signal(signal.SIGKILL)
            if step == INSERT_APPLIED:
                connection.cut()

        fetches = run.stack.kafka_proxy.passed

        async def fetched_more() -> None:
            if trap.sprung.is_set():
                return  # the one that follows is not held up: an insert has its time, too
            enough = fetches[FETCHED] + 3
            with contextlib.suppress(AssertionError):  # there is no more: the events are all sent
                await wait_until(lambda: fetches[FETCHED] >= enough, 1.0, "more is fetched")

        trap = run.trap(step, run.random.randint(1, 3), kill)
        if step == COMMITTED:
            # When a commit is out there is something that is fetched and not yet written.
            run.stack.clickhouse_proxy.drag(INSERT_SENT, fetched_more)
        async with run.feeding(4000, 2.5):
            await run.sprung(trap)
            await first.process.wait()
            await run.consumer()

    return play


async def killed_at_random(run: Run) -> None:
    """kill -9, three times, whenever."""
    async with run.feeding(2000, 4.0):
        for _ in range(3):
            consumer = await run.consumer()
            await asyncio.sleep(run.random.uniform(0.0, 0.5))
            await consumer.process.kill()
        await run.consumer()


async def stale_batch(run: Run) -> None:
    """A partition is taken away and comes back while a batch of it is in memory and its insert is
    on the way: a second member comes, and leaves at once."""
    await run.consumer(batch_max_age_s=1.0, batch_max_rows=5000)

    async def hold(connection: Connection) -> None:
        del connection
        await asyncio.sleep(run.random.uniform(0.3, 1.0))

    async with run.feeding(3000, 5.0):
        for _ in range(2):
            run.trap(INSERT_SENT, run.random.randint(1, 3), hold)
            guest = await run.consumer(ready=False)
            await guest.ready()
            await guest.process.kill()


async def rolling_restart(run: Run) -> None:
    """Three brokers, each stopped and started again, one after the other."""
    await run.consumer(session_timeout_s=6.0)
    async with run.feeding(3000, 12.0):
        for broker in run.stack.brokers:
            await broker.restart()


async def members(run: Run) -> None:
    """Members join, leave and are killed under load."""
    consumers: list[Consumer] = [await run.consumer()]
    async with run.feeding(3000, 6.0):
        for _ in range(3):
            consumers.append(await run.consumer(ready=False))
            await asyncio.sleep(run.random.uniform(0.8, 1.6))
            leaver = consumers.pop(run.random.randrange(len(consumers)))
            if run.random.random() < 0.5:
                await leaver.process.kill()
            else:
                await leaver.process.stop()


async def held_up_member(run: Run) -> None:
    """A member has given its partitions back, and its join is held up until it is out of the group;
    another writes them; then it is back and gets some of them again, which it has in memory."""
    first = await run.consumer()
    go_on = asyncio.Event()

    async def hold(connection: Connection) -> None:
        del connection
        await go_on.wait()

    async with run.feeding(600, 1.0):
        pass
    trap = run.trap(JOINING, 3, hold)  # the new member's two come first
    second = await run.consumer(ready=False)
    await run.sprung(trap)
    await second.ready()
    async with run.feeding(600, 1.0):
        pass
    await run.drain()
    go_on.set()
    await first.ready()
    async with run.feeding(600, 1.0):
        pass


async def zombie(run: Run) -> None:
    """A consumer is stopped while its insert is on the way, its partitions are given to another,
    which writes them; then the insert arrives, and the consumer wakes up."""
    stopped = await run.consumer()
    arrive = asyncio.Event()

    async def stop(connection: Connection) -> None:
        del connection
        stopped.process.send_signal(signal.SIGSTOP)
        await arrive.wait()

    trap = run.trap(INSERT_SENT, run.random.randint(2, 5), stop)
    async with run.feeding():
        await run.sprung(trap)
        await run.consumer()
    await run.drain()
    before, _ = await run.count.offsets()
    arrive.set()
    stopped.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(0.5)
    after, _ = await run.count.offsets()
    assert all(map(operator.le, before, after)), f"its commit was taken: {before} to {after}"
    async with run.feeding(300, 0.5):
        pass


async def broker_killed(run: Run) -> None:
    """kill -9 of the broker while a commit is on the way, and of the consumer half of the time."""
    consumer = await run.consumer()

    async def kill(connection: Connection) -> None:
        del connection
        run.stack.kafka.process.send_signal(signal.SIGKILL)

    trap = run.trap(COMMITTING, run.random.randint(3, 8), kill)
    async with run.feeding(1500, 3.0):
        await run.sprung(trap)
        await run.stack.kafka.process.wait()
        if run.without or run.random.random() < 0.5:
            await consumer.process.kill()
            await run.consumer(ready=False)
        await run.stack.kafka.start()


async def offsets_reset(run: Run) -> None:
    """The group's offsets are moved to the end while nobody consumes."""
    first = await run.consumer()
    async with run.feeding(600, 1.0):
        pass
    await run.drain()
    await first.process.stop()
    async with run.feeding(600, 0.5):
        pass
    await run.move_offsets_to_end()
    await run.consumer()


async def duplicates(run: Run) -> None:
    """Each event three times, some of them much later; and a producer that is not idempotent, whose
    broker's answer is lost."""
    await run.consumer(id_window=300)

    async def cut(connection: Connection) -> None:
        connection.cut()

    again = [run.event() for _ in range(300)]
    await run.feed(again, 0.001)
    run.trap(PRODUCED, 2, cut)
    await run.feed((run.event() for _ in range(800)), 0.001, 1, run.stack.proxied_bootstrap)
    await run.feed(again, 0.0005, copies=2)


async def late_and_skewed(run: Run) -> None:
    """Events that are two days late, and clocks that are an hour off, some of them twice."""
    await run.consumer(id_window=300)
    events = [run.event(**run.skewed()) for _ in range(1000)]
    await run.feed(events, 0.001)
    await run.feed(run.random.sample(events, 300), 0.001)


async def poison(run: Run) -> None:
    """Messages that are no events, between good ones; the consumer is killed in between."""
    consumer = await run.consumer()
    async with run.feeding(1000, 2.0):
        await run.feed_poison(80)
        await consumer.process.kill()
        await run.consumer()
        await run.feed_poison(80)


FAULTS = [
    Fault("topic_anew", topic_faults.created_anew, ("identity",)),
    Fault("topic_anew_stopped", topic_faults.created_anew_stopped, ("identity",)),
    Fault("partitions_added", topic_faults.partitions_added, ("ids_after_change",)),
    Fault("killed_fetched", killed_at(FETCHED)),
    Fault("killed_insert_sent", killed_at(INSERT_SENT), ("ask_and_ids",)),
    Fault("killed_insert_applied", killed_at(INSERT_APPLIED), ("ask_and_ids",)),
    Fault("killed_committing", killed_at(COMMITTING), ("ask_and_ids",)),
    Fault("killed_committed", killed_at(COMMITTED), ("commit_after",)),
    Fault("killed_at_random", killed_at_random),
    Fault("response_cut", response_cut, ("ask",)),
    Fault("insert_held", insert_held, ("wait",)),
    Fault("engine_killed", engine_killed, ("ask",)),
    Fault("insert_in_part", insert_in_part, ("ask",)),
    Fault("engine_away", engine_away),
    Fault("engine_slow", engine_slow, ("ask",)),
    Fault("engine_stopped", engine_stopped, ("wait",)),
    Fault("engine_disk_full", engine_disk_full),
    Fault("half_open", half_open, ("ask",)),
    Fault("members", members),
    Fault("stale_batch", stale_batch),
    Fault("held_up_member", held_up_member, ("mark",)),
    Fault("zombie", zombie, ("lease",)),
    Fault("broker_killed", broker_killed, ("ask_and_ids",)),
    Fault("offsets_reset", offsets_reset, ("table_progress",)),
    Fault("duplicates", duplicates, ("ids",)),
    Fault("late_and_skewed", late_and_skewed, ("ids",)),
    Fault("codecs", kafka_faults.codecs, ("codecs",)),
    Fault("transactions", kafka_faults.transactions, ("committed",)),
    Fault("poison", poison, ("dead_letters",)),
    Fault("feed", feed_faults.feed, ("settled_order",)),
    Fault("erasure", forget_faults.erasure, ("erasures",)),
    Fault("retention", forget_faults.retention, ("erasures",)),
    Fault("emit_broker_away", emit_faults.broker_away, ("spool",)),
    Fault("emit_broker_slow", emit_faults.broker_slow, ("spool",)),
    Fault("emit_disk_full", emit_faults.disk_full, ("memory",)),
    Fault("emit_killed", emit_faults.killed, ("spool", "adoption", "flush")),
    Fault("emit_killed_durable", emit_faults.killed_durable, ("before_response",)),
    Fault("emit_sent_again", emit_faults.sent_again, ("resent",)),
    Fault("emit_four_workers", emit_faults.four_workers, ("adoption",)),
    Fault("emit_killed_unseen", emit_faults.killed_unseen, ("tally",)),
    Fault("emit_dropped", emit_faults.dropped, ("seq",)),
    Fault("emit_brokerless", emit_faults.brokerless, ("ask_and_ids",)),
    Fault("rolling_restart", rolling_restart, cluster=True),
]
