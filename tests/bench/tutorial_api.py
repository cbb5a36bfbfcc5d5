"""The read API as a tutorial writes it: dicts from rows, a separate count, a `response_model`.

It checks its token, has the same rows in a table of its own (tutorial_table.py), and answers the
same bodies (page 1, without a cursor). Run by `tests.bench.query` with uvicorn, one process.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import clickhouse_connect
import jwt
import orjson
from fastapi import Depends, FastAPI, Header, HTTPException, Request

from activity_schemas.answers import Activity, ActivityPage, ActivitySummary
from tests.bench.tutorial_table import TABLE

_COLUMNS = ", ".join(Activity.model_fields)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.client = await clickhouse_connect.get_async_client(
        dsn=os.environ["ACTIVITY_CLICKHOUSE_URL"],
        database=os.environ["ACTIVITY_CLICKHOUSE_DATABASE"],
        autogenerate_session_id=False,
    )
    yield
    await app.state.client.close()


app = FastAPI(lifespan=lifespan)


async def caller(org_id: str, authorization: Annotated[str, Header()]) -> str:
    key, token = os.environ["ACTIVITY_JWT_KEY"], authorization.removeprefix("Bearer ")
    claims = jwt.decode(token, key, algorithms=["HS256"], audience="activity")
    if claims["org_id"] != org_id:
        raise HTTPException(404)
    return str(claims["sub"])


async def filters(request: Request, _: Annotated[str, Depends(caller)]) -> dict[str, Any]:
    """Path and query parameters by the names of their columns."""
    names: dict[str, Any] = dict(request.path_params)
    query = request.query_params
    for name in ("action", "user_id"):
        if name in query:
            names[name] = query[name]
    if "status" in query:
        names["success"] = query["status"] == "success"
    if "min_duration_ms" in query:
        names["min_duration_ms"] = float(query["min_duration_ms"])
    return names


Filters = Annotated[dict[str, Any], Depends(filters)]


def where(names: dict[str, Any]) -> str:
    return " AND ".join(
        f"duration_ms >= %({name})s" if name == "min_duration_ms" else f"{name} = %({name})s"
        for name in names
    )


async def page(request: Request, names: Filters, limit: int = 50) -> ActivityPage:
    client = request.app.state.client
    counted = await client.query(f"SELECT count() FROM {TABLE} WHERE {where(names)}", names)
    result = await client.query(
        f"SELECT {_COLUMNS} FROM {TABLE} WHERE {where(names)}"
        f" ORDER BY timestamp DESC, id DESC LIMIT {limit}",
        names,
    )
    activities = [
        Activity(
            **{
                **row,
                "id": str(row["id"]),
                "timestamp": row["timestamp"].isoformat(),
                "metadata": orjson.loads(row["metadata"]),
            }
        )
        for row in result.named_results()
    ]
    total = counted.result_rows[0][0]
    return ActivityPage(
        total=total, has_more=total > limit, next_cursor=None, activities=activities
    )


_PATHS = (
    "/activity",
    "/workspaces/{workspace_id}/activity",
    "/users/{user_id}/activity",
    "/workspaces/{workspace_id}/apps/{app_id}/activity",
    "/workspaces/{workspace_id}/apps/{app_id}/endpoints/{endpoint_id}/activity",
    "/workspaces/{workspace_id}/augmentations/{augmentation_id}/activity",
    "/workspaces/{workspace_id}/activity/actions/{action}",
    "/workspaces/{workspace_id}/resources/{resource_id}/activity",
    "/workspaces/{workspace_id}/activity/search",
)
for path in _PATHS:
    app.get("/v1/orgs/{org_id}" + path, response_model=ActivityPage)(page)


@app.get("/v1/orgs/{org_id}/activity/summary", response_model=ActivitySummary)
@app.get("/v1/orgs/{org_id}/workspaces/{workspace_id}/activity/summary")
async def summary(request: Request, names: Filters, hours: int = 24) -> ActivitySummary:
    recent = f"{where(names)} AND timestamp >= now() - INTERVAL {hours} HOUR"
    result = await request.app.state.client.query(
        "SELECT count(), countIf(success), sum(duration_ms), sum(tokens), sumMap(map(action, 1)),"
        f" sumMap(map(resource_type, 1)), toString(min(timestamp)), toString(max(timestamp))"
        f" FROM {TABLE} WHERE {recent}",
        names,
    )
    requests, good, duration, tokens, actions, kinds, start, end = result.result_rows[0]
    return ActivitySummary(
        total_requests=requests,
        successful_requests=good,
        failed_requests=requests - good,
        avg_duration_ms=duration / requests if requests else 0,
        total_tokens_used=tokens,
        by_action=dict(actions),
        by_resource=dict(kinds),
        start_time=start,
        end_time=end,
    )
