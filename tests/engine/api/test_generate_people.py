"""Generated people: what analysts ask about is there, and the same for the same seed."""

import asyncio
from datetime import UTC, datetime

from clickhouse_connect.driver.asyncclient import AsyncClient
from typer.testing import CliRunner

from activity_deploy.cli import app
from activity_deploy.generate_people import PRICES, PRODUCERS, People
from tests.support.feed import page
from tests.support.query import api, settings

UNTIL = datetime(2026, 3, 4, 5, tzinfo=UTC)
ROWS = 20_000


async def one(client: AsyncClient, sql: str) -> tuple[object, ...]:
    (row,) = (await client.query(sql)).result_rows
    return tuple(row)


async def insert(client: AsyncClient, seed: int) -> object:
    await client.command("TRUNCATE TABLE events")
    assert [count async for count in People(ROWS, UNTIL, seed).insert(client)] == [ROWS]
    sums = "SELECT sum(cityHash64(* EXCEPT (_lease))) FROM events"
    return (await one(client, sums))[0]


async def test_the_feed_shows_them(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """As it does what a consumer wrote."""
    rows = 200
    assert [count async for count in People(rows, UNTIL).insert(clickhouse)] == [rows]
    (org_id, events), *_ = (
        await clickhouse.query(
            "SELECT org_id, uniqExact(id) AS events FROM events"
            " GROUP BY org_id ORDER BY events DESC LIMIT 1"
        )
    ).result_rows
    async with api(settings(clickhouse_url, database)) as client:
        shown = await page(client, org_id, limit=1000)
    assert len(shown["activities"]) == events


async def test_people(clickhouse: AsyncClient) -> None:
    first = await insert(clickhouse, 1)
    assert await insert(clickhouse, 2) != first
    assert await insert(clickhouse, 1) == first
    # Sessions of several events, on working days, of people who come back.
    count, mean = await one(clickhouse, "SELECT count(), avg(requests) FROM sessions")
    assert 3_000 < int(str(count)) < 7_000
    assert 3 < float(str(mean)) < 6
    weekend, days = await one(
        clickhouse,
        "SELECT countIf(toDayOfWeek(timestamp) > 5) / count(), uniq(toDate(timestamp))"
        " FROM activity",
    )
    assert 0.05 < float(str(weekend)) < 0.2
    assert 85 < int(str(days)) <= 90
    [back, far] = await one(
        clickhouse,
        "SELECT countIf(d = 1), countIf(d = 20) FROM (SELECT toDate(timestamp)"
        " - min(toDate(timestamp)) OVER (PARTITION BY user_id) AS d FROM activity)",
    )
    assert int(str(back)) > 2 * int(str(far)) > 0
    # Models with their tokens and prices, traces, producers.
    assert await one(
        clickhouse,
        "SELECT uniqExactIf(model, tokens > 0), countIf((prompt_tokens > 0) != (completion_tokens"
        " > 0)), countIf(tokens != prompt_tokens + completion_tokens),"
        " countIf(NOT match(trace_id, '^[0-9a-f]{32}$')), uniqExact(producer_id) FROM activity",
    ) == (len(PRICES), 0, 0, 0, PRODUCERS)
    assert await one(clickhouse, "SELECT count() FROM model_prices") == (len(PRICES),)
    # What goes wrong on the way, a little.
    assert await one(
        clickhouse,
        f"SELECT (SELECT sum(copies - 1) FROM event_duplicates) = {ROWS // 1000},"
        f" (SELECT sum(missing) FROM event_gaps) IN ({ROWS // 1000 - 1}, {ROWS // 1000}),"
        " (SELECT countIf(ingested_at > timestamp + INTERVAL 1 HOUR) > 50 FROM activity)",
    ) == (1, 1, 1)
    assert await one(
        clickhouse,
        "SELECT countIf(timestamp > '2026-03-04 05:00:00'), countIf(ingested_at <"
        " timestamp) FROM activity",
    ) == (0, 0)


async def test_another_call_adds_other_events(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    for _ in range(2):
        done = await asyncio.to_thread(
            CliRunner().invoke,
            app,
            ["generate", "--database", database, "--rows", "900"],
            env={"ACTIVITY_CLICKHOUSE_URL": clickhouse_url},
        )
        assert done.exit_code == 0, done.output
    sql = "SELECT count(), uniqExact(id), uniqExact(_offset) FROM events"
    # Number 999 is the one before it once more.
    assert await one(clickhouse, sql) == (1800, 1799, 1800)
    assert await one(clickhouse, "SELECT sum(missing) FROM event_gaps") == (1,)
