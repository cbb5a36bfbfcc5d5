"""Messages that are no events, between events: each is kept to the byte, and nothing else is."""

from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.model import DeadLetterId, Status, StoredDeadLetter
from activity_consume.dead_letter.repository import DeadLetterRepository
from activity_consume.validation.validate import InvalidMessage, Reason, ValidEvent, validate
from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce_raw,
)
from tests.support.odd_messages import ODD
from tests.support.records import FAR
from tests.support.wait import wait_until

HEADERS = [("origin", b"test"), ("origin", b""), ("second", "ü".encode())]
# What a broker takes by default, about; our headers on top are too much for it.
_ALMOST_TOO_LARGE = b"x" * 1_048_300


async def test_every_odd_message_is_a_row_or_a_dead_letter(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    odd = {name: value for name, value in ODD.items() if len(value) < 1_000_000}
    verdicts = {name: validate(value, FAR) for name, value in odd.items()}
    accepted = [verdict.id for verdict in verdicts.values() if isinstance(verdict, ValidEvent)]
    reasons = {
        offset: verdict.reason
        for offset, verdict in enumerate(verdicts.values())
        if isinstance(verdict, InvalidMessage)
    }
    values = [*odd.values()]
    await produce_raw(kafka_bootstrap, topic, values, key=b"acme", headers=HEADERS)
    async with new_consumer(future_limit_s=10**10) as consumer:
        await consumer.ready()
        await wait_until(lambda: _settled(consumer, len(values)), 20, "all is settled")
    assert sorted(await ids(clickhouse)) == sorted(accepted)
    sent = await messages(kafka_bootstrap, f"{topic}.dlq", len(reasons))
    for one in sent:
        headers = dict(one.headers)
        offset = int(headers["activity-dlq-offset"])
        assert (one.key, one.value) == (b"acme", values[offset])
        assert list(one.headers[:3]) == HEADERS
        assert headers["activity-dlq-reason"].decode() == reasons[offset]
    letters = await _letters(clickhouse)
    assert {letter.id.offset: letter.reason for letter in letters} == reasons
    for letter in letters:
        assert (letter.key, letter.value) == (b"acme", values[letter.id.offset])
        assert list(letter.headers) == HEADERS
        assert letter.detail
        assert letter.status is Status.WAITING


#: The table has drifted, which is meant.
_NARROWED = {"ACTIVITY_CLICKHOUSE_ON_DRIFT": "say"}


async def test_the_row_that_the_engine_refuses_is_found_in_a_batch(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """Its neighbours go in. A column that somebody has narrowed: of what the consumer
    accepts, the table as it comes takes all."""
    narrow = "ALTER TABLE events MODIFY COLUMN error_code Enum8('' = 0, 'known' = 1)"
    await clickhouse.command(narrow)
    good = [event(seq=number, schema_version=1) for number in range(300)]
    values = [message(one) for one in good]
    for at in (7, 150, 151):
        values[at] = values[at][:-1] + b',"error_code":"unknown"}'
    await produce_raw(kafka_bootstrap, topic, values, key=b"acme")
    async with new_consumer(batch_max_age_s=1, variables=_NARROWED) as consumer:
        await consumer.ready()
        await wait_until(lambda: _settled(consumer, 300), 30, "all is settled")
    letters = await _letters(clickhouse)
    assert [letter.id.offset for letter in letters] == [7, 150, 151]
    assert {letter.reason for letter in letters} == {Reason.REFUSED_BY_CLICKHOUSE}
    assert all("error_code" in letter.detail for letter in letters)
    taken = {one["id"] for number, one in enumerate(good) if number not in (7, 150, 151)}
    assert sorted(await ids(clickhouse)) == sorted(taken)


async def test_many_rows_that_the_engine_refuses_cost_a_few_inserts(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """150 of 300; found by halving they took 1,000 inserts and more, and 19 s."""
    narrow = "ALTER TABLE events MODIFY COLUMN error_code Enum8('' = 0, 'known' = 1)"
    await clickhouse.command(narrow)
    values = [message(event(seq=number, schema_version=1)) for number in range(300)]
    refused = range(1, 300, 2)
    for at in refused:
        values[at] = values[at][:-1] + b',"error_code":"unknown"}'
    await produce_raw(kafka_bootstrap, topic, values, key=b"acme")
    async with new_consumer(batch_max_age_s=1, variables=_NARROWED) as consumer:
        await consumer.ready()
        await wait_until(lambda: _settled(consumer, 300), 30, "all is settled")
    letters = await _letters(clickhouse)
    assert [letter.id.offset for letter in letters] == [*refused]
    assert {letter.reason for letter in letters} == {Reason.REFUSED_BY_CLICKHOUSE}
    assert all("error_code" in letter.detail for letter in letters)
    assert len(await ids(clickhouse)) == 150


async def test_many_rows_are_refused_for_several_reasons(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """An Enum, a text that is no UUID, a constraint: 100 of each, and more than are found one by
    one."""
    await clickhouse.command(
        "ALTER TABLE events MODIFY COLUMN error_code Enum8('' = 0, 'known' = 1),"
        " MODIFY COLUMN resource_id UUID, ADD CONSTRAINT sober CHECK status_code != 418"
    )
    facts: list[dict[str, Any]] = [
        {"error_code": "known"},
        {"error_code": "unknown"},
        {"resource_id": "none"},
        {"status_code": 418},
    ]
    good: dict[str, Any] = {
        "schema_version": 1,
        "resource_id": "01890000-0000-7000-8000-000000000000",
    }
    values = [message(event(seq=number, **(good | facts[number % 4]))) for number in range(400)]
    await produce_raw(kafka_bootstrap, topic, values, key=b"acme")
    async with new_consumer(batch_max_age_s=1, variables=_NARROWED) as consumer:
        await consumer.ready()
        await wait_until(lambda: _settled(consumer, 400), 60, "all is settled")
    letters = await _letters(clickhouse)
    assert [letter.id.offset for letter in letters] == [at for at in range(400) if at % 4]
    assert {letter.reason for letter in letters} == {Reason.REFUSED_BY_CLICKHOUSE}
    told = [letter.detail for letter in letters[:3]]
    for detail, what in zip(
        told, ("column error_code", "column resource_id", "constraint sober"), strict=True
    ):
        assert detail.startswith(what)
    assert len(await ids(clickhouse)) == 100


async def test_around_the_value(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """Keys and headers that are no text, no key, headers without content: they make no difference,
    and are kept. And a message that is too large for the dead-letter topic is in the table only."""
    around: list[tuple[bytes | None, bytes | None, list[Any]]] = [
        (b"{}", b"\xff\x00", []),
        (b"{}", b"acme", [("h", b"\xff")]),
        (b"{", None, [("none", None), ("", b""), ("ü", b"\x00")]),
        (None, b"", []),
        (_ALMOST_TOO_LARGE, b"acme", HEADERS),
        (message(event()), b"acme", [("none", None), ("", b"")]),
    ]
    for value, key, headers in around:
        await produce_raw(kafka_bootstrap, topic, [value], key=key, headers=headers)
    async with new_consumer() as consumer:
        await consumer.ready()
        await wait_until(lambda: _settled(consumer, len(around)), 20, "all is settled")
    assert len(await ids(clickhouse)) == 1
    letters = await _letters(clickhouse)
    found = [(letter.value, letter.key, list(letter.headers)) for letter in letters]
    assert found == around[:-1]
    sent = await messages(kafka_bootstrap, f"{topic}.dlq", 4)
    assert sorted(dict(one.headers)["activity-dlq-offset"] for one in sent) == [
        *(b"0", b"1", b"2", b"3")
    ]


async def _settled(consumer: Any, offset: int) -> bool:
    """Of partition 0, as the consumer's metrics tell."""
    lines = (await consumer.page("/metrics", 200)).splitlines()
    return any("settled_offset" in line and line.endswith(f" {offset}.0") for line in lines)


async def _letters(clickhouse: AsyncClient) -> list[StoredDeadLetter]:
    box = DeadLetterRepository(clickhouse)
    found: list[DeadLetterId] = await box.ids(Status.WAITING)
    return await box.letters(found)
