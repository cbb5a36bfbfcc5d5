"""Messages that aiokafka cannot read or write by itself."""

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.produce import send_as_is
from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce_raw,
    rows_arrive,
)


class _NotUtf8(str):
    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def test_a_header_name_that_is_not_utf8_stops_it_and_loses_nothing(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = [event(seq=number) for number in range(50)]
    await produce_raw(kafka_bootstrap, topic, [message(one) for one in events], partition=2)
    await _produce_unreadable(kafka_bootstrap, topic, partition=2)
    await produce_raw(kafka_bootstrap, topic, [message(event())], partition=2)
    async with new_consumer() as consumer:
        last = await consumer.ended()
    assert consumer.process.returncode == 1
    assert f"{topic}-2: a message cannot be parsed (offset 50: " in last
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)


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
