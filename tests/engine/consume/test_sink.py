"""The events table as the consumer uses it, on the real engine."""

import json

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.batching.rows import Row
from activity_consume.errors import InsertError, InsertFailure
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink, Progress
from activity_schemas.uuid7 import uuid7
from tests.support.clickhouse import connect
from tests.support.odd_messages import odd
from tests.support.records import refused_row, row

SOURCE = TopicPartition("events", 3)
OTHERS = (TopicPartition("events", 2), TopicPartition("other", 3))


@pytest.fixture
def sink(clickhouse: AsyncClient) -> ClickHouseSink:
    return ClickHouseSink(clickhouse)


async def insert(
    sink: ClickHouseSink,
    rows: list[Row],
    base: int = 0,
    partition: TopicPartition = SOURCE,
    for_ms: int = 60_000,
) -> None:
    """`for_ms`: how long the lease lasts."""
    await sink.insert(partition, base, await sink.now_ms() + for_ms, rows)


async def test_rows_are_there_with_their_place(
    sink: ClickHouseSink, clickhouse: AsyncClient
) -> None:
    lease = await sink.now_ms() + 60_000
    await sink.insert(SOURCE, 5, lease, [row(7), row(9)])
    result = await clickhouse.query(
        "SELECT _topic, _partition, _offset, _base_offset, toUnixTimestamp64Milli(_lease),"
        " abs(_ingested_at - now64(3)) < 30 FROM events ORDER BY _offset"
    )
    assert result.result_rows == [("events", 3, n, 5, lease, 1) for n in (7, 9)]


async def test_a_batch_is_one_part_per_partition_of_the_table(
    sink: ClickHouseSink, clickhouse: AsyncClient
) -> None:
    """A partition of Kafka is a bucket of the table, so what counts is the months."""
    value = [odd(org_id='"acme"', timestamp=f'"2026-0{1 + n % 3}-02T00:00:00Z"') for n in range(6)]
    await insert(sink, [row(offset, one) for offset, one in enumerate(value)])
    parts = await clickhouse.query("SELECT uniqExact(_part) FROM events")
    assert parts.result_rows == [(3,)]


async def test_an_insert_after_its_lease_is_refused_as_a_whole(sink: ClickHouseSink) -> None:
    with pytest.raises(InsertError, match="469") as refused:
        await insert(sink, [row(1), row(2)], for_ms=-1)
    assert refused.value.failure is InsertFailure.FAILED
    assert await sink.existing_offsets(SOURCE, 0) == set()


async def test_one_bad_row_and_none_of_its_batch_goes_in(sink: ClickHouseSink) -> None:
    months = [odd(timestamp=f'"2026-0{month}-02T00:00:00Z"') for month in range(1, 7)]
    rows = [row(offset, value) for offset, value in enumerate(months)]
    with pytest.raises(InsertError) as refused:
        await insert(sink, [*rows, refused_row(9)])
    assert refused.value.failure is InsertFailure.REJECTED
    assert "\n" not in str(refused.value)
    assert await sink.existing_offsets(SOURCE, 0) == set()


async def test_a_bad_row_far_behind_in_a_large_batch(sink: ClickHouseSink) -> None:
    """Larger than what the engine reads at once, and than a piece of the body."""
    value = odd(metadata=json.dumps({"a": "x" * 60_000}))
    rows = [row(offset, value) for offset in range(400)]
    with pytest.raises(InsertError) as refused:
        await insert(sink, [*rows, refused_row(400)])
    assert refused.value.failure is InsertFailure.REJECTED
    assert await sink.existing_offsets(SOURCE, 0) == set()
    await insert(sink, rows)
    assert len(await sink.existing_offsets(SOURCE, 0)) == 400


async def test_a_table_that_is_not_there_is_no_fault_of_the_data(
    sink: ClickHouseSink, clickhouse: AsyncClient
) -> None:
    await clickhouse.command("RENAME TABLE events TO away")
    with pytest.raises(InsertError) as refused:
        await insert(sink, [row(1)])
    assert refused.value.failure is InsertFailure.FAILED


async def test_an_engine_short_of_memory_is_no_fault_of_the_data(
    clickhouse_url: str, database: str
) -> None:
    async with await connect(clickhouse_url, database) as client:
        client.set_client_setting("max_memory_usage", "100000")
        with pytest.raises(InsertError, match="241") as refused:
            await ClickHouseSink(client).insert(SOURCE, 0, 2**41, [row(n) for n in range(1000)])
    assert refused.value.failure is InsertFailure.FAILED


async def test_which_offsets_are_present(sink: ClickHouseSink) -> None:
    await insert(sink, [row(offset) for offset in (3, 4, 6, 9)])
    for partition in OTHERS:
        await insert(sink, [row(5)], partition=partition)
    assert await sink.existing_offsets(SOURCE, 0) == {3, 4, 6, 9}
    assert await sink.existing_offsets(SOURCE, 4) == {4, 6, 9}
    assert await sink.existing_offsets(SOURCE, 4, 9) == {4, 6}
    assert await sink.existing_offsets(SOURCE, 10) == set()
    assert await sink.existing_offsets(OTHERS[0], 0) == {5}


