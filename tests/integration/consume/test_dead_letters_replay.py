"""Dead letters, sent once more: what is an event now is a row, once; the rest are new letters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.model import DeadLetter, DeadLetterId, Status
from activity_consume.dead_letter.repository import DeadLetterRepository
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.errors import UnknownDeadLetterError
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason
from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce_raw,
    rows_arrive,
)
from tests.support.records import Message
from tests.support.wait import wait_until


async def test_after_an_upgrade(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """The first consumer does not take a clock that is ahead; the second one does. Neither knows
    version 2: its letters wait, as they are, for the third."""
    box = DeadLetterRepository(clickhouse)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    early = [event(seq=number, timestamp=ahead, schema_version=1) for number in range(3)]
    newer = message(event(schema_version=2, colour="red", action="merge"))
    values = [*map(message, early), newer, b"no json"]
    async with new_consumer("first", future_limit_s=60) as first:
        await first.ready()
        await produce_raw(kafka_bootstrap, topic, values, partition=2, key=b"acme")
        await wait_until(lambda: _are(box, 5), 20, "5 letters")
    waiting = await box.ids(Status.WAITING)
    assert waiting == [DeadLetterId(topic, 2, offset) for offset in range(5)]
    kafka = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all")
    async with new_consumer("second") as second, kafka as producer:
        await second.ready()
        assert (await box.plan_replay(waiting)).done == waiting
        assert await box.count(Status.WAITING) == 5, "a plan does nothing"

        outcome = await box.replay(waiting, producer)
        assert (outcome.done, outcome.passed_over, outcome.failed) == (waiting, [], [])
        await rows_arrive(clickhouse, 3)
        await wait_until(lambda: _are(box, 7), 20, "two new letters")
        letters = await box.letters(await box.ids(Status.WAITING))
        assert [letter.reason for letter in letters] == [
            Reason.UNSUPPORTED_SCHEMA_VERSION,
            Reason.MALFORMED_JSON,
        ]
        assert [letter.value for letter in letters] == [newer, b"no json"]
        assert all(letter.id.offset >= 5 for letter in letters)

        again = await box.replay(waiting, producer)
        assert again.done == []
        assert again.passed_over == [(id_, Status.REPLAYED) for id_ in waiting]
        forced = await box.replay(waiting[:3], producer, force=True)
        assert forced.done == waiting[:3]
        last = event(schema_version=1)
        await produce_raw(kafka_bootstrap, topic, [message(last)], partition=2, key=b"acme")
        await rows_arrive(clickhouse, 4)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in [*early, last])
    sent = await messages(kafka_bootstrap, topic, 14)
    assert len(sent) == 14, "5, 5 replayed, 3 by force, and the last"


async def test_a_message_is_sent_as_it_was(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient
) -> None:
    """Key, value, headers and partition, whatever they are; and where the topic has become smaller,
    to one that it has."""
    box = DeadLetterRepository(clickhouse)
    headers = (
        ("origin", b"test"),
        ("origin", b"\xff"),
        ("none", None),
        ("", b""),
        ("\u00fc", b"\x00"),
    )
    around = [(b"\xff\x00", b"\xfe"), (None, b""), (b"", None), (None, None)]
    for offset, (value, key) in enumerate(around):
        await _dead_letter(clickhouse, DeadLetterId(topic, 3, offset), value, key, headers)
    await _dead_letter(clickhouse, DeadLetterId(topic, 99, 0), b"elsewhere", None, headers)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        outcome = await box.replay(await box.ids(Status.WAITING), producer)
    assert len(outcome.done) == 5
    sent = await messages(kafka_bootstrap, topic, 5)
    found = [(one.value, one.key) for one in sent if one.partition == 3]
    assert [one for one in found if one[0] != b"elsewhere"] == around
    assert b"elsewhere" in {one.value for one in sent}
    assert all(tuple(one.headers) == headers for one in sent)


async def test_dropped_letters_stay_and_are_not_sent(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient
) -> None:
    box = DeadLetterRepository(clickhouse)
    first, second, third = waiting = [DeadLetterId(topic, 0, offset) for offset in range(3)]
    for id_ in waiting:
        await _dead_letter(clickhouse, id_, b"value %d" % id_.offset)
    assert (await box.drop([first, first, second])).done == [first, second]
    again = await box.drop(waiting)
    assert again.done == [third]
    assert again.passed_over == [(first, Status.DROPPED), (second, Status.DROPPED)]
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        assert (await box.replay(waiting, producer)).done == []
        unknown = DeadLetterId(topic, 0, 99)
        with pytest.raises(UnknownDeadLetterError, match=f"no dead letter {topic}/0/99"):
            await box.replay([first, unknown], producer, force=True)
        with pytest.raises(UnknownDeadLetterError):
            await box.drop([unknown])
        assert (await box.replay([second], producer, force=True)).done == [second]
    assert [one.value for one in await messages(kafka_bootstrap, topic, 1)] == [b"value 1"]
    letters = await box.letters(waiting)
    assert [letter.value for letter in letters] == [b"value 0", b"value 1", b"value 2"]
    assert [letter.status for letter in letters] == ["dropped", "replayed", "dropped"]


async def test_a_message_that_kafka_does_not_take_waits_on(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient
) -> None:
    """Its topic takes smaller ones than before; the others are sent."""
    box = DeadLetterRepository(clickhouse)
    ids_ = [DeadLetterId(topic, 0, offset) for offset in range(3)]
    for id_, size in zip(ids_, (1, 2 << 20, 1), strict=True):
        await _dead_letter(clickhouse, id_, b"x" * size)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, acks="all", max_request_size=4 << 20
    ) as producer:
        outcome = await box.replay(ids_, producer)
    assert outcome.done == [ids_[0], ids_[2]]
    assert outcome.failed == [(ids_[1], f"too large for {topic}; raise its max.message.bytes")]
    assert await box.ids(Status.WAITING) == [ids_[1]]


async def test_what_came_from_a_spool_has_no_topic(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient
) -> None:
    box = DeadLetterRepository(clickhouse)
    ids_ = [DeadLetterId(topic, 0, 0), DeadLetterId("spool:host-1", 0, 5)]
    for id_ in ids_:
        await _dead_letter(clickhouse, id_, b"x")
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        outcome = await box.replay(ids_, producer)
    assert outcome.done == ids_[:1]
    [(failed, why)] = outcome.failed
    assert (failed, "from a spool" in why) == (ids_[1], True)
    assert (await box.drop(ids_)).done == ids_[1:]


async def test_the_topic_is_not_there_any_more(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient
) -> None:
    box = DeadLetterRepository(clickhouse)
    id_ = DeadLetterId(f"{topic}.gone", 0, 0)
    await _dead_letter(clickhouse, id_, b"x")
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, acks="all", request_timeout_ms=500
    ) as producer:
        with pytest.raises(KafkaError, match=rf"topic {topic}\.gone does not exist"):
            await box.replay([id_], producer)
    assert await box.ids(Status.WAITING) == [id_]


async def test_more_letters_than_fit_in_memory_at_once(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient
) -> None:
    box = DeadLetterRepository(clickhouse)
    ids_ = [DeadLetterId(topic, 1, offset) for offset in range(120)]
    await _bury_all(clickhouse, [(id_, b"%d" % id_.offset, None, ()) for id_ in ids_])
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        assert (await box.replay(ids_, producer)).done == ids_
    sent = await messages(kafka_bootstrap, topic, 120)
    assert [one.value for one in sent] == [b"%d" % number for number in range(120)]
    assert await box.count(Status.REPLAYED) == 120


Headers = Sequence[tuple[str, bytes | None]]


async def _dead_letter(
    clickhouse: AsyncClient,
    id_: DeadLetterId,
    value: bytes | None,
    key: bytes | None = None,
    headers: Headers = (),
) -> None:
    await _bury_all(clickhouse, [(id_, value, key, headers)])


async def _bury_all(
    clickhouse: AsyncClient,
    letters: Sequence[tuple[DeadLetterId, bytes | None, bytes | None, Headers]],
) -> None:
    """Into the table, as the consumer does it."""
    partition = {id_: TopicPartition(id_.topic, id_.partition) for id_, *_ in letters}
    await DeadLetterWriter(None, "", clickhouse)._to_table(
        [
            DeadLetter(
                partition[id_],
                Message(id_.offset, value, key, tuple(headers)),
                Reason.MALFORMED_JSON,
                "buried by a test",
            )
            for id_, value, key, headers in letters
        ]
    )


async def _are(box: DeadLetterRepository, count: int) -> bool:
    return await box.count() == count
