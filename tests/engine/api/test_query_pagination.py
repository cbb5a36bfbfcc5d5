"""Pagination shows each event of the moment it began once, whatever comes in meanwhile."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_schemas.uuid7 import uuid7
from tests.support import query
from tests.support.query import api, bearer, insert, paginate, row

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


async def test_a_thousand_events_of_few_times(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """Ties are broken by id: in ClickHouse's order of UUIDs, which is not their text's."""
    events = [row("o", NOW - timedelta(seconds=number % 7)) for number in range(1000)]
    for part in range(4):  # equal times in several parts
        await insert(clickhouse, events[part::4])
    async with api(query.settings(clickhouse_url, database)) as client:
        for limit in (23, 200):
            found = await paginate(client, "/v1/orgs/o/activity", bearer("o"), limit)
            assert len(found) == 1000
            assert {activity["id"] for activity in found} == {event["id"] for event in events}


async def test_rows_that_come_in_meanwhile_stay_out(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    before = [row("o", NOW - timedelta(seconds=number)) for number in range(20)]
    await insert(clickhouse, before)
    async with api(query.settings(clickhouse_url, database)) as client:
        first = (await client.get("/v1/orgs/o/activity?limit=5", headers=bearer("o"))).json()
        newest = row("o", NOW + timedelta(days=1))
        late = [row("o", NOW - timedelta(seconds=number, microseconds=1)) for number in range(20)]
        await insert(clickhouse, [newest, *late])
        url = f"/v1/orgs/o/activity?cursor={first['next_cursor']}&limit=200"
        rest = (await client.get(url, headers=bearer("o"))).json()
        shown = [activity["id"] for activity in first["activities"] + rest["activities"]]
        assert shown == [event["id"] for event in before]
        assert first["total"] == rest["total"] == 20
        assert len(await paginate(client, "/v1/orgs/o/activity", bearer("o"), 7)) == 41


async def test_the_cursor_holds_the_filter_but_not_the_page_size(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    await insert(clickhouse, [row("o", NOW, workspace_id="w") for _ in range(9)])
    async with api(query.settings(clickhouse_url, database)) as client:

        async def get(path: str, org_id: str = "o", subject: str = "user-1") -> httpx.Response:
            return await client.get(f"/v1/orgs/{org_id}/{path}", headers=bearer(org_id, subject))

        cursor = (await get("activity?limit=2")).json()["next_cursor"]
        assert len((await get(f"activity?limit=200&cursor={cursor}")).json()["activities"]) == 7
        for path in (
            "workspaces/w/activity?",
            "workspaces/w/activity/search?",
            "activity?start_time=2020-01-01&",
        ):
            refused = await get(f"{path}cursor={cursor}")
            assert refused.status_code == 422
            (detail,) = refused.json()["detail"]
            assert detail["loc"] == ["query", "cursor"]
            assert "other filters" in detail["msg"]
        assert (await get(f"activity?cursor={cursor}", org_id="p")).status_code == 422
        # A search without filters is its workspace's list.
        cursor = (await get("workspaces/w/activity?limit=2")).json()["next_cursor"]
        assert (await get(f"workspaces/w/activity/search?cursor={cursor}")).status_code == 200


@pytest.fixture
async def client(clickhouse_url: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    """One API for all examples."""
    async with api(query.settings(clickhouse_url, database)) as client:
        yield client


times = st.integers(0, 3).map(lambda n: NOW - timedelta(microseconds=n))
ids = st.one_of(
    st.builds(uuid7), st.uuids(version=4), st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n))
)
# An id is in the table once: the consumer sees to that. The number is the batch it comes in with,
# the last one only after the first page.
LATE = 3
stored = st.lists(
    st.tuples(times, ids, st.integers(0, LATE)), max_size=40, unique_by=lambda event: event[1]
)


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(events=stored, limit=st.integers(1, 9))
async def test_a_walk_is_the_set(
    clickhouse: AsyncClient,
    client: httpx.AsyncClient,
    *,
    events: list[tuple[datetime, UUID, int]],
    limit: int,
) -> None:
    """Any ids at all, times that differ by microseconds, rows that come in after the first page."""
    org_id = str(uuid4())
    batches: list[list[query.Row]] = [[] for _ in range(LATE + 1)]
    for time, id_, batch in events:
        batches[batch].append(row(org_id, time, id=str(id_)))
    for rows in filter(None, batches[:LATE]):
        await insert(clickhouse, rows)
    expected = [event["id"] for rows in batches[:LATE] for event in rows]
    headers = bearer(org_id)
    url = f"/v1/orgs/{org_id}/activity?limit={limit}"
    response = await client.get(url, headers=headers)
    assert response.status_code == 200, response.text
    page = response.json()
    shown = page["activities"]
    if batches[LATE]:
        await insert(clickhouse, batches[LATE])
    while page["has_more"]:
        target = f"{url}&cursor={page['next_cursor']}"
        page = (await client.get(target, headers=headers)).json()
        shown += page["activities"]
        assert page["total"] == len(expected)
    assert sorted(activity["id"] for activity in shown) == sorted(expected)
