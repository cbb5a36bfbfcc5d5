"""Messages that aiokafka cannot read or write by itself."""

import asyncio
import os
import subprocess
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.model import DeadLetterId, Status
from activity_consume.dead_letter.produce import send_as_is
from activity_consume.dead_letter.repository import DeadLetterRepository
from tests.integration.kcat import kcat_environment
from tests.support.consumer import (
    Consumer,
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce_raw,
    rows_arrive,
)
from tests.support.metrics import value
from tests.support.wait import on_this_machine, wait_until

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


class _NotUtf8(str):
    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def test_a_header_name_that_is_not_utf8_stops_its_partition_and_loses_nothing(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    before = [event(seq=number) for number in range(50)]
    beside, after = [event(seq=number) for number in range(3)], event()
    async with new_consumer() as consumer:
        await produce_raw(kafka_bootstrap, topic, map(message, before), partition=2)
        await consumer.ready()
        began = time.time()
        await _produce_unreadable(kafka_bootstrap, topic, partition=2)
        text = await _stands_still(consumer, f"{topic}-2", 50, began)
        await produce_raw(kafka_bootstrap, topic, [message(after)], partition=2)
        await produce_raw(kafka_bootstrap, topic, map(message, beside), partition=1)
        await rows_arrive(clickhouse, 53)
        assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in before + beside)
        metrics = await consumer.page("/metrics", 200)
        where = {"topic": topic, "partition": "2"}
        assert value(metrics, "activity_consumer_unreadable", **where) == 50
        assert value(metrics, "activity_consumer_unreadable_partitions") == 1
        assert "activity_consumer_ready 0" in metrics

        [line] = [one for one in consumer.process.output() if "stands still" in one]
        assert "UnicodeDecodeError" in line
        place = DeadLetterId(topic, 2, 50)
        assert f"activity dlq drop {place}" in line, text
        box = DeadLetterRepository(clickhouse)
        await wait_until(lambda: box.ids(Status.WAITING, "unreadable"), 10, "it is a dead letter")
        await box.drop([place])
        await rows_arrive(clickhouse, 54)
        await consumer.ready()
        assert "activity_consumer_unreadable{" not in await consumer.page("/metrics", 200)
        [letter] = await box.summaries(reason="unreadable")
        assert (letter.id, letter.status) == (place, Status.DROPPED)
    async with new_consumer() as again:  # and it is behind that place for good
        await again.ready()
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in [*before, *beside, after])


async def test_a_codec_that_is_not_installed_is_said_and_the_batch_is_read_with_it(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = [event(seq=number) for number in range(20)]
    async with new_consumer(program=["tests.chaos.without_codecs"]) as consumer:
        await consumer.ready()
        began = time.time()
        await _produce(kafka_bootstrap, topic, events, "zstd")
        text = await _stands_still(consumer, f"{topic}-0", 0, began)
        assert "offset 0 to 19" in text
        assert "zstd" in text
    async with new_consumer("with") as consumer:
        await rows_arrive(clickhouse, 20)
        await consumer.ready()


async def test_every_codec_is_read(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    new_consumer: NewConsumer,
    tmp_path: Path,
) -> None:
    """From librdkafka, whose snappy is bare, and from aiokafka, whose snappy is in xerial's frame,
    as Java's is."""
    of = {codec: [event(seq=n, path="/" + "a" * 500) for n in range(40)] for codec in CODECS}
    environment = kcat_environment(tmp_path)
    for codec, events in of.items():
        await _produce(kafka_bootstrap, topic, events[:20], None if codec == "none" else codec)
        await asyncio.to_thread(
            subprocess.run,
            ["kcat", "-P", "-b", kafka_bootstrap, "-t", topic, "-p", "1", "-z", codec],
            input=b"\n".join(map(message, events[20:])),
            env={**os.environ, **environment},
            check=True,
        )
    async with new_consumer():
        await rows_arrive(clickhouse, 40 * len(CODECS))
    sent = [one["id"] for events in of.values() for one in events]
    assert sorted(await ids(clickhouse)) == sorted(sent)


async def test_a_message_of_nothing_is_a_dead_letter(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        await send_as_is(producer, topic, key=None, value=None, headers=[("a", b"x")], partition=1)
    await produce_raw(kafka_bootstrap, topic, [message(event())], partition=1)
    async with new_consumer():
        await rows_arrive(clickhouse, 1)
        [letter] = await messages(kafka_bootstrap, f"{topic}.dlq", 1)
    assert (letter.key, letter.value) == (None, None)
    assert ("a", b"x") in letter.headers


async def _stands_still(consumer: Consumer, partition: str, offset: int, since: float) -> str:
    """The readiness page's text. By its own clock the consumer knew within 5 s; it is not ready
    from that line on."""
    words = f"{partition} stands still at offset {offset}"

    async def says() -> str:
        text = await consumer.page("/readyz", 503)
        return text if words in text else ""

    text: str = await wait_until(says, 30, "it says so")
    assert consumer.said_after(since, words) < on_this_machine(5)
    return text


async def _produce(
    bootstrap: str, topic: str, events: list[dict[str, object]], codec: str | None
) -> None:
    """In one batch, to partition 0."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec) as producer:
        batch = producer.create_batch()
        for one in events:
            assert batch.append(timestamp=None, key=None, value=message(one))
        await (await producer.send_batch(batch, topic, partition=0))


async def _produce_unreadable(bootstrap: str, topic: str, partition: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        batch = producer.create_batch()
        # aiokafka's compiled builder takes the text's own UTF-8; the other one asks it.
        batch._builder = _DefaultRecordBatchBuilderPy(
            magic=2,
            compression_type=0,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=16384,
        )
        batch.append(timestamp=None, key=None, value=b"x", headers=[(_NotUtf8("a"), b"x")])
        await (await producer.send_batch(batch, topic, partition=partition))
