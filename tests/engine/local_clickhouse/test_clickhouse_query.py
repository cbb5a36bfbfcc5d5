"""Reading over HTTP: what clickhouse_connect's async client sends and understands."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support.clickhouse import connect

WHEN = datetime(2025, 3, 9, 1, 2, 3, 456789, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("String", "it's a \\ tab\t, a line\n, {x:String} and ü 🙂"),
        ("String", ""),
        ("UInt64", 2**64 - 1),
        ("Int8", -128),
        ("Float64", 0.1),
        ("Bool", True),
        ("Nullable(String)", None),
        ("Nullable(UInt16)", 7),
        ("DateTime64(6, 'UTC')", WHEN),
        ("Array(String)", ["a", "it's", "", "\\"]),
        ("Array(UInt32)", []),
    ],
)
async def test_a_parameter_arrives_as_it_was_sent(
    clickhouse: AsyncClient, kind: str, value: Any
) -> None:
    result = await clickhouse.query(f"SELECT {{value:{kind}}}", {"value": value}, tz_mode="aware")
    assert result.result_rows == [(value,)]


async def test_a_parameter_is_never_sql(clickhouse: AsyncClient) -> None:
    text = "x' OR 1 = 1; DROP TABLE events --"
    result = await clickhouse.query(
        "SELECT count() FROM events WHERE org_id = {org:String}", {"org": text}
    )
    assert result.result_rows == [(0,)]
    assert await clickhouse.command("EXISTS TABLE events") == 1


@pytest.mark.parametrize(
    ("fmt", "body"),
    [
        ("JSONEachRow", b'{"n":0,"s":"a\\tb"}\n{"n":1,"s":"a\\tb"}\n'),
        ("JSONCompactEachRow", b'[0, "a\\tb"]\n[1, "a\\tb"]\n'),
        ("TSV", b"0\ta\\tb\n1\ta\\tb\n"),
        ("CSVWithNames", b'"n","s"\n0,"a\tb"\n1,"a\tb"\n'),
    ],
)
async def test_a_raw_query_answers_in_its_format(
    clickhouse: AsyncClient, fmt: str, body: bytes
) -> None:
    query = "SELECT toUInt8(number) AS n, 'a\tb' AS s FROM numbers(2)"
    assert await clickhouse.raw_query(query, fmt=fmt) == body


async def test_rows_stream_and_types_come_back(clickhouse: AsyncClient) -> None:
    query = "SELECT number, toString(number), [number], now64(6) FROM numbers(200000)"
    async with await clickhouse.query_row_block_stream(query) as blocks:
        rows = [row async for block in blocks for row in block]
    assert len(rows) == 200_000
    assert rows[-1][:3] == (199_999, "199999", [199_999])


async def test_a_setting_is_for_its_request_only(clickhouse: AsyncClient) -> None:
    ask = "SELECT value FROM system.settings WHERE name = 'max_result_rows'"
    before = await clickhouse.command(ask)
    answers = await asyncio.gather(
        *(clickhouse.command(ask, settings={"max_result_rows": 1000 + n}) for n in range(20)),
        *(clickhouse.command(ask) for _ in range(20)),
    )
    assert answers == [*range(1000, 1020), *[before] * 20]


async def test_set_and_use_end_with_their_request(clickhouse: AsyncClient, database: str) -> None:
    await clickhouse.command("SET max_result_rows = 77")
    await clickhouse.command("USE system")
    assert await clickhouse.command("SELECT currentDatabase()") == database
    assert await clickhouse.command("SELECT getSetting('max_result_rows')") != 77


@pytest.mark.parametrize("level", [1, 2])
async def test_readonly_refuses_what_writes(clickhouse: AsyncClient, level: int) -> None:
    readonly = {"readonly": level}
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.command(
            "INSERT INTO dead_letters SELECT * FROM dead_letters", settings=readonly
        )
    assert caught.value.code == 164
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.command("DROP TABLE events", settings=readonly)
    assert caught.value.code == 164
    assert await clickhouse.command("SELECT count() FROM events", settings=readonly) == 0
    await clickhouse.command("TRUNCATE TABLE events")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELEC 1", 62),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT * FROM nowhere", 60),
        ("SELECT * FROM nowhere.events", 81),
        ("SELECT nothing FROM events", 47),
        ("SELECT no_function(1)", 46),
        ("SELECT toUInt8('x')", 6),
        ("SELECT throwIf(number = 100000) FROM numbers(200000)", 395),
        ("SELECT {x:String}", 456),
        ("SELECT 1 FORMAT Nothing", 73),
        ("SELECT 1 SETTINGS nothing = 1", 115),
        ("CREATE TABLE events (a UInt8) ENGINE = Memory", 57),
        ("1 + 1", 62),
    ],
)
async def test_an_error_has_clickhouses_code(
    clickhouse: AsyncClient, query: str, code: int
) -> None:
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.command(query)
    assert caught.value.code == code
    assert str(caught.value).count("DB::Exception") == 1


async def test_many_clients_at_once(
    clickhouse_url: str, database: str, clickhouse: AsyncClient
) -> None:
    columns = ["source_topic", "source_partition", "source_offset"]

    async def one(number: int) -> int:
        client = await connect(clickhouse_url, database)
        await client.insert("dead_letters", [["t", 0, number]], columns)
        result = await client.query("SELECT {n:UInt32}", {"n": number})
        await client.close()
        return int(result.result_rows[0][0])

    assert await asyncio.gather(*map(one, range(64))) == list(range(64))
    result = await clickhouse.query("SELECT uniqExact(source_offset) FROM dead_letters")
    assert result.result_rows == [(64,)]
