"""The events table as the consumer uses it, on the real engine."""

import dataclasses
import json

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.batching.batch import Source
from activity_consume.batching.rows import Row
from activity_consume.sink.clickhouse import EventStore, InsertError, Progress, Refusal
from activity_schemas.uuid7 import uuid7
from tests.support.clickhouse import connect
from tests.support.odd_messages import odd
from tests.support.records import refused_row, row

SOURCE = Source("events", 3)
OTHERS = (Source("events", 2), Source("other", 3))


@pytest.fixture
def store(clickhouse: AsyncClient) -> EventStore:
    return EventStore(clickhouse)


async def insert(
    store: EventStore, rows: list[Row], base: int = 0, source: Source = SOURCE, for_ms: int = 60_000
) -> None:
    """`for_ms`: how long the lease lasts."""
    await store.insert(source, base, await store.now_ms() + for_ms, rows)


async def test_rows_are_there_with_their_place(store: EventStore, clickhouse: AsyncClient) -> None:
    lease = await store.now_ms() + 60_000
    await store.insert(SOURCE, 5, lease, [row(7), row(9)])
    result = await clickhouse.query(
        "SELECT _topic, _partition, _offset, _base_offset, toUnixTimestamp64Milli(_lease),"
        " abs(_ingested_at - now64(3)) < 30 FROM events ORDER BY _offset"
    )
    assert result.result_rows == [("events", 3, n, 5, lease, 1) for n in (7, 9)]


async def test_a_batch_is_one_part_per_partition_of_the_table(
    store: EventStore, clickhouse: AsyncClient
) -> None:
    """A partition of Kafka is a bucket of the table, so what counts is the months."""
    value = [odd(org_id='"acme"', timestamp=f'"2026-0{1 + n % 3}-02T00:00:00Z"') for n in range(6)]
    await insert(store, [row(offset, one) for offset, one in enumerate(value)])
    parts = await clickhouse.query("SELECT uniqExact(_part) FROM events")
    assert parts.result_rows == [(3,)]


async def test_an_insert_after_its_lease_is_refused_as_a_whole(store: EventStore) -> None:
    with pytest.raises(InsertError, match="469") as refused:
        await insert(store, [row(1), row(2)], for_ms=-1)
    assert refused.value.refusal is Refusal.ENDED
    assert await store.present(SOURCE, 0) == set()


async def test_one_bad_row_and_none_of_its_batch_goes_in(store: EventStore) -> None:
    months = [odd(timestamp=f'"2026-0{month}-02T00:00:00Z"') for month in range(1, 7)]
    rows = [row(offset, value) for offset, value in enumerate(months)]
    with pytest.raises(InsertError) as refused:
        await insert(store, [*rows, refused_row(9)])
    assert refused.value.refusal is Refusal.DATA
    assert "\n" not in str(refused.value)
    assert await store.present(SOURCE, 0) == set()


async def test_a_bad_row_far_behind_in_a_large_batch(store: EventStore) -> None:
    """Larger than what the engine reads at once, and than a piece of the body."""
    value = odd(metadata=json.dumps({"a": "x" * 60_000}))
    rows = [row(offset, value) for offset in range(400)]
    with pytest.raises(InsertError) as refused:
        await insert(store, [*rows, refused_row(400)])
    assert refused.value.refusal is Refusal.DATA
    assert await store.present(SOURCE, 0) == set()
    await insert(store, rows)
    assert len(await store.present(SOURCE, 0)) == 400


async def test_a_table_that_is_not_there_is_no_fault_of_the_data(
    store: EventStore, clickhouse: AsyncClient
) -> None:
    await clickhouse.command("RENAME TABLE events TO away")
    with pytest.raises(InsertError) as refused:
        await insert(store, [row(1)])
    assert refused.value.refusal is Refusal.ENDED


async def test_an_engine_short_of_memory_is_no_fault_of_the_data(
    clickhouse_url: str, database: str
) -> None:
    async with await connect(clickhouse_url, database) as client:
        client.set_client_setting("max_memory_usage", "100000")
        with pytest.raises(InsertError, match="241") as refused:
            await EventStore(client).insert(SOURCE, 0, 2**41, [row(n) for n in range(1000)])
    assert refused.value.refusal is Refusal.ENDED


