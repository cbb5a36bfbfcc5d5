"""Inserts over HTTP: what arrives is there, once and whole, and what is refused leaves nothing."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import lz4.frame
import pytest
import zstandard
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

#: As the consumer sends them: a batch is one block.
ONE_BLOCK = {
    "async_insert": 0,
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": 1,
    "max_partitions_per_insert_block": 0,
    "max_insert_block_size": 1 << 20,
    "min_insert_block_size_rows": 1 << 20,
    "min_insert_block_size_bytes": 256 << 20,
}
COLUMNS = ["id", "timestamp", "org_id", "status_code", "token_usage", "_offset", "_lease"]


def event(offset: int, **fields: Any) -> bytes:
    """One row of `events` as JSON."""
    row = {
        "id": f"0197a3c0-0000-7000-8000-{offset:012x}",
        "timestamp": "2025-06-24T12:34:56.123456Z",
        "org_id": "org_1",
        "status_code": 200,
        "token_usage": {"total": 3},
        "_offset": offset,
        "_lease": 4102444800,
        "unknown": {"a": [1]},
    }
    return json.dumps(row | fields).encode() + b"\n"


#: More than the engine parses in one go.
ROWS = b"".join(event(offset) for offset in range(30_000))


async def pieces(data: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_native(clickhouse: AsyncClient) -> None:
    rows = [
        ["t", 1, 2, "bad", None, b"\xff\x00", [("h", None), ("h", "v")], datetime.now(UTC)],
        ["t", 1, 3, "", "k", b"", [], datetime(2025, 1, 1, tzinfo=UTC)],
    ]
    columns = ["source_topic", "source_partition", "source_offset", "reason", "key", "value"]
    columns += ["headers", "source_timestamp"]
    summary = await clickhouse.insert("dead_letters", rows, columns)
    assert summary.written_rows == 2
    result = await clickhouse.query(
        "SELECT source_offset, key, hex(value), headers, status FROM dead_letters ORDER BY ALL"
    )
    assert result.result_rows == [
        (2, None, "FF00", [("h", None), ("h", "v")], "waiting"),
        (3, "k", "", [], "waiting"),
    ]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd", "gzip"])
@pytest.mark.parametrize("streaming", [False, True])
async def test_json_each_row(
    clickhouse: AsyncClient, compression: str | None, streaming: bool
) -> None:
    body = b"".join(event(offset) for offset in range(5000))
    packed = {"lz4": lz4.frame.compress, "zstd": zstandard.compress, "gzip": gzip.compress}
    data = packed[compression](body) if compression else body
    await clickhouse.raw_insert(
        "events",
        COLUMNS,
        pieces(data) if streaming else data,
        settings=ONE_BLOCK,
        fmt="JSONEachRow",
        compression=compression,
    )
    result = await clickhouse.query(
        "SELECT count(), uniqExact(_offset), min(timestamp), any(tokens) FROM events"
    )
    when = datetime(2025, 6, 24, 12, 34, 56, 123456)  # noqa: DTZ001
    assert result.result_rows == [(5000, 5000, when, 3)]


@pytest.mark.parametrize("in_body", [False, True])
async def test_insert_select_from_input(clickhouse: AsyncClient, in_body: bool) -> None:
    statement = (
        "INSERT INTO events (id, timestamp, org_id, _offset, _lease) "
        "SELECT id, time, upper(org), o + 1, now64(3) + 60 "
        "FROM input('id UUID, time DateTime64(6), org String, o UInt64') FORMAT JSONEachRow\n"
    )
    for number in range(2):  # the second one from the same file, with other data
        data = b"".join(
            json.dumps(
                {"id": f"0197a3c0-0000-7000-8000-{o:012x}", "time": o, "org": "a", "o": o}
            ).encode()
            for o in range(number * 100, number * 100 + 3 + number)
        )
        if in_body:
            await clickhouse.command(statement.encode().decode() + data.decode())
        else:
            await clickhouse.command(statement, data=data)
    result = await clickhouse.query("SELECT org_id, _offset FROM events ORDER BY _offset")
    assert result.result_rows == [("A", o) for o in (1, 2, 3, 101, 102, 103, 104)]


async def test_counting_the_input_counts_this_ones(clickhouse: AsyncClient) -> None:
    await clickhouse.command("CREATE TABLE counts (n UInt64) ENGINE = MergeTree ORDER BY n")
    statement = "INSERT INTO counts SELECT count() FROM input('a UInt64') FORMAT JSONEachRow"
    for count in (1, 5, 2):
        await clickhouse.command(statement, data=b'{"a":1}\n' * count)
    result = await clickhouse.query("SELECT n FROM counts ORDER BY n")
    assert [n for (n,) in result.result_rows] == [1, 2, 5]


async def test_values_settings_and_names_that_look_like_keywords(clickhouse: AsyncClient) -> None:
    command = clickhouse.command
    await command(
        "CREATE TABLE format (settings UInt8, `values` String) ENGINE = MergeTree ORDER BY ()"
    )
    await command("INSERT INTO format VALUES (1, 'a'), (1 + 1, concat('FORMAT', ' CSV'))")
    await command(
        "INSERT INTO format (settings) SETTINGS input_format_null_as_default = 1 FORMAT CSV\n3\n"
    )
    await command("INSERT INTO format (* EXCEPT settings) FORMAT TSV\nx\ty\n".replace("\ty", ""))
    await command("INSERT INTO format FORMAT Values (5, 'FORMAT')")
    await command("/* FORMAT CSV */ insert into format select 6, 'SETTINGS x = 1' -- FORMAT CSV\n")
    await command("INSERT INTO format FORMAT JSONEachRow")
    result = await clickhouse.query("SELECT * FROM format ORDER BY settings")
    assert result.result_rows == [
        (0, "x"),
        (1, "a"),
        (2, "FORMAT CSV"),
        (3, ""),
        (5, "FORMAT"),
        (6, "SETTINGS x = 1"),
    ]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"status_code": "many"}\n', 27),
        (b'{"org_id": ]}\n', 117),
        (b"\xff\xfe\n", 27),
        (event(0, timestamp="yesterday"), 41),
        (event(0, id="no uuid"), 376),
        (event(0, status_code=-1), 72),
        (event(0, _lease=1), 469),
    ],
)
@pytest.mark.parametrize("last", [False, True])
async def test_a_bad_row_leaves_nothing_of_its_block(
    clickhouse: AsyncClient, bad: bytes, code: int, last: bool
) -> None:
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.raw_insert(
            "events",
            COLUMNS,
            ROWS + bad + (b"" if last else ROWS),
            settings=ONE_BLOCK,
            fmt="JSONEachRow",
        )
    assert caught.value.code == code
    assert await clickhouse.command("SELECT count() FROM events") == 0


async def test_a_batch_is_one_part_of_each_partition(clickhouse: AsyncClient) -> None:
    months = ["2025-05-01T00:00:00Z", "2025-06-01T00:00:00.5Z"]
    padding = {"metadata": {"text": "x" * 600}}
    body = b"".join(event(n, timestamp=months[n % 2], **padding) for n in range(50_000))
    assert len(body) > 40_000_000
    await clickhouse.raw_insert(
        "events", COLUMNS, pieces(body, 1 << 20), settings=ONE_BLOCK, fmt="JSONEachRow"
    )
    result = await clickhouse.query(
        "SELECT partition, rows, level FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'events' AND active ORDER BY 1"
    )
    assert [row[1:] for row in result.result_rows] == [(25_000, 0), (25_000, 0)]


async def test_many_partitions_in_one_insert(clickhouse: AsyncClient) -> None:
    table = "CREATE TABLE days (n UInt32) ENGINE = MergeTree PARTITION BY n ORDER BY n"
    await clickhouse.command(table)
    body = "".join(f"{n}\n" for n in range(110))
    few = ONE_BLOCK | {"max_partitions_per_insert_block": 100}
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.raw_insert("days", ["n"], body, settings=few, fmt="TSV")
    assert caught.value.code == 252
    await clickhouse.raw_insert("days", ["n"], body, settings=ONE_BLOCK, fmt="TSV")
    assert (await clickhouse.query("SELECT count() FROM days")).result_rows == [(110,)]


async def test_without_best_effort_or_skipping_the_same_rows_are_refused(
    clickhouse: AsyncClient,
) -> None:
    for name, code in (("date_time_input_format", 27), ("input_format_skip_unknown_fields", 117)):
        settings = ONE_BLOCK | {name: "basic" if name.startswith("date") else 0}
        with pytest.raises(DatabaseError) as caught:
            await clickhouse.raw_insert(
                "events", COLUMNS, event(0), settings=settings, fmt="JSONEachRow"
            )
        assert caught.value.code == code
