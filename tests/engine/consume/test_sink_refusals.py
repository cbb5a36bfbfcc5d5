"""A table that its operator has narrowed: which rows it refuses is found by a few statements."""

import json

import msgspec
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.batching.rows import Row
from activity_consume.errors import InsertError, InsertFailure
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_deploy.migration_files import read
from activity_deploy.migration_run import migrate
from activity_schemas.uuid7 import uuid7
from tests.support.clickhouse import connect
from tests.support.odd_messages import odd
from tests.support.records import refused_row, row

SOURCE = TopicPartition("events", 3)
#: What somebody had done to the columns before the event had its own (migration 0017).
COLUMNS = (
    r"error_code Enum8('' = 0, 'it\'s, (one)' = 1)",
    "method LowCardinality(FixedString(4))",
    "resource_id UInt64",
    "principal_id Nullable(UUID)",
    "token_type Decimal(9, 2)",
    "token_usage Map(LowCardinality(FixedString(5)), UInt64)",
    "stages_completed UInt16 DEFAULT 1",
)
ADDED = (
    "COLUMN app UUID MATERIALIZED app_id",
    "COLUMN region Enum8('' = 0, 'eu' = 1) DEFAULT JSONExtractString(metadata, 'region')",
    "COLUMN trace UUID DEFAULT toUUID(if(event = '', toString(id), trace_id))",
    "CONSTRAINT sober CHECK status_code != 418 AND org_id != 'a, b)'",
    r"CONSTRAINT `it's CHECK` CHECK JSONExtractString(event, 'path') NOT LIKE '/x,%'",
    "CONSTRAINT good CHECK success AND tokens < 10",
)
_TAKEN = {
    **{"method": '"GET"', "resource_id": '"12"', "token_type": '"1.5"', "stages_completed": "1"},
    **{"app_id": f'"{uuid7()}"', "trace_id": f'"{uuid7()}"'},
}
#: Events beside `_TAKEN`, and what refuses each: '' nothing does.
EVENTS: list[tuple[dict[str, str | None], str]] = [
    ({}, ""),
    ({"error_code": '"it\'s, (one)"'}, ""),
    ({"error_code": '"unknown"'}, "column error_code"),
    ({"method": '"PATCH"'}, "column method"),
    ({"resource_id": '"-1"'}, "column resource_id"),
    ({"resource_id": None}, "column resource_id"),
    ({"principal_id": '"no UUID is NULL"'}, ""),
    ({"token_type": '"bearer"'}, "column token_type"),
    ({"token_usage": '{"total": 1}'}, ""),
    ({"token_usage": '{"total": 1, "longer": 2}'}, "column token_usage"),
    ({"stages_completed": None}, "column stages_completed"),
    ({"app_id": '"app"'}, "column app "),
    ({"metadata": '{"region": "eu"}'}, ""),
    ({"metadata": '{"region": "mars"}'}, "column region"),
    ({"trace_id": '"none"'}, "column trace "),
    ({"status_code": "418"}, "constraint sober, constraint good"),
    ({"path": '"/x,y"'}, "constraint `it's CHECK`"),
    ({"token_usage": '{"total": 11}'}, "constraint good"),
]


def _rows() -> list[Row]:
    made = []
    for offset, (facts, _) in enumerate(EVENTS):
        whole = {"id": f'"{uuid7()}"'} | _TAKEN | facts
        given = {name: value for name, value in whole.items() if value is not None}
        made.append(row(offset, odd(**given)))
    return made


async def _insert(sink: ClickHouseSink, rows: list[Row]) -> bool:
    """Does the table take them?"""
    try:
        await sink.insert(SOURCE, 0, await sink.now_ms() + 60_000, rows)
    except InsertError as error:
        assert error.failure is InsertFailure.REJECTED, error
        return False
    return True


async def test_what_the_table_refuses_is_left_out_and_nothing_else(
    unbound: AsyncClient, clickhouse_url: str, fresh: str
) -> None:
    await migrate(unbound, fresh, [one for one in read() if one.version < 17])
    async with await connect(clickhouse_url, fresh) as client:
        await client.command(
            f"ALTER TABLE events {', '.join(f'MODIFY COLUMN {one}' for one in COLUMNS)}"
        )
        await migrate(unbound, fresh)
        await client.command(f"ALTER TABLE events {', '.join(f'ADD {one}' for one in ADDED)}")
        await _sort_out(ClickHouseSink(client), client)


