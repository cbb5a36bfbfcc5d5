"""What a page of the feed reads, by the engine's count: the same at any depth."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.settled import SettledOffsets
from activity_api.clickhouse.watermark import Watermark
from activity_api.endpoints.feed import Feed, FeedPage
from activity_api.queries.feed_cursor import FeedCursor, Place
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.history_filter import Condition, HistoryFilter
from activity_api.queries.query import Query
from activity_api.settings import ClickHouseSettings, QuerySettings
from activity_deploy.generate import Platform
from activity_deploy.migration_run import migrate
from tests.engine.api.test_query_plans import rows_read
from tests.support.clickhouse import connect

UNTIL = datetime(2026, 3, 4, 5, tzinfo=UTC)
ROWS = 200_000
ALL = HistoryFilter(ActivityFilter(org_id="org-0001"))
#: A page of 200: its keys, its rows, whether they are there twice, each from four monthly parts
#: whose granules have 1,024 rows, and what the engine reads twice or ahead.
MOST = 40_000


class Counting(ClickHouseClient):
    """Adds up what its queries read."""

    counter: AsyncClient
    rows = 0

    async def query(self, query: Query) -> bytes:
        if query.parameters:  # but for what is asked of small tables
            sql = query.sql.rpartition("\nFORMAT")[0]
            self.rows += await rows_read(self.counter, Query(sql, query.parameters))
        return await super().query(query)


@pytest.fixture(scope="module")
async def database(clickhouse_url: str) -> AsyncIterator[str]:
    """200,000 events; the largest of 2,000 orgs has 36,853."""
    name = f"test_{uuid4().hex}"
    async with await connect(clickhouse_url, "default") as client:
        await migrate(client, name)
        async with await connect(clickhouse_url, name) as filled:
            async for _ in Platform(ROWS, UNTIL).insert(filled):
                pass
        yield name
        await client.command(f"DROP DATABASE {name} SYNC")


@pytest.fixture
async def feed(clickhouse_url: str, database: str) -> AsyncIterator[Feed]:
    configured = ClickHouseSettings(url=clickhouse_url, database=database)
    client = Counting(configured, QuerySettings())
    async with await connect(clickhouse_url, database) as client.counter:
        clock = lambda: 0.0  # noqa: E731 - what is settled stays so
        settled = SettledOffsets(client, clock)
        watermark = Watermark(client, "generated", clock)
        yield Feed(client, settled, watermark, lambda: UNTIL)
        await watermark.close()
        await settled.close()
        await client.close()


async def cost(feed: Feed, filter_: HistoryFilter, offset: int) -> tuple[FeedPage, int]:
    """A page behind an offset of the org's partition, and the rows that it read."""
    client = feed.clickhouse
    assert isinstance(client, Counting)
    body = await client.counter.query(
        "SELECT DISTINCT _partition FROM events WHERE org_id = {o:String}", {"o": filter_.org_id}
    )
    place = Place.of("generated", body.result_rows[0][0])
    client.rows = 0
    page = await feed.page(filter_, FeedCursor({place: offset}), 200)
    return page, client.rows


async def test_a_page_reads_the_same_at_any_depth(feed: Feed) -> None:
    read = []
    for offset in (-1, ROWS // 4, ROWS // 2, ROWS * 3 // 4, ROWS * 9 // 10):
        page, rows = await cost(feed, ALL, offset)
        assert len(page.events) == 200
        read.append(rows)
    assert max(read) <= MOST, read
    # The first pages have four months behind them, and the last one.
    assert read[0] <= MOST
    page, rows = await cost(feed, ALL, ROWS)
    assert (page.events, page.has_more) == ([], False)
    assert rows <= MOST / 4  # nothing new costs a look at where the org's partitions end


async def test_a_filter_that_lets_nothing_through_reads_a_bounded_number(feed: Feed) -> None:
    nothing = HistoryFilter(ALL.base, (Condition("user_id", ("nobody",)),))
    page, rows = await cost(feed, nothing, -1)
    assert page.events == []
    assert page.has_more
    assert max(page.cursor.offsets.values()) > 0
    assert rows <= 10 * MOST


async def test_without_its_index_it_would_read_the_org(feed: Feed) -> None:
    """The control of the figure: the same question of the rows themselves."""
    client = feed.clickhouse
    assert isinstance(client, Counting)
    sql = (
        "SELECT _offset, timestamp FROM events WHERE org_id = {o:String} AND _topic = 'generated'"
        " AND _offset >= 0 ORDER BY _partition, _offset LIMIT 201"
    )
    settings = "SETTINGS optimize_use_projections = 0"
    assert await rows_read(client.counter, Query(f"{sql} {settings}", {"o": "org-0001"})) > 36_000