async def test_which_offsets_are_present(store: EventStore) -> None:
    await insert(store, [row(offset) for offset in (3, 4, 6, 9)])
    for source in OTHERS:
        await insert(store, [row(5)], source=source)
    assert await store.present(SOURCE, 0) == {3, 4, 6, 9}
    assert await store.present(SOURCE, 4) == {4, 6, 9}
    assert await store.present(SOURCE, 4, 9) == {4, 6}
    assert await store.present(SOURCE, 10) == set()
    assert await store.present(OTHERS[0], 0) == {5}


async def test_how_far_a_partition_is(store: EventStore) -> None:
    assert await store.progress(SOURCE, 0) is None
    await insert(store, [row(0), row(7)], base=0)
    await insert(store, [row(12), row(14)], base=10)
    for source in OTHERS:
        await insert(store, [row(99)], base=99, source=source)
    assert await store.progress(SOURCE, 0) == Progress(10, 14)
    assert await store.progress(SOURCE, 14) == Progress(10, 14)
    assert await store.progress(SOURCE, 15) is None


async def test_ids_are_the_partitions_youngest(store: EventStore) -> None:
    ids = [str(uuid7(1_767_322_800_000 + 10_000 * number)) for number in range(6)]
    values = [odd(id=f'"{id_}"') for id_ in reversed(ids)]
    await insert(store, [row(offset, value) for offset, value in enumerate(values)])
    for source in OTHERS:
        await insert(store, [row(0, odd(id=f'"{uuid7(1_800_000_000_000)}"'))], source=source)
    window = await store.ids(SOURCE, 3)
    assert [window.take(id_) for id_ in ids] == [None] * 4 + [False] * 2
    whole = await store.ids(SOURCE, 7)
    assert [whole.take(id_) for id_ in ids] == [False] * 6
    assert whole.take(str(uuid7(1_767_322_800_000 - 10_000)))


async def test_which_ids_are_taken(store: EventStore) -> None:
    """Of any partition: what is asked for here, a spool may have sent to another one."""
    stamps = ["2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05+05:30", "2026-01-02T03:04:05Z"]
    orgs = ["acme", "tab\tquote'back\\slash\nline", "ümläut 😀 \u0000"]
    rows = [
        row(offset, odd(timestamp=json.dumps(stamp), org_id=json.dumps(org)), ask=True)
        for offset, (stamp, org) in enumerate(zip(stamps, orgs, strict=True))
    ]
    await insert(store, rows, source=OTHERS[1])
    assert await store.taken([*rows, row(3, ask=True), row(4, ask=True)]) == {
        one.id for one in rows
    }
    assert await store.taken([row(5, ask=True)]) == set()
    assert await store.taken([]) == set()


async def test_many_ids_are_asked_at_once(store: EventStore) -> None:
    """After partitions were added every event of a large batch asks."""
    rows = [row(offset, odd(id=f'"{uuid7()}"'), ask=True) for offset in range(30_000)]
    await insert(store, rows[:20_000], source=OTHERS[0])
    assert await store.taken(rows) == {one.id for one in rows[:20_000]}


async def test_another_topic_of_the_same_name_has_no_rows_yet(store: EventStore) -> None:
    await insert(store, [row(3), row(4)])
    anew = dataclasses.replace(SOURCE, generation=1)
    assert await store.present(anew, 0) == set()
    assert await store.progress(anew, 0) is None
    assert await store.edge_rows(anew, 0, 100) == {}
    newer = row(3, odd(id=f'"{uuid7()}"'))
    await insert(store, [newer], source=anew)
    assert await store.present(anew, 0) == {3}
    assert await store.edge_rows(anew, 0, 100) == {3: newer.id}
    assert list(await store.edge_rows(SOURCE, 0, 100)) == [3, 4]
    assert list(await store.edge_rows(SOURCE, 4, 100)) == [4]
    assert await store.edge_rows(SOURCE, 5, 100) == {}
    assert await store.present(SOURCE, 0) == {3, 4}


async def test_taken_ids_are_found_by_the_key(store: EventStore, clickhouse: AsyncClient) -> None:
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
    asking = _Counting(clickhouse)
    assert await EventStore(asking).taken(rows) == {one.id for one in rows}  # type: ignore[arg-type]
    assert asking.read_rows < 80_000


class _Counting:
    """A client that adds up what its queries have read."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.read_rows = 0

    async def query(self, sql: str, parameters: dict[str, object]) -> object:
        result = await self._client.query(sql, parameters)
        self.read_rows += int(result.summary["read_rows"])
        return result
