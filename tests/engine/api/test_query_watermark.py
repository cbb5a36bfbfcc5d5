"""`Activity-Complete-Through`: only what all partitions have reached, and asked before the rows."""

from datetime import UTC, datetime, timedelta

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.query import api, bearer, insert, row, settings

TOPIC = "activity.events.v1"
HEADER = "activity-complete-through"
NOW = datetime.now(UTC).replace(microsecond=120_000)


async def told(clickhouse: AsyncClient, *rows: tuple[str, int, int, datetime]) -> None:
    """What consumers have written: topic, partition, partitions, complete_through."""
    columns = ["topic", "partition", "partitions", "complete_through"]
    await clickhouse.insert("progress", [list(row) for row in rows], columns)


async def get(client: httpx.AsyncClient, path: str = "activity") -> httpx.Response:
    response = await client.get(f"/v1/orgs/o/{path}", headers=bearer("o"))
    assert response.status_code == 200
    return response


async def test_the_least_of_all_partitions(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    early, late = NOW - timedelta(seconds=9), NOW - timedelta(seconds=3)
    for rows, expected in (
        ([], None),
        ([("another topic", 0, 1, late)], None),
        ([(TOPIC, 0, 2, late)], None),  # nothing is known of partition 1
        ([(TOPIC, 1, 2, early)], early),
        ([(TOPIC, 1, 2, late), (TOPIC, 0, 2, NOW)], late),
        ([(TOPIC, 1, 3, late)], None),  # the topic has grown
    ):
        if rows:
            await told(clickhouse, *rows)
        # An API of its own each time: one keeps what it was told for a second.
        async with api(settings(clickhouse_url, database)) as client:
            for path in ("activity", "activity/summary"):
                header = (await get(client, path)).headers.get(HEADER)
                assert header == (expected and f"{expected:%Y-%m-%dT%H:%M:%S}.120Z")


async def test_of_the_topic_that_was_accepted_last(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """It may have fewer partitions, and the rows of the one before it are there for a day more."""
    early, late = NOW - timedelta(seconds=9), NOW - timedelta(seconds=3)
    for rows, expected in (
        ([(TOPIC, n, 3, early) for n in range(3)], early),
        ([(f"{TOPIC}#9", 0, 2, late), (f"{TOPIC}#10", 0, 2, late)], None),
        ([(f"{TOPIC}#10", 1, 2, NOW)], late),
        ([(f"{TOPIC}.other#11", 0, 1, early)], late),
    ):
        await told(clickhouse, *rows)
        async with api(settings(clickhouse_url, database)) as client:
            header = (await get(client)).headers.get(HEADER)
            assert header == (expected and f"{expected:%Y-%m-%dT%H:%M:%S}.120Z")


async def test_a_walk_keeps_that_of_its_first_page(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """Later rows stay out of its pages, so a later instant would be a lie."""
    await insert(clickhouse, [row("o", NOW) for _ in range(3)])
    await told(clickhouse, (TOPIC, 0, 1, NOW - timedelta(seconds=5)))
    async with api(settings(clickhouse_url, database)) as client:
        first = await get(client, "activity?limit=1")
    await told(clickhouse, (TOPIC, 0, 1, NOW))
    async with api(settings(clickhouse_url, database)) as client:
        cursor = first.json()["next_cursor"]
        second = await get(client, f"activity?limit=1&cursor={cursor}")
        cursor = second.json()["next_cursor"]
        third = await get(client, f"activity?limit=1&cursor={cursor}")
        assert first.headers[HEADER] == second.headers[HEADER] == third.headers[HEADER]
        assert (await get(client)).headers[HEADER] > first.headers[HEADER]


async def test_without_its_table_the_answer_is_the_same(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    await clickhouse.command("DROP TABLE progress SYNC")
    async with api(settings(clickhouse_url, database)) as client:
        assert HEADER not in (await get(client)).headers