async def test_a_column_may_be_narrowed_since(clickhouse: AsyncClient) -> None:
    """Also to a type that no empty text is of, and to one without NULL. (That in three steps: the
    engine has no event where it looks for what takes the place of NULL.)"""
    stages = "stages_completed DEFAULT tupleElement(_fields, 'stages_completed')"
    for change in (
        "token_type Enum8('app' = 1)",
        "resource_id UUID",
        "stages_completed REMOVE DEFAULT",
        "stages_completed UInt16 DEFAULT 0",
        stages,
    ):
        await clickhouse.command(f"ALTER TABLE events MODIFY COLUMN {change}")
    sink = ClickHouseSink(clickhouse)
    taken = {"token_type": '"app"', "resource_id": f'"{uuid7()}"', "stages_completed": "1"}
    rows = [row(0, odd(**taken))]
    for offset, name in enumerate(taken, 1):
        rows.append(row(offset, odd(**{one: taken[one] for one in taken if one != name})))
    assert not await _insert(sink, rows)
    await sink.insert_parsable(SOURCE, 0, await sink.now_ms() + 60_000, rows)
    assert await sink.existing_offsets(SOURCE, 0) == {0}
    for one, name in zip(rows[1:], taken, strict=True):
        assert (await sink.refusing(one)).startswith(f"column {name}")


async def _sort_out(sink: ClickHouseSink, client: AsyncClient) -> None:
    rows = _rows()
    taken = {one.offset for one, (_, why) in zip(rows, EVENTS, strict=True) if not why}
    assert {one.offset for one in rows if await _insert(sink, [one])} == taken
    await client.command("TRUNCATE TABLE events")
    assert not await _insert(sink, rows)
    await sink.insert_parsable(SOURCE, 0, await sink.now_ms() + 60_000, rows)
    assert await sink.existing_offsets(SOURCE, 0) == taken
    for one, (_, why) in zip(rows, EVENTS, strict=True):
        words = await sink.refusing(one)
        assert words.startswith(why) if why else not words, words


async def test_what_is_no_event_is_left_out(clickhouse: AsyncClient) -> None:
    sink = ClickHouseSink(clickhouse)
    no_time = row(3).json.replace(b'"timestamp":"2026-01-', b'"timestamp":"2026-13-')
    rows = [row(1), refused_row(2), msgspec.structs.replace(row(3), json=no_time), row(4)]
    await sink.insert_parsable(SOURCE, 0, await sink.now_ms() + 60_000, rows)
    assert await sink.existing_offsets(SOURCE, 0) == {1, 4}
    assert (await sink.refusing(rows[1])).startswith("column id")
    assert (await sink.refusing(rows[2])).startswith("column timestamp")


async def test_a_zombie_is_refused_as_a_whole(clickhouse: AsyncClient) -> None:
    """Its rows are not left out: that would make dead letters of them."""
    await clickhouse.command("ALTER TABLE events ADD CONSTRAINT sober CHECK status_code != 418")
    sink = ClickHouseSink(clickhouse)
    for insert in (sink.insert, sink.insert_parsable):
        with pytest.raises(InsertError, match="469") as refused:
            await insert(SOURCE, 0, await sink.now_ms() - 1, [row(1), row(2)])
        assert refused.value.failure is InsertFailure.FAILED
    assert await sink.existing_offsets(SOURCE, 0) == set()


async def test_what_cannot_be_foreseen_is_found_by_halving(clickhouse: AsyncClient) -> None:
    """Somebody's own expression that throws: so says the insert, and refuses all of them."""
    added = "ADD COLUMN number UInt64 MATERIALIZED toUInt64(resource_id)"
    await clickhouse.command(f"ALTER TABLE events {added}")
    sink = ClickHouseSink(clickhouse)
    rows = [
        row(at, odd(id=f'"{uuid7()}"', resource_id=json.dumps(str(text))))
        for at, text in enumerate((12, "me"))
    ]
    for insert in (sink.insert, sink.insert_parsable):
        with pytest.raises(InsertError) as refused:
            await insert(SOURCE, 0, await sink.now_ms() + 60_000, rows)
        assert refused.value.failure is InsertFailure.REJECTED
    assert await _insert(sink, rows[:1])
