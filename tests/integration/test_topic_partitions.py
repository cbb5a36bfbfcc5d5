"""Partitions that are added while events come: read soon, never passed over by what is told to be
complete, and an event that is sent once more stays one row."""

import time

import pytest
from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.clickhouse.watermark import Watermark
from activity_api.queries.query import Query
from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    produce,
    produce_raw,
    rows_arrive,
)
from tests.support.progress import has
from tests.support.topic import add_partitions
from tests.support.wait import on_this_machine, wait_until

#: From the moment that partitions are added to their first rows, by the engine's clock.
SEEN_WITHIN_S = 10


class Told:
    """What the read API would tell; `Watermark` asks through it."""

    def __init__(self, clickhouse: AsyncClient, topic: str) -> None:
        self._clickhouse = clickhouse
        self._topic = topic

    async def query(self, query: Query) -> bytes:
        sql = query.sql.removesuffix("FORMAT TSV")
        result = await self._clickhouse.query(sql, query.parameters)
        return str(result.result_rows[0][0]).encode()

    async def through_ms(self) -> float:
        """Unix; 0 where it is not known."""
        watermark = Watermark(self, self._topic, time.monotonic)  # type: ignore[arg-type]
        through = await watermark.complete_through()
        return through.timestamp() * 1000 if through else 0


async def test_seen_soon_and_never_passed_over(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    told = Told(clickhouse, topic)
    async with new_consumer() as consumer:
        await produce(kafka_bootstrap, topic, [event(f"org-{n}", seq=n) for n in range(40)])
        await rows_arrive(clickhouse, 40)
        await wait_until(told.through_ms, 20, "it is told how far the table is")
        added_ms = time.time() * 1000
        await add_partitions(kafka_bootstrap, topic, 12)
        fresh = [event(f"org-{n}", seq=n) for n in range(8)]
        for partition, one in enumerate(fresh, start=4):
            await produce_raw(kafka_bootstrap, topic, [message(one)], partition=partition)
        [(accepted_ms,)] = (
            await clickhouse.query("SELECT toUnixTimestamp64Milli(now64(3))")
        ).result_rows

        async def all_there() -> bool:
            # Asked before the rows, as the API does.
            through = await told.through_ms()
            there = {one["id"] for one in fresh} <= set(await ids(clickhouse))
            assert there or through < accepted_ms
            return there

        await wait_until(all_there, 60, "the new partitions' events are there")
        [(seen_ms,)] = (
            await clickhouse.query(
                "SELECT toUnixTimestamp64Milli(max(_ingested_at)) FROM events WHERE _partition >= 4"
            )
        ).result_rows
        assert (seen_ms - added_ms) / 1000 < on_this_machine(SEEN_WITHIN_S)

        async def passed() -> bool:
            return bool(await told.through_ms() > accepted_ms)

        await wait_until(passed, 20, "what is told goes on, with all partitions")
        await consumer.ready()
    assert len(await ids(clickhouse)) == 48


@pytest.mark.parametrize("count", [12, 6])
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped meanwhile"])
async def test_what_is_sent_again_stays_one_row(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    new_consumer: NewConsumer,
    count: int,
    stopped: bool,
) -> None:
    """With 6 a key may also go from one of the old partitions into another."""
    events = [event(f"org-{n}", seq=n) for n in range(24)]
    last = [event(f"org-{n}", seq=n) for n in range(24)]
    async with new_consumer("first") as first:
        await produce(kafka_bootstrap, topic, events)
        await rows_arrive(clickhouse, 24)
        if stopped:
            await first.process.stop()
        await add_partitions(kafka_bootstrap, topic, count)
        if not stopped:
            await wait_until(lambda: _knows(clickhouse, topic, count), 20, "the change is seen")
            await produce(kafka_bootstrap, topic, [*events, *last])
            await rows_arrive(clickhouse, 48)
    async with new_consumer("second"):
        final = [event(f"org-{n}", seq=n) for n in range(24)]
        await produce(kafka_bootstrap, topic, [*events, *last, *final])
        await rows_arrive(clickhouse, 72)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in [*events, *last, *final])
    duplicates = await clickhouse.query("SELECT * FROM event_duplicates")
    assert duplicates.result_rows == []


async def test_what_is_sent_again_the_moment_that_partitions_are_there_stays_one_row(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """From one old partition into another, before the consumer's next look at the topic."""
    events = [event(seq=n) for n in range(30)]
    async with new_consumer() as consumer:
        await produce_raw(kafka_bootstrap, topic, map(message, events), partition=0)
        await rows_arrive(clickhouse, 30)
        await add_partitions(kafka_bootstrap, topic, 6)
        await produce_raw(kafka_bootstrap, topic, map(message, events), partition=1)
        last = [event(f"org-{n}", seq=n) for n in range(12)]
        await produce(kafka_bootstrap, topic, last)
        await rows_arrive(clickhouse, 42)
        await wait_until(lambda: has(consumer, topic, "lag", 1, 0), 30, "all is read")
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in [*events, *last])


async def test_an_open_transaction_in_an_old_one_does_not_keep_new_ones_waiting(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, transactional_id=topic, transaction_timeout_ms=120_000
    )
    held, fresh = [event(seq=n) for n in range(3)], event()
    async with new_consumer() as consumer, producer:
        await produce_raw(kafka_bootstrap, topic, [message(event())], partition=0)
        await rows_arrive(clickhouse, 1)
        await producer.begin_transaction()
        for one in held:
            await producer.send_and_wait(topic, message(one), partition=0)
        await add_partitions(kafka_bootstrap, topic, 6)
        await produce_raw(kafka_bootstrap, topic, [message(fresh)], partition=5)
        await rows_arrive(clickhouse, 2)
        await consumer.ready()
        await produce_raw(kafka_bootstrap, topic, map(message, held), partition=4)
        await rows_arrive(clickhouse, 5)
        await producer.commit_transaction()
        await wait_until(lambda: has(consumer, topic, "lag", 0, 0), 20, "all is read")
    assert len(await ids(clickhouse)) == len(set(await ids(clickhouse))) == 5


async def test_a_backlog_of_the_old_partitions_comes_first(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """What nobody has read yet is in no table; its copy in a new partition must wait for it."""
    events = [event(f"org-{n}", seq=n) for n in range(40)]
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, events[:1])
        await rows_arrive(clickhouse, 1)
    await produce(kafka_bootstrap, topic, [event("org-1", seq=n) for n in range(3000)])
    await produce(kafka_bootstrap, topic, events)
    await add_partitions(kafka_bootstrap, topic, 12)
    await produce(kafka_bootstrap, topic, events)
    async with new_consumer("second", batch_max_rows=100) as second:
        await rows_arrive(clickhouse, 3040, 60)
        await wait_until(lambda: second.page("/readyz", 200), 30, "all is taken over")
        end = [event(f"org-{n}", seq=n) for n in range(40)]
        await produce(kafka_bootstrap, topic, end)
        await rows_arrive(clickhouse, 3080)
    assert len(await ids(clickhouse)) == len(set(await ids(clickhouse))) == 3080


async def _knows(clickhouse: AsyncClient, topic: str, count: int) -> bool:
    result = await clickhouse.query(
        "SELECT max(partitions) FROM topic_incarnations WHERE topic = {t:String}", {"t": topic}
    )
    return bool(result.result_rows[0][0] == count)
