"""Filters of feed, stream and export: several values, none of them, and what no list has."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from activity_api.auth.caller import EXPORT, READ
from tests.support.clickhouse import connect, new_database
from tests.support.feed import at, pages, write
from tests.support.query import api, bearer, settings

EVENTS: list[dict[str, Any]] = [
    {"user_id": "ann", "action": "read", "path": "/v1/a", "workspace_id": "w1"},
    {"user_id": "bob", "action": "create", "path": "/v1/b", "workspace_id": "w2"},
    {"user_id": "ann", "status_code": 404, "error_code": "E404", "path": "/v2/a"},
    {"user_id": "", "status_code": 500, "error_code": "E500", "trace_id": "t1", "path": "/v1"},
    {"user_id": "a,b", "execution_id": "x1", "duration_ms": 50.0, "path": "/100%"},
    {"user_id": "it's", "method": "POST", "principal_id": "svc", "path": "/v1_"},
]

CASES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4, 5]),
    ({"user_id": ["ann", "bob"]}, [0, 1, 2]),
    ({"user_id": ["ann", "ann"]}, [0, 2]),
    ({"user_id": "a,b"}, [4]),
    ({"user_id": "it's"}, [5]),
    ({"not_user_id": "ann"}, [1, 3, 4, 5]),
    ({"not_user_id": ["ann", "bob"], "status": "success"}, [4, 5]),
    ({"user_id": ["ann", "bob"], "not_action": "create"}, [0, 2]),
    ({"status_code": [404, 500]}, [2, 3]),
    ({"not_status_code": 200}, [2, 3]),
    ({"status": "error", "not_status_code": "500"}, [2]),
    ({"error_code": "E404"}, [2]),
    ({"trace_id": "t1"}, [3]),
    ({"execution_id": "x1"}, [4]),
    ({"path_prefix": "/v1"}, [0, 1, 3, 5]),
    ({"path_prefix": ["/v2", "/v1/b"]}, [1, 2]),
    ({"path_prefix": "/v1_"}, [5]),  # no wildcard
    ({"path_prefix": "/100%"}, [4]),
    ({"not_path_prefix": ["/v1", "/v2"]}, [4]),
    ({"workspace_id": ["w1", "w2"]}, [0, 1]),
    ({"not_workspace_id": "w1"}, [1, 2, 3, 4, 5]),
    ({"method": "POST"}, [5]),
    ({"principal_id": "svc"}, [5]),
    ({"min_duration_ms": 50}, [4]),
    ({"max_duration_ms": 49, "action": ["read", "create"], "path_prefix": "/v1/"}, [0, 1]),
    ({"user_id": ""}, [0, 1, 2, 3, 4, 5]),  # an empty one is as good as none
    ({"user_id": "nobody"}, []),
]


@pytest.fixture(scope="module")
async def client(clickhouse_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        new_database(clickhouse_url) as database,
        await connect(clickhouse_url, database) as clickhouse,
        api(settings(clickhouse_url, database)) as made,
    ):
        await write(clickhouse, *(at("o", 0, n, **one) for n, one in enumerate(EVENTS)))
        yield made


@pytest.mark.parametrize(("asked", "expected"), CASES, ids=[str(case[0]) for case in CASES])
async def test_feed_and_export_take_the_same(
    client: httpx.AsyncClient, asked: dict[str, Any], expected: list[int]
) -> None:
    paths = [EVENTS[n]["path"] for n in expected]
    assert (await pages(client, **asked))[0] == paths
    who = bearer("o", permissions=(READ, EXPORT))
    exported = await client.get("/v1/orgs/o/activity/export", params=asked, headers=who)
    rows = [json.loads(line) for line in exported.text.splitlines()[:-1]]
    assert sorted(row["path"] for row in rows) == sorted(paths)


@pytest.mark.parametrize(
    "asked",
    [
        {"action": ["read", "reed"]},
        {"not_action": "reed"},
        {"status_code": "4xx"},
        {"status_code": "99"},
        {"status_code": "４０４"},
        {"status": ["success", "error"]},
        {"status": "ok"},
        {"start_time": "2026-01-01"},  # a feed has an order of its own
        {"usr_id": "ann"},
        {"limit": 0},
        {"limit": 1001},
        {"user_id": [str(n) for n in range(101)]},
    ],
    ids=str,
)
async def test_what_cannot_be_right_is_a_422(
    client: httpx.AsyncClient, asked: dict[str, Any]
) -> None:
    response = await client.get("/v1/orgs/o/activity/feed", params=asked, headers=bearer("o"))
    assert response.status_code == 422, response.text
    [name] = asked
    assert response.json()["detail"][0]["loc"][:2] == ["query", name]


async def test_durations_that_leave_nothing_are_refused_as_by_a_search(
    client: httpx.AsyncClient,
) -> None:
    asked = {"min_duration_ms": 2, "max_duration_ms": 1}
    for url in ("/v1/orgs/o/workspaces/w1/activity/search", "/v1/orgs/o/activity/feed"):
        response = await client.get(url, params=asked, headers=bearer("o"))
        assert response.status_code == 422, response.text
        assert response.json()["detail"][0]["type"] == "duration_range"


async def test_the_lists_take_no_more_than_before(client: httpx.AsyncClient) -> None:
    for query in ("user_id=a&user_id=b", "status_code=200", "not_user_id=a"):
        url = f"/v1/orgs/o/workspaces/w1/activity/search?{query}"
        assert (await client.get(url, headers=bearer("o"))).status_code == 422


async def test_a_limited_reader_sees_its_workspaces(client: httpx.AsyncClient) -> None:
    limited = bearer("o", workspaces=("w1",))
    url = "/v1/orgs/o/activity/feed"
    page = (await client.get(url, headers=limited)).json()
    assert [one["path"] for one in page["activities"]] == ["/v1/a"]
    for workspaces in (["w2"], ["w1", "w2"]):
        answer = await client.get(url, params={"workspace_id": workspaces}, headers=limited)
        assert answer.status_code == 403
    # A cursor of somebody who sees more is not good here.
    whole = (await client.get(url, headers=bearer("o"))).json()["next_cursor"]
    answer = await client.get(url, params={"after": whole}, headers=limited)
    assert answer.status_code == 400
