"""Each of the 15 endpoints shows exactly its events, and never another tenant's."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_schemas.answers import ActivityPage, ActivitySummary
from tests.support.query import Row, api, bearer, insert, paginate, row, settings

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
ORGS = ("org-a", "org-b")  # with the same workspaces, users, ... in both
ME = "user-1"

Predicate = Callable[[Row], bool]


def where(**fields: Any) -> Predicate:
    """Rows with these values."""
    return lambda event: all(event.get(name) == value for name, value in fields.items())


_WS = "workspaces/ws-1"
_APP = f"{_WS}/apps/app-1"
_ENDPOINT = f"{_APP}/endpoints/ep-1"
LISTS: dict[str, Predicate] = {
    "activity": where(),
    f"{_WS}/activity": where(workspace_id="ws-1"),
    "users/user-2/activity": where(user_id="user-2"),
    "users/user-2/activity?workspace_id=ws-1": where(user_id="user-2", workspace_id="ws-1"),
    f"{_APP}/activity": where(workspace_id="ws-1", app_id="app-1"),
    f"{_ENDPOINT}/activity": where(workspace_id="ws-1", app_id="app-1", endpoint_id="ep-1"),
    f"{_WS}/augmentations/aug-1/activity": where(workspace_id="ws-1", augmentation_id="aug-1"),
    f"{_WS}/activity/actions/execute": where(workspace_id="ws-1", action="execute"),
    f"{_WS}/resources/res-1/activity": where(workspace_id="ws-1", resource_id="res-1"),
    f"{_WS}/activity/search": where(workspace_id="ws-1"),
    f"{_WS}/activity/search?action=read&resource_type=app&user_id=user-2": where(
        workspace_id="ws-1", action="read", resource_type="app", user_id="user-2"
    ),
    f"{_WS}/activity/search?status=error": lambda event: (
        event["workspace_id"] == "ws-1" and event["status_code"] >= 400
    ),
    f"{_WS}/activity/search?status=success&min_duration_ms=2.5&max_duration_ms=7": lambda event: (
        event["workspace_id"] == "ws-1"
        and event["status_code"] < 400
        and 2.5 <= event["duration_ms"] <= 7
    ),
    "me/activity": where(user_id=ME),
    "me/activity?workspace_id=ws-2": where(user_id=ME, workspace_id="ws-2"),
}
SUMMARIES: dict[str, Predicate] = {
    "activity/summary": where(),
    f"{_WS}/activity/summary": where(workspace_id="ws-1"),
    "users/user-2/activity/summary": where(user_id="user-2"),
    f"{_ENDPOINT}/activity/summary": where(workspace_id="ws-1", app_id="app-1", endpoint_id="ep-1"),
    "me/activity/summary": where(user_id=ME),
}


def events(org_id: str, seed: int) -> list[Row]:
    """400 events of the last 48 hours, many at equal times, some on the very edges of a summary's
    window, few values of everything."""
    dice = random.Random(seed)
    made = []
    hour, micro = timedelta(hours=1), timedelta(microseconds=1)
    edges = [NOW, NOW - micro, NOW - hour, NOW - hour - micro, NOW - 24 * hour]
    for _ in range(400):
        age = timedelta(minutes=dice.randrange(48 * 60), microseconds=dice.randrange(3))
        timestamp = dice.choice([*edges, *([NOW - age] * 20)])
        user = dice.choice(["user-1", "user-2", "user-3", ""])
        made.append(
            row(
                org_id,
                timestamp,
                workspace_id=dice.choice(["ws-1", "ws-2", ""]),
                user_id=user,
                principal_type="user" if user else "service",
                principal_id=user or dice.choice(["svc-1", "svc-2"]),
                app_id=dice.choice(["app-1", "app-2"]),
                endpoint_id=dice.choice(["ep-1", "ep-2", ""]),
                augmentation_id=dice.choice(["aug-1", "aug-2", ""]),
                resource_type=dice.choice(["app", "endpoint", ""]),
                resource_id=dice.choice(["res-1", "res-2"]),
                action=dice.choice(["read", "execute", "create"]),
                status_code=dice.choice([200, 201, 404, 500]),
                duration_ms=dice.randrange(20) / 2,
                token_usage=dice.choice([{}, {"a": 2, "b": 3}, {"a": 1, "total": 7}]),
            )
        )
    return made


STORED = {org_id: events(org_id, seed) for seed, org_id in enumerate(ORGS)}


@pytest.fixture
async def client(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> AsyncIterator[httpx.AsyncClient]:
    """The API over both orgs' events."""
    await insert(clickhouse, [event for org_id in ORGS for event in STORED[org_id]])
    async with api(settings(clickhouse_url, database), clock=lambda: NOW) as client:
        yield client


