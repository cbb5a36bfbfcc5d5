"""Read committed: aborted events were never sent, and what is not a record moves offsets, too."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    produce_raw,
    rows_arrive,
)
from tests.support.progress import has, is_through, now
from tests.support.wait import wait_until


async def test_aborted_events_are_not_there_and_markers_leave_no_lag(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    committed, aborted = [event(seq=n) for n in range(20)], [event(seq=n) for n in range(20)]
    async with new_consumer() as consumer, _transactional(kafka_bootstrap, topic) as producer:
        await consumer.ready()
        async with producer.transaction():
            await _send(producer, topic, committed, 0)
        await producer.begin_transaction()
        await _send(producer, topic, aborted, 0)
        await _send(producer, topic, aborted, 1)  # nothing else is in this one
        await producer.abort_transaction()
        await rows_arrive(clickhouse, 20)
        # 20 records, a marker, 20 records, a marker; 20 records and a marker.
        await wait_until(lambda: has(consumer, topic, "settled_offset", 0, 42), 20, "all settled")
        await wait_until(lambda: has(consumer, topic, "settled_offset", 1, 21), 20, "all settled")
        await wait_until(lambda: has(consumer, topic, "lag", 0, 0), 20, "no lag")
        await wait_until(lambda: has(consumer, topic, "lag", 1, 0), 20, "no lag")
        sent = await now(clickhouse)
        await wait_until(lambda: is_through(clickhouse, topic, sent), 20, "the watermark goes on")
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in committed)
    async with new_consumer("again") as consumer:  # nothing of it is left to be read
        await consumer.ready()
        await wait_until(lambda: has(consumer, topic, "lag", 0, 0), 20, "no lag")


async def test_many_small_transactions_among_others(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = [event(seq=n) for n in range(150)]
    async with new_consumer() as consumer, _transactional(kafka_bootstrap, topic) as producer:
        for number in range(0, 100, 2):
            async with producer.transaction():
                await _send(producer, topic, events[number : number + 2], 3)
            await producer.begin_transaction()
            await _send(producer, topic, [event()], 3)
            await producer.abort_transaction()
        await produce_raw(kafka_bootstrap, topic, map(message, events[100:]), partition=3)
        await rows_arrive(clickhouse, 150)
        await wait_until(lambda: has(consumer, topic, "lag", 3, 0), 20, "no lag")
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)


async def test_an_open_transaction_holds_the_watermark_and_what_comes_after_it(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    held, after = [event(seq=0)], [event(seq=1)]
    async with new_consumer() as consumer, _transactional(kafka_bootstrap, topic) as producer:
        await consumer.ready()
        await producer.begin_transaction()
        await _send(producer, topic, held, 0)
        await produce_raw(kafka_bootstrap, topic, map(message, after), partition=0)
        await wait_until(lambda: has(consumer, topic, "lag", 0, 2), 20, "two wait")
        sent = await now(clickhouse)
        others = "SELECT max(complete_through) FROM progress WHERE topic = {t:String} AND partition"

        async def others_are_past() -> bool:
            result = await clickhouse.query(f"{others} = 1", {"t": topic})
            return bool(result.result_rows[0][0] > sent)

        await wait_until(others_are_past, 20, "the other partitions go on")
        assert not await is_through(clickhouse, topic, sent)
        text = f"{topic}-0: an open transaction begins at offset 0"
        await wait_until(lambda: text in "".join(consumer.process.output()), 60, "it is said")
        assert await consumer.page("/readyz", 200)
        await producer.commit_transaction()
        await rows_arrive(clickhouse, 2)
        await wait_until(lambda: is_through(clickhouse, topic, sent), 20, "the watermark goes on")


def _transactional(bootstrap: str, topic: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=topic, transaction_timeout_ms=120_000
    )


async def _send(
    producer: AIOKafkaProducer, topic: str, events: Iterable[dict[str, Any]], partition: int
) -> None:
    sent = [await producer.send(topic, message(one), partition=partition) for one in events]
    await asyncio.gather(*sent)
