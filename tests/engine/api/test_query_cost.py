"""Rows read, by the engine's count, for every list and search of the largest of 2,000 orgs.

`total` as it is counted, `page` the newest 50 without it. Of 200,000 generated events the org has
36,853 in four parts (one a month), granules have 1,024 rows: one of each part is 4 k. The engine
counts a row twice where it reads some columns first and the others later, and reads ahead a little.
What is above 30 k is dense for skipping and sparse for a page: the newest 50 lie that far apart.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.queries.cursor import Cursor
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page, next_page
from activity_api.queries.query import Query
from activity_api.queries.totals import total_of
from activity_deploy.generate import Platform
from activity_deploy.migration_run import migrate
from tests.engine.api.test_query_plans import rows_read
from tests.support.clickhouse import connect

UNTIL = datetime(2026, 3, 4, 5, tzinfo=UTC)
ORG = "org-0001"
WORKSPACE = {"workspace_id": "ws-1"}
APP = {**WORKSPACE, "app_id": "app-1"}

# What is asked for; most rows read for its total, and for its page.
COSTS: list[tuple[str, dict[str, Any], int, int]] = [
    ("org", {}, 9000, 14000),
    ("workspace", WORKSPACE, 8000, 14000),
    ("user", {"user_id": "user-1-30000"}, 5000, 2000),
    ("user in a workspace", {"user_id": "user-1-0", **WORKSPACE}, 5000, 70000),
    ("app", APP, 8000, 14000),
    ("endpoint", {**APP, "endpoint_id": "ep-1-1"}, 6000, 30000),
    ("augmentation", {**WORKSPACE, "augmentation_id": "aug-1-15"}, 5000, 21000),
    ("action", {**WORKSPACE, "action": "trigger"}, 8000, 70000),
    ("resource", {**WORKSPACE, "resource_id": "res-1-1"}, 2000, 2000),
    ("me, a service", {"principal_id": "svc-1"}, 38000, 70000),
    ("search: errors", {**WORKSPACE, "success": False}, 8000, 70000),
    (
        "search: errors of an action",
        {**WORKSPACE, "success": False, "action": "delete"},
        8000,
        58000,
    ),
    ("search: of a resource type", {**WORKSPACE, "resource_type": "app"}, 8000, 25000),
    (
        "search: a user's errors",
        {**WORKSPACE, "user_id": "user-1-0", "success": False},
        8000,
        53000,
    ),
    ("search: slow", {**WORKSPACE, "min_duration_ms": 2000}, 5000, 9000),
    ("search: fast", {**WORKSPACE, "max_duration_ms": 5.001}, 5000, 8000),
    ("search: slow errors", {**WORKSPACE, "success": False, "min_duration_ms": 1000}, 5000, 19000),
    ("never seen: user", {"user_id": "nobody"}, 5000, 2000),
    ("never seen: resource", {**WORKSPACE, "resource_id": "nothing"}, 2000, 2000),
]


@pytest.fixture(scope="module")
async def platform(clickhouse_url: str) -> AsyncIterator[AsyncClient]:
    """200,000 events in one part a bucket and month."""
    database = f"test_{uuid4().hex}"
    async with await connect(clickhouse_url, "default") as client:
        await migrate(client, database)
    async with await connect(clickhouse_url, database) as client:
        async for _ in Platform(200_000, UNTIL).insert(client):
            pass
        yield client
        await client.command(f"DROP DATABASE {database} SYNC")


def page(filter_: ActivityFilter) -> Query:
    """The newest rows without a total, in a statement of the API's own."""
    newest = Cursor(UNTIL, UUID(int=2**128 - 1), total=0, as_of=datetime(2100, 1, 1, tzinfo=UTC))
    return next_page(filter_, 50, newest)


@pytest.mark.parametrize(("what", "fields", "total", "rows"), COSTS, ids=[c[0] for c in COSTS])
async def test_rows_read(
    platform: AsyncClient, what: str, fields: dict[str, Any], total: int, rows: int
) -> None:
    filter_ = replace(ActivityFilter(org_id=ORG), **fields)
    read = await rows_read(platform, total_of(filter_)), await rows_read(platform, page(filter_))
    assert read[0] <= total, what
    assert read[1] <= rows, what


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({**APP, "endpoint_id": "ep-1-1"}, 20000),
        ({**WORKSPACE, "success": False}, 45000),
        ({**WORKSPACE, "success": False, "action": "delete"}, 32000),
        ({**WORKSPACE, "user_id": "user-1-0", "success": False}, 9000),
    ],
)
async def test_rows_read_by_a_first_page(
    platform: AsyncClient, fields: dict[str, Any], rows: int
) -> None:
    """With its total, which knows the hours: less than a later page, that reads down to its last
    row, whatever lies between."""
    filter_ = replace(ActivityFilter(org_id=ORG), **fields)
    assert await rows_read(platform, first_page(filter_, 50)) <= rows
    assert await rows_read(platform, page(filter_)) > rows