def engine_order(activity: dict[str, Any]) -> tuple[str, int, int]:
    """ClickHouse compares the second half of a UUID first."""
    id_ = UUID(activity["id"])
    return activity["timestamp"], id_.int & (2**64 - 1), id_.int >> 64


async def test_every_list_and_summary_of_every_tenant(client: httpx.AsyncClient) -> None:
    """One test: the data is the same for all, and so is what must hold."""
    for org_id in ORGS:
        headers = bearer(org_id, ME)
        for path, predicate in LISTS.items():
            found = await paginate(client, f"/v1/orgs/{org_id}/{path}", headers, limit=97)
            expected = {event["id"] for event in STORED[org_id] if predicate(event)}
            assert {activity["id"] for activity in found} == expected, path
            assert len(found) == len(expected), path
            assert expected, path
            assert found == sorted(found, key=engine_order, reverse=True), path
            await _check_range(client, f"/v1/orgs/{org_id}/{path}", headers, found)
        for path, predicate in SUMMARIES.items():
            for hours in (1, 24, 168):
                await _check_summary(client, org_id, path, predicate, hours)


async def _check_range(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], found: list[dict[str, Any]]
) -> None:
    """start_time is inclusive, end_time exclusive: from an event on to one before another."""
    start, end = found[-1]["timestamp"], found[len(found) // 4]["timestamp"]
    if start == end:
        return
    separator = "&" if "?" in url else "?"
    ranged = await paginate(
        client, f"{url}{separator}start_time={start}&end_time={end}", headers, limit=97
    )
    assert ranged == [activity for activity in found if start <= activity["timestamp"] < end]


async def _check_summary(
    client: httpx.AsyncClient, org_id: str, path: str, predicate: Predicate, hours: int
) -> None:
    response = await client.get(
        f"/v1/orgs/{org_id}/{path}?hours={hours}", headers=bearer(org_id, ME)
    )
    assert list(response.json()) == list(ActivitySummary.model_fields)
    summary = ActivitySummary.model_validate_json(response.content, strict=True)
    start = NOW - timedelta(hours=hours)
    assert (summary.start_time, summary.end_time) == (_iso(start), _iso(NOW))
    counted = [
        event
        for event in STORED[org_id]
        if predicate(event) and _iso(start) <= _iso_of(event) < _iso(NOW)
    ]
    good = [event for event in counted if event["status_code"] < 400]
    assert summary.total_requests == len(counted)
    assert (summary.successful_requests, summary.failed_requests) == (
        len(good),
        len(counted) - len(good),
    )
    mean = sum(event["duration_ms"] for event in counted) / max(1, len(counted))
    assert summary.avg_duration_ms == pytest.approx(mean, abs=0.001)
    usages = [event["token_usage"] for event in counted]
    assert summary.total_tokens_used == sum(
        usage.get("total", sum(usage.values())) for usage in usages
    )
    assert summary.by_action == Counter(event["action"] for event in counted)
    assert summary.by_resource == Counter(event["resource_type"] or "unknown" for event in counted)


async def test_me_is_the_principal_where_there_is_no_user(client: httpx.AsyncClient) -> None:
    headers = bearer("org-a", "svc-1", principal_type="service")
    found = await paginate(client, "/v1/orgs/org-a/me/activity", headers, limit=200)
    expected = [event["id"] for event in STORED["org-a"] if event["principal_id"] == "svc-1"]
    assert sorted(activity["id"] for activity in found) == sorted(expected)
    summary = await client.get("/v1/orgs/org-a/me/activity/summary?hours=168", headers=headers)
    counted = [e for e in STORED["org-a"] if e["id"] in expected and _iso_of(e) < _iso(NOW)]
    assert summary.json()["total_requests"] == len(counted)


async def test_a_limited_token_sees_its_workspaces_only(client: httpx.AsyncClient) -> None:
    headers = bearer("org-a", ME, workspaces=("ws-2", "it's \\ another"))
    for path in ("activity", "users/user-2/activity", "me/activity"):
        found = await paginate(client, f"/v1/orgs/org-a/{path}", headers, limit=200)
        predicate = LISTS[path]
        expected = [e for e in STORED["org-a"] if predicate(e) and e["workspace_id"] == "ws-2"]
        assert sorted(a["id"] for a in found) == sorted(e["id"] for e in expected)
        summary = await client.get(f"/v1/orgs/org-a/{path}/summary?hours=168", headers=headers)
        counted = [event for event in expected if _iso_of(event) < _iso(NOW)]
        assert summary.json()["total_requests"] == len(counted)
    assert (
        await paginate(client, "/v1/orgs/org-a/activity", bearer("org-a", workspaces=()), 9) == []
    )


NEVER_SEEN = [
    ("workspaces/new/activity", "workspace", "new"),
    ("workspaces/new/activity/summary", "workspace", "new"),
    ("workspaces/new/activity/search?status=error", "workspace", "new"),
    ("workspaces/new/activity/actions/read", "workspace", "new"),
    ("workspaces/ws-1/apps/new/activity", "app", "new"),
    ("workspaces/ws-1/apps/app-1/endpoints/new/activity", "endpoint", "new"),
    ("workspaces/ws-1/apps/app-1/endpoints/new/activity/summary", "endpoint", "new"),
    ("workspaces/ws-1/augmentations/new/activity", "augmentation", "new"),
    ("workspaces/ws-1/resources/new/activity", "resource", "new"),
    ("users/new/activity", "user", "new"),
    ("users/new/activity/summary", "user", "new"),
    ("users/o'new%5C%09/activity", "user", "o'new\\\t"),
]


async def test_404_for_what_was_never_seen(client: httpx.AsyncClient) -> None:
    for path, kind, id_ in NEVER_SEEN:
        response = await client.get(f"/v1/orgs/org-a/{path}", headers=bearer("org-a"))
        assert response.status_code == 404, path
        assert response.json()["details"] == {"resource_type": kind, "resource_id": id_}


SEEN = [
    "workspaces/ws-1/activity?end_time=2020-01-01",
    "workspaces/ws-1/activity/actions/trigger",
    "workspaces/ws-1/activity/search?user_id=nobody",
    "users/user-2/activity?workspace_id=new",
    "users/user-2/activity?start_time=2100-01-01T00:00:00%2B05:30",
    "activity?start_time=0100-01-01&end_time=9999-01-01T00:00:00-10:00",
    "me/activity?end_time=1970-01-01",
    "workspaces/ws-1/resources/res-1/activity?end_time=2020-01-01",
]


async def test_200_for_what_is_there_at_another_time(client: httpx.AsyncClient) -> None:
    for path in SEEN:
        response = await client.get(f"/v1/orgs/org-a/{path}", headers=bearer("org-a"))
        assert response.status_code == 200, path
        page = ActivityPage.model_validate_json(response.content, strict=True)
        assert bool(page.activities) == bool(page.total) == path.startswith("activity?")


async def test_one_tenant_s_token_is_no_key_to_another(client: httpx.AsyncClient) -> None:
    for path in (*LISTS, *SUMMARIES):
        response = await client.get(f"/v1/orgs/org-b/{path}", headers=bearer("org-a"))
        assert response.status_code == 404
        assert response.json()["details"] == {"resource_type": "org", "resource_id": "org-b"}


async def test_an_org_without_events_is_there(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/orgs/quiet/activity", headers=bearer("quiet"))
    assert response.json() == {
        "total": 0,
        "has_more": False,
        "next_cursor": None,
        "activities": [],
    }


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%fZ}"


def _iso_of(event: Row) -> str:
    return str(event["timestamp"]).replace(" ", "T") + "Z"
