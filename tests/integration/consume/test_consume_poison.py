"""Nothing but poison: the consumer stops, says where, keeps it, and goes on at a word."""

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.consumer import (
    NewConsumer,
    event,
    ids,
    message,
    messages,
    produce_raw,
    rows_arrive,
)
from tests.support.dlq import Dlq

# Each row that the engine refuses is found by several inserts, on a machine that may be busy.
_PATIENCE = 75
# A value that validation knows nothing of: `toUInt8` cannot read the path.
REFUSE = (
    "ALTER TABLE events ADD COLUMN refused UInt8"
    " MATERIALIZED toUInt8(if(path = '/refused', path, '0'))"
)


async def test_it_stops_says_where_and_goes_on_at_a_word(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer, dlq: Dlq
) -> None:
    good = [event(seq=number) for number in range(6)]
    values = [*map(message, good[:5]), *[b"nonsense"] * 300, message(good[5])]
    await produce_raw(kafka_bootstrap, topic, values)
    async with new_consumer("first", poison_limit=100) as consumer:
        last = await consumer.ended()
    assert consumer.process.returncode == 1
    assert "100 messages in a row are no events, offsets 5 to 104 (the last: malformed" in last
    assert f"activity dlq accept {topic}/0/104" in last
    assert "ACTIVITY_CONSUMER_POISON_LIMIT" in last
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in good[:5])
    assert await _buried(clickhouse) == list(range(5, 105))
    assert (await dlq("list"))[1].endswith(b"50 of 100 dead letters\n")

    # Again at once, in the same words; nothing is buried twice.
    async with new_consumer("second", poison_limit=100) as consumer:
        assert await consumer.ended() == last
    assert await _buried(clickhouse) == list(range(5, 105))

    early = await dlq("accept", f"{topic}/0/103")
    assert early == (
        1,
        b"",
        f"activity: the consumer has stopped at offset 104 of {topic}-0: accept {topic}/0/104,"
        " or a later offset\n",
    )
    elsewhere = await dlq("accept", f"{topic}/1/104")
    assert elsewhere[2] == f"activity: no consumer has stopped at poison in {topic}-1\n"
    accepted = await dlq("accept", f"{topic}/0/104")
    assert (accepted[0], b"offsets 5 to 104" in accepted[1]) == (0, True)
    async with new_consumer("third", poison_limit=100) as consumer:
        assert "offsets 105 to 204" in await consumer.ended()

    # All there is of it, by one word.
    assert (await dlq("accept", f"{topic}/0/1000"))[0] == 0
    async with new_consumer("fourth", poison_limit=100):
        await rows_arrive(clickhouse, 6)
    assert await _buried(clickhouse) == list(range(5, 305))
    assert (await dlq("list", "--status", "waiting"))[1].endswith(b"50 of 300 dead letters\n")
    assert len(await messages(kafka_bootstrap, f"{topic}.dlq", 300)) == 300


async def test_a_higher_limit_goes_on_as_well(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    last = event()
    await produce_raw(kafka_bootstrap, topic, [*[b"nonsense"] * 30, message(last)])
    async with new_consumer("first", poison_limit=20) as consumer:
        assert "offsets 0 to 19" in await consumer.ended()
    async with new_consumer("second", poison_limit=50):
        await rows_arrive(clickhouse, 1)
    assert await _buried(clickhouse) == list(range(30))


async def test_what_only_the_engine_refuses_is_poison_too(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer, dlq: Dlq
) -> None:
    await clickhouse.command(REFUSE)
    good = [event(seq=number) for number in range(2)]
    refused = [event(seq=number, path="/refused") for number in range(30)]
    values = [*map(message, [good[0], *refused, good[1]])]
    await produce_raw(kafka_bootstrap, topic, values)
    async with new_consumer("first", poison_limit=20) as consumer:
        last = await consumer.ended(within=_PATIENCE)
    assert "20 messages in a row are no events, offsets 1 to 20 (the last: refused_by" in last
    # All of the batch is looked at, but it is not settled: its good events are found there later.
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in good)
    assert await _buried(clickhouse) == list(range(1, 31))
    async with new_consumer("second", poison_limit=20) as consumer:
        assert await consumer.ended() == last
    assert (await dlq("accept", f"{topic}/0/20"))[0] == 0
    async with new_consumer("third", poison_limit=20):
        await rows_arrive(clickhouse, 2, within=_PATIENCE)
    assert await _buried(clickhouse) == list(range(1, 31))
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in good)


async def test_a_refused_copy_takes_no_other_with_it(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """In its own batch, in the next one, and where the window of ids has forgotten it."""
    await clickhouse.command(REFUSE)
    wanted: list[str] = []
    for name, settings in {"one": {}, "few": {"batch_max_rows": 4, "id_window": 3}}.items():
        good = [event(seq=number) for number in range(24)]
        refused = [one | {"path": "/refused"} for one in good[:12]]
        values = [*refused[:6], *good[:6], *good[:6], *refused[6:], *good, *good]
        wanted += [one["id"] for one in good]
        partition = 0 if name == "one" else 1
        await produce_raw(kafka_bootstrap, topic, [*map(message, values)], partition=partition)
        async with new_consumer(name, **settings):
            await rows_arrive(clickhouse, len(wanted), within=_PATIENCE)
        assert sorted(await ids(clickhouse)) == sorted(wanted)
        letters = await clickhouse.query(
            "SELECT source_offset, reason FROM dead_letters FINAL"
            f" WHERE source_partition = {partition} ORDER BY source_offset"
        )
        offsets = [*range(6), *range(18, 24)]
        assert letters.result_rows == [(offset, "refused_by_clickhouse") for offset in offsets]


async def _buried(clickhouse: AsyncClient) -> list[int]:
    """The partition's offset of every letter, once for each time that it was written."""
    result = await clickhouse.query("SELECT source_offset FROM dead_letters ORDER BY source_offset")
    return [row[0] for row in result.result_rows]
