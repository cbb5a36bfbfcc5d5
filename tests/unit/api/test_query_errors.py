"""Every error in its documented shape, from an API whose engine is away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from activity_api.settings import LimitSettings
from activity_schemas.errors import ErrorResponse
from tests.support.query import KEY, api, bearer, settings

NOWHERE = "http://127.0.0.1:9"  # discard: nobody listens
LIST = "/v1/orgs/o/activity"
SEARCH = "/v1/orgs/o/workspaces/w/activity/search"


def error(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The documented shape; returns its details."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == list(ErrorResponse.model_fields)
    assert (body["status_code"], body["error"]) == (status, code)
    assert abs(datetime.fromisoformat(body["timestamp"] + "+00:00") - datetime.now(UTC)) < (
        timedelta(minutes=1)
    )
    assert len(body["timestamp"]) == len("2025-01-01T00:00:00.000000")
    details: dict[str, Any] = body["details"]
    return details


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dTpw", "Bearer x.y.z"])
async def test_401(header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    async with api(settings(NOWHERE)) as client:
        response = await client.get(LIST + "?limit=0", headers=headers)
    assert error(response, 401, "AUTHENTICATION_FAILED") == {}
    assert response.json()["message"] == "Authentication required"
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_401_tells_why_in_its_header() -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    claims = {"iss": "activity-local", "aud": "activity", "sub": "u", "org_id": "o", "exp": past}
    headers = {"authorization": "Bearer " + jwt.encode(claims, KEY, "HS256")}
    async with api(settings(NOWHERE)) as client:
        response = await client.get(LIST, headers=headers)
    assert error(response, 401, "AUTHENTICATION_FAILED") == {}
    assert response.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="The token has expired"'
    )


async def test_403_without_the_permission() -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.get(LIST, headers=bearer("o", permissions=("activity:write",)))
    assert error(response, 403, "FORBIDDEN") == {"required_permission": "activity:read"}
    assert response.json()["message"] == "You don't have permission to perform this action"


@pytest.mark.parametrize(
    "path",
    [
        "workspaces/other/activity",
        "workspaces/other/activity/summary",
        "workspaces/other/activity/search",
        "workspaces/other/activity/actions/read",
        "workspaces/other/apps/a/activity",
        "workspaces/other/apps/a/endpoints/e/activity",
        "workspaces/other/apps/a/endpoints/e/activity/summary",
        "workspaces/other/augmentations/a/activity",
        "workspaces/other/resources/r/activity",
        "users/u/activity?workspace_id=other",
        "me/activity?workspace_id=other",
    ],
)
async def test_403_for_a_workspace_outside_the_token(path: str) -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.get(f"/v1/orgs/o/{path}", headers=bearer("o", workspaces=("w",)))
    assert error(response, 403, "FORBIDDEN") == {"required_permission": "activity:read"}


async def test_404_for_another_org() -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.get(LIST, headers=bearer("another"))
    details = error(response, 404, "RESOURCE_NOT_FOUND")
    assert details == {"resource_type": "org", "resource_id": "o"}


@pytest.mark.parametrize("path", ["/nope", LIST + "/", "/v1/orgs//activity", "/v1"])
async def test_404_for_an_unknown_route(path: str) -> None:
    async with api(settings(NOWHERE)) as client:
        error(await client.get(path, headers=bearer("o")), 404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_405(method: str) -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.request(method, LIST, headers=bearer("o"))
    error(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (LIST + "?limit=0", ["query", "limit"]),
        (LIST + "?limit=201", ["query", "limit"]),
        (LIST + "?limit=x", ["query", "limit"]),
        (LIST + "?start_time=yesterday", ["query", "start_time"]),
        (LIST + "?end_time=2026-13-01", ["query", "end_time"]),
        (LIST + "?end_time=0001-01-01T00:00:00%2B10:00", ["query", "end_time"]),
        (LIST + "?start_time=2026-01-02&end_time=2026-01-01", ["query", "start_time"]),
        (LIST + "?cursor=abc", ["query", "cursor"]),
        (LIST + "/summary?hours=0", ["query", "hours"]),
        (LIST + "/summary?hours=169", ["query", "hours"]),
        (SEARCH + "?status=ok", ["query", "status"]),
        (SEARCH + "?action=look", ["query", "action"]),
        (SEARCH + "?min_duration_ms=x", ["query", "min_duration_ms"]),
        (SEARCH + "?max_duration_ms=inf", ["query", "max_duration_ms"]),
        (SEARCH + "?min_duration_ms=2&max_duration_ms=1", ["query", "min_duration_ms"]),
        ("/v1/orgs/o/workspaces/w/activity/actions/look", ["path", "action"]),
    ],
)
async def test_422(target: str, location: list[str]) -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.get(target, headers=bearer("o"))
    assert response.status_code == 422, response.text
    (detail,) = response.json()["detail"]
    assert detail["loc"] == location
    assert set(detail) - {"ctx"} == {"loc", "msg", "type", "input"}
    assert isinstance(detail.get("ctx", {}), dict)


async def test_429() -> None:
    limits = LimitSettings(requests_per_second=1, burst=1)
    async with api(settings(NOWHERE, limits=limits)) as client:
        error(await client.get(LIST, headers=bearer("o")), 503, "SERVICE_UNAVAILABLE")
        response = await client.get(LIST, headers=bearer("o"))
    assert error(response, 429, "RATE_LIMITED") == {"limit": "requests_per_second"}
    assert response.headers["retry-after"] == "1"
    assert response.headers["ratelimit"] == '"org";r=0;t=1'


@pytest.mark.parametrize("path", [LIST, LIST + "/summary", "/v1/orgs/o/me/activity"])
async def test_503_at_once_while_the_engine_is_away(path: str) -> None:
    async with api(settings(NOWHERE)) as client:
        for _ in range(2):  # the second one meets the open circuit
            response = await client.get(path, headers=bearer("o"))
            error(response, 503, "SERVICE_UNAVAILABLE")
            assert response.headers["retry-after"] == "1"
            assert response.elapsed < timedelta(seconds=2)  # on a busy machine, too


async def test_health() -> None:
    async with api(settings(NOWHERE)) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        response = await client.get("/readyz")
    error(response, 503, "SERVICE_UNAVAILABLE")


async def test_500_tells_nothing_of_the_inside() -> None:
    def broken() -> datetime:
        raise RuntimeError("the inside")

    async with api(settings(NOWHERE), clock=broken) as client:
        response = await client.get(LIST + "/summary", headers=bearer("o"))
    assert error(response, 500, "INTERNAL_SERVER_ERROR") == {}
    assert response.json()["message"] == "An unexpected error occurred"
    assert "inside" not in response.text
