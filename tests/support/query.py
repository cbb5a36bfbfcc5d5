"""The read API in tests: its settings, its tokens, its clients, and rows in its table."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
from clickhouse_connect.driver.asyncclient import AsyncClient
from fastapi import FastAPI
from pydantic import SecretStr

from activity_api.app import create_app
from activity_api.auth.tokens import READ, mint
from activity_api.queries.filter import micros
from activity_api.settings import (
    ClickHouseSettings,
    CursorSettings,
    KafkaSettings,
    LimitSettings,
    QuerySettings,
    ServerSettings,
    Settings,
    TokenSettings,
)
from activity_schemas.uuid7 import uuid7

KEY = "a key for tests that is long enough for SHA-256"
TOKENS = TokenSettings(key=SecretStr(KEY))

Row = dict[str, Any]

#: Where a full row of org `mine` is, by the names of the paths' parameters.
PLACE = {
    "workspace_id": "w",
    "user_id": "user-1",
    "app_id": "a",
    "endpoint_id": "e",
    "augmentation_id": "g",
    "resource_id": "r",
}
IDS = {"org_id": "mine", **PLACE, "action": "read"}


def settings(url: str, database: str = "activity", **changed: Any) -> Settings:
    """`changed`: whole parts, such as `limits=LimitSettings(...)`. The engine is taken to be alive
    for as long as a busy machine may keep it from answering; what a dead one does is asked of the
    process (tests/integration/api/test_query_serve.py)."""
    parts: dict[str, Any] = {
        "server": ServerSettings(),
        "clickhouse": ClickHouseSettings(url=url, database=database, ping_after_s=20),
        "kafka": KafkaSettings(),
        "query": QuerySettings(),
        "limits": LimitSettings(),
        "tokens": TOKENS,
        "cursor": CursorSettings(key=SecretStr(KEY)),
    }
    return Settings(**(parts | changed))


def bearer(
    org_id: str,
    subject: str = "user-1",
    *,
    permissions: tuple[str, ...] = (READ,),
    workspaces: tuple[str, ...] | None = None,
    principal_type: str = "user",
) -> dict[str, str]:
    """The header of a request."""
    token = mint(
        TOKENS,
        org_id=org_id,
        subject=subject,
        now=datetime.now(UTC),
        permissions=permissions,
        workspaces=workspaces,
        principal_type=principal_type,
    )
    return {"authorization": f"Bearer {token}"}


@contextlib.asynccontextmanager
async def api(
    configured: Settings,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    dress: Callable[[FastAPI], object] = lambda _: None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application of its own, in this process. `dress`: what is done to it first."""
    app = create_app(configured, clock=clock)
    dress(app)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield client


#: What is stored under another name of a row without an event (migration 0017).
_WITHOUT_EVENT = ("trace_id", "token_id", "execution_id", "metadata")


def row(org_id: str, timestamp: datetime, **fields: Any) -> Row:
    """A row of `events`, column by column; what is not given is as an event without it."""
    return {
        "id": str(uuid7()),
        "timestamp": micros(timestamp),
        "org_id": org_id,
        "method": "GET",
        "path": "/",
        "action": "read",
        "status_code": 200,
        "duration_ms": 1.0,
        "producer_id": "test",
        "schema_version": 1,
        "_topic": "activity.events.v1",
        "_lease": micros(datetime.now(UTC) + timedelta(days=1))[:-3],
        **fields,
    }


def stored(one: Row) -> Row:
    """A row by the names that its columns have in the table."""
    return {f"_{name}" if name in _WITHOUT_EVENT else name: value for name, value in one.items()}


async def insert(clickhouse: AsyncClient, rows: Iterable[Row], *, renamed: bool = True) -> None:
    """In one part per partition of the table. `renamed`: the table has migration 0017."""
    lines = [stored(one) if renamed else one for one in rows]
    body = b"\n".join(map(orjson.dumps, lines))
    await insert_lines(clickhouse, {name for one in lines for name in one}, body, renamed=renamed)


async def insert_lines(
    clickhouse: AsyncClient, names: set[str], body: bytes, *, renamed: bool = True
) -> None:
    """JSONEachRow. What a line has not is a default of `message` (migration 0017)."""
    columns = [*names, "message", "_fields"] if renamed else [*names]
    await clickhouse.raw_insert(
        "events", columns, body, fmt="JSONEachRow", settings={"async_insert": 0}
    )


async def insert_messages(clickhouse: AsyncClient, rows: Iterable[Row]) -> None:
    """The same as events, from which the table takes its columns. `metadata` is JSON text."""
    places, messages = zip(*map(_with_message, rows), strict=True)
    lines = [place | {"message": message} for place, message in zip(places, messages, strict=True)]
    names = {name for place in places for name in place}
    await insert_lines(clickhouse, names, b"\n".join(map(orjson.dumps, lines)))


def _with_message(one: Row) -> tuple[Row, str]:
    place = {name: value for name, value in one.items() if name.startswith("_")}
    event = {name: value for name, value in one.items() if name not in (*place, "metadata")}
    event["timestamp"] = event["timestamp"].replace(" ", "T") + "Z"
    text = orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
    if "metadata" in one:
        text = f'{text[:-1]},"metadata":{one["metadata"]}}}'
    return place, text


async def paginate(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], limit: int
) -> list[Row]:
    """All pages of a list, newest first."""
    found: list[Row] = []
    cursor, total = "", None
    while True:
        separator = "&" if "?" in url else "?"
        target = f"{url}{separator}limit={limit}&cursor={cursor}"
        response = await client.get(target, headers=headers)
        assert response.status_code == 200, response.text
        page = response.json()
        assert total in (None, page["total"]), "a pagination has one total"
        assert len(page["activities"]) <= limit
        assert page["has_more"] == (page["next_cursor"] is not None)
        total = page["total"]
        found += page["activities"]
        if not page["has_more"]:
            return found
        cursor = page["next_cursor"]
