"""Records with anything around their value, through a real Kafka: each is a row or a letter."""

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.model import StoredDeadLetter
from activity_consume.dead_letter.repository import DeadLetterRepository
from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce_raw,
    rows_arrive,
)
from tests.support.wait import wait_until

MICROSECONDS = 1_795_690_000_000_000
TIMESTAMPS = [
    *(0, -1, -2, 1, 999, MICROSECONDS, 1000 * MICROSECONDS),
    *(2**31, 2**53, 10_413_791_999_999, 10_413_792_000_000),  # the end of the table's times
    *(-2_208_988_800_000, -2_208_988_800_001),  # and their begin
    *(-(2**31), -(2**53), 2**62, -(2**62), 2**63 - 1, -(2**63) + 1),
]
TRACER = [("dd-pathway-ctx", b"\xff\x9a\x00"), ("x", None), ("", b""), ("x", b"\x80"), ("x", b"")]


async def test_any_record_timestamp(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    await _take_any_timestamp(kafka_bootstrap, topic)
    events = [event(seq=number) for number in range(len(TIMESTAMPS) + 1)]
    for one, timestamp in zip(events, TIMESTAMPS, strict=False):
        for value in (message(one), b"no event"):
            await _produce_at(kafka_bootstrap, topic, timestamp, value)
    await produce_raw(kafka_bootstrap, topic, [message(events[-1])])
    async with new_consumer() as consumer:
        await rows_arrive(clickhouse, len(events))
        await wait_until(lambda: _letters(clickhouse, len(TIMESTAMPS)), 20, "the letters")
        on_topic = await messages(kafka_bootstrap, f"{topic}.dlq", len(TIMESTAMPS))
        await consumer.ready()
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)
    written = {int(dict(one.headers)["activity-dlq-timestamp"]) for one in on_topic}
    assert written == set(TIMESTAMPS), "to the programs exactly as they were"
    for letter in await _letters(clickhouse, len(TIMESTAMPS)):
        timestamp = TIMESTAMPS[(letter.id.offset - 1) // 2]
        inside = min(max(timestamp, -2_208_988_800_000), 10_413_791_999_999)
        assert round(letter.timestamp.timestamp() * 1000) == inside
    # A table that any client can read.
    result = await clickhouse.query("SELECT * FROM dead_letters FINAL")
    assert len(result.result_rows) == len(TIMESTAMPS)


async def test_headers_and_keys_of_others(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """More than what would count as poison; and a letter keeps them, also when it is replayed."""
    events = [event(seq=number) for number in range(40)]
    values = [message(one) for one in events]
    newer = message(event(schema_version=2))
    async with new_consumer(poison_limit=5) as consumer:
        for key, headers in ((b"\xff\x00", TRACER), ("ümläut".encode("latin-1"), []), (b"", [])):
            some, values = values[:10], values[10:]
            await produce_raw(kafka_bootstrap, topic, some, key=key, headers=headers)
        await produce_raw(kafka_bootstrap, topic, [*values, newer], key=b"\xfe", headers=TRACER)
        await rows_arrive(clickhouse, 40)
        await wait_until(lambda: _letters(clickhouse, 1), 20, "the letter")
        [letter] = await _letters(clickhouse, 1)
        assert (letter.reason, letter.key) == ("unsupported_schema_version", b"\xfe")
        assert list(letter.headers) == TRACER
        [on_topic] = await messages(kafka_bootstrap, f"{topic}.dlq", 1)
        assert list(on_topic.headers[: len(TRACER)]) == TRACER
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
            await DeadLetterRepository(clickhouse).replay([letter.id], producer)
        await wait_until(lambda: _letters(clickhouse, 2), 20, "the replayed one is a letter again")
        _, again = await _letters(clickhouse, 2)
        assert (again.reason, again.key, again.value) == (letter.reason, b"\xfe", newer)
        assert again.headers == letter.headers
        await consumer.ready()
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)


async def test_huge_keys_and_headers(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """As large as a broker takes by default. With ours on top the dead-letter topic does not."""
    huge = b"\xff" * 1_000_000
    good = [event(seq=number) for number in range(3)]
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, max_request_size=8 << 20, max_batch_size=8 << 20
    ) as producer:
        for value in (message(good[0]), b"", b"no event"):
            await producer.send_and_wait(topic, value, key=huge, partition=0)
        for value in (message(good[1]), b"no event"):
            headers = [("h", huge)]
            await producer.send_and_wait(topic, value, headers=headers, partition=0)
        many = [(f"h{number}", b"\x80") for number in range(30_000)]
        await producer.send_and_wait(topic, message(good[2]), headers=many, partition=0)
        for around in ([("h", huge)], many):
            batch = producer.create_batch()
            batch.append(timestamp=None, key=None, value=None, headers=around)
            await (await producer.send_batch(batch, topic, partition=0))
    async with new_consumer():
        await rows_arrive(clickhouse, 3)
        await wait_until(lambda: _letters(clickhouse, 5), 20, "5 letters")
    letters = await _letters(clickhouse, 5)
    assert [letter.key for letter in letters] == [huge, huge, None, None, None]
    assert [len(letter.headers) for letter in letters] == [0, 0, 1, 1, 30_000]
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in good)


async def _letters(clickhouse: AsyncClient, count: int) -> list[StoredDeadLetter]:
    """Once there are so many; [] before."""
    box = DeadLetterRepository(clickhouse)
    found = [one.id for one in await box.summaries()]
    return await box.letters(sorted(found)) if len(found) >= count else []


async def _produce_at(bootstrap: str, topic: str, timestamp: int, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        batch = producer.create_batch()
        batch.append(timestamp=timestamp, key=b"acme", value=value)
        await (await producer.send_batch(batch, topic, partition=0))


async def _take_any_timestamp(bootstrap: str, topic: str) -> None:
    """As older brokers do; newer ones can be told to."""
    limits = {
        "message.timestamp.after.max.ms": str(2**63 - 1),
        "message.timestamp.before.max.ms": str(2**63 - 1),
        "retention.ms": "-1",
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, limits)
        await admin.alter_configs([resource])
    finally:
        await admin.close()
