"""The consumer on real Kafka and the real engine: what is accepted is in the table, once."""

import asyncio
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce,
    produce_raw,
    rows_arrive,
)
from tests.support.wait import wait_until


async def test_events_of_all_partitions_arrive_once(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = [event(f"org-{number % 40}", seq=number) for number in range(2000)]
    await produce(kafka_bootstrap, topic, events)
    async with new_consumer() as consumer:
        await consumer.ready()
        await rows_arrive(clickhouse, 2000)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)
    partitions = await clickhouse.query("SELECT DISTINCT _partition FROM events")
    assert len(partitions.result_rows) == 4


async def test_a_malformed_message_between_good_ones_is_a_dead_letter(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    good = [event(seq=number) for number in range(3)]
    bad = [b"{not json", message(event(status_code=1)), b"\xff\xfe", None, b""]
    values = [message(good[0]), *bad[:2], message(good[1]), *bad[2:], message(good[2])]
    await produce_raw(kafka_bootstrap, topic, values, key=b"acme", headers=[("origin", b"x")])
    async with new_consumer():
        await rows_arrive(clickhouse, 3)
        letters = await messages(kafka_bootstrap, f"{topic}.dlq", 5)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in good)
    headers = [dict(letter.headers) for letter in letters]
    by_offset = {int(h["activity-dlq-offset"]): x for h, x in zip(headers, letters, strict=True)}
    assert [by_offset[offset].value for offset in sorted(by_offset)] == bad
    assert {letter.key for letter in letters} == {b"acme"}
    assert {h["origin"] for h in headers} == {b"x"}
    rows = await clickhouse.query(
        "SELECT source_offset, reason FROM dead_letters FINAL ORDER BY source_offset"
    )
    assert rows.result_rows == [
        (1, "malformed_json"),
        (2, "invalid_event"),
        (4, "invalid_utf8"),
        (5, "null_value"),
        (6, "malformed_json"),
    ]


async def test_a_restart_goes_on_where_it_stopped(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    first, second = ([event(f"org-{n % 9}", seq=n) for n in range(300)] for _ in range(2))
    await produce(kafka_bootstrap, topic, first)
    async with new_consumer("first"):
        await rows_arrive(clickhouse, 300)
    await produce(kafka_bootstrap, topic, second)
    async with new_consumer("second"):
        await rows_arrive(clickhouse, 600)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in first + second)


async def test_the_same_event_three_times_is_one_row(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    once = [event(seq=number) for number in range(50)]
    last = event(seq=99)
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, once + once)
        await rows_arrive(clickhouse, 50)
    async with new_consumer("second"):  # it has to learn the ids from the table
        await produce(kafka_bootstrap, topic, [*once, last])
        await rows_arrive(clickhouse, 51)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in [*once, last])


async def test_what_the_window_of_ids_has_forgotten_is_asked_in_the_table(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    old = [event(id=f"01900000-0000-7000-8000-{n:012x}", seq=n) for n in range(40)]
    young = [event(seq=number) for number in range(60)]
    last = event(seq=99)
    async with new_consumer(id_window=10):
        await produce(kafka_bootstrap, topic, old + young)
        await rows_arrive(clickhouse, 100)
        await produce(kafka_bootstrap, topic, [*old, *young, *old, last])
        await rows_arrive(clickhouse, 101)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in [*old, *young, last])


async def test_two_consumers_share_and_one_leaves(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = [event(f"org-{number % 40}", seq=number) for number in range(4000)]
    async with new_consumer("stays") as stays:
        await stays.ready()
        async with new_consumer("leaves") as leaves:
            sending = asyncio.create_task(produce(kafka_bootstrap, topic, events[:3000]))
            await leaves.ready()
            await sending
        await produce(kafka_bootstrap, topic, events[3000:])
        await rows_arrive(clickhouse, 4000)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)


async def test_progress_says_what_is_there_of_every_partition(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    async def complete() -> Any:
        """None while a partition is missing: of a topic just made, metadata may first show some."""
        result = await clickhouse.query(
            "SELECT min(through) FROM (SELECT partition, max(complete_through) AS through,"
            " max(partitions) AS n FROM progress WHERE topic = {t:String} GROUP BY partition)"
            " HAVING count() = max(n)",
            {"t": topic},
        )
        return result.result_rows[0][0] if result.result_rows else None

    async with new_consumer():
        await produce(kafka_bootstrap, topic, [event(f"org-{n}", seq=n) for n in range(100)])
        sent = (await clickhouse.query("SELECT now64(3)")).result_rows[0][0]
        await wait_until(complete, 20, "all partitions tell their progress")

        async def passed() -> bool:
            through = await complete()
            return through is not None and bool(through >= sent)

        await wait_until(passed, 20, "progress is past the last event")
        assert len(await ids(clickhouse)) == 100