async def test_how_far_a_partition_is(sink: ClickHouseSink) -> None:
    assert await sink.progress(SOURCE, 0) is None
    await insert(sink, [row(0), row(7)], base=0)
    await insert(sink, [row(12), row(14)], base=10)
    for partition in OTHERS:
        await insert(sink, [row(99)], base=99, partition=partition)
    assert await sink.progress(SOURCE, 0) == Progress(10, 14)
    assert await sink.progress(SOURCE, 14) == Progress(10, 14)
    assert await sink.progress(SOURCE, 15) is None


async def test_ids_are_the_partitions_youngest(sink: ClickHouseSink) -> None:
    ids = [str(uuid7(1_767_322_800_000 + 10_000 * number)) for number in range(6)]
    values = [odd(id=f'"{id_}"') for id_ in reversed(ids)]
    await insert(sink, [row(offset, value) for offset, value in enumerate(values)])
    for partition in OTHERS:
        await insert(sink, [row(0, odd(id=f'"{uuid7(1_800_000_000_000)}"'))], partition=partition)
    window = await sink.ids(SOURCE, 3)
    assert [window.take(id_) for id_ in ids] == [None] * 4 + [False] * 2
    whole = await sink.ids(SOURCE, 7)
    assert [whole.take(id_) for id_ in ids] == [False] * 6
    assert whole.take(str(uuid7(1_767_322_800_000 - 10_000)))


async def test_which_ids_are_taken(sink: ClickHouseSink) -> None:
    """Of any partition: what is asked for here, a spool may have sent to another one."""
    stamps = ["2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05+05:30", "2026-01-02T03:04:05Z"]
    orgs = ["acme", "tab\tquote'back\\slash\nline", "ümläut 😀 \u0000"]
    rows = [
        row(offset, odd(timestamp=json.dumps(stamp), org_id=json.dumps(org)), ask=True)
        for offset, (stamp, org) in enumerate(zip(stamps, orgs, strict=True))
    ]
    await insert(sink, rows, partition=OTHERS[1])
    assert await sink.existing_ids([*rows, row(3, ask=True), row(4, ask=True)]) == {
        one.id for one in rows
    }
    assert await sink.existing_ids([row(5, ask=True)]) == set()
    assert await sink.existing_ids([]) == set()


async def test_many_ids_are_asked_at_once(sink: ClickHouseSink) -> None:
    """After partitions were added every event of a large batch asks."""
    rows = [row(offset, odd(id=f'"{uuid7()}"'), ask=True) for offset in range(30_000)]
    await insert(sink, rows[:20_000], partition=OTHERS[0])
    assert await sink.existing_ids(rows) == {one.id for one in rows[:20_000]}


async def test_another_topic_of_the_same_name_has_no_rows_yet(sink: ClickHouseSink) -> None:
    await insert(sink, [row(3), row(4)])
    anew = TopicPartition(SOURCE.topic, SOURCE.partition, 1)
    assert await sink.existing_offsets(anew, 0) == set()
    assert await sink.progress(anew, 0) is None
    assert await sink.edge_rows(anew, 0, 100) == {}
    newer = row(3, odd(id=f'"{uuid7()}"'))
    await insert(sink, [newer], partition=anew)
    assert await sink.existing_offsets(anew, 0) == {3}
    assert await sink.edge_rows(anew, 0, 100) == {3: newer.id}
    assert list(await sink.edge_rows(SOURCE, 0, 100)) == [3, 4]
    assert list(await sink.edge_rows(SOURCE, 4, 100)) == [4]
    assert await sink.edge_rows(SOURCE, 5, 100) == {}
    assert await sink.existing_offsets(SOURCE, 0) == {3, 4}


async def test_taken_ids_are_found_by_the_key(
    sink: ClickHouseSink, clickhouse: AsyncClient
) -> None:
    """400,000 rows, and three ids: some granules of 8192 rows, and never a scan."""
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, method, path, action, _lease)"
        " SELECT generateUUIDv7(number), toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + number,"
        " concat('org-', toString(number % 20)), 'GET', '/', 'read', now64(3) + 60"
        " FROM numbers(400000)"
    )
    held = await clickhouse.query(
        "SELECT toString(id), org_id, formatDateTime(timestamp, '%FT%TZ', 'UTC') FROM events"
        " WHERE toUnixTimestamp(timestamp) % 100000 = 12345"
    )
    rows = [
        row(offset, odd(id=f'"{id_}"', org_id=f'"{org}"', timestamp=f'"{stamp}"'), ask=True)
        for offset, (id_, org, stamp) in enumerate(held.result_rows)
    ]
    assert len(rows) == 4
    needs_lookup = _Counting(clickhouse)
    assert await ClickHouseSink(needs_lookup).existing_ids(rows) == {one.id for one in rows}  # type: ignore[arg-type]
    assert needs_lookup.read_rows < 80_000


class _Counting:
    """A client that adds up what its queries have read."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.read_rows = 0

    async def query(self, sql: str, parameters: dict[str, object]) -> object:
        result = await self._client.query(sql, parameters)
        self.read_rows += int(result.summary["read_rows"])
        return result
