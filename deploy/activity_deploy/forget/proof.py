"""Does the read API still show anything? Asked of the API itself, with a key of this process."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from activity_api.auth.tokens import mint
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
from activity_consume.erasure.scope import Scope
from activity_deploy.errors import UserError


async def shown(scope: Scope, database: ClickHouseSettings) -> dict[str, int]:
    """By path, how many events of the scope each answer has in all. Raises UserError."""
    org = f"/v1/orgs/{quote(scope.org_id, safe='')}"
    paths = [f"{org}/activity"]
    if scope.user_id:
        # `me`: also what is found by the principal.
        paths = [f"{org}/users/{quote(scope.user_id, safe='')}/activity", f"{org}/me/activity"]
    end = scope.before.astimezone(UTC).isoformat()
    async with _api(scope, database) as client:
        return {path: await _total(client, path, end) for path in paths}


async def _total(client: httpx.AsyncClient, path: str, end: str) -> int:
    answer = await client.get(path, params={"end_time": end, "limit": 1})
    if answer.status_code == 404:  # never seen: there is no such user
        return 0
    if answer.status_code != 200:
        raise UserError(f"the API answers {answer.status_code} to {path}: {answer.text[:200]}")
    return int(answer.json()["total"])


@contextlib.asynccontextmanager
async def _api(scope: Scope, database: ClickHouseSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The read API in this process, on the same database."""
    # Here: it is half of the time in which `activity` starts, and one command needs it.
    from activity_api.app import create_app  # noqa: PLC0415

    key = SecretStr(secrets.token_hex(32))
    tokens = TokenSettings(key=key, algorithms=("HS256",), jwks_url=None, issuer="activity-erase")
    app = create_app(
        Settings(
            server=ServerSettings(),
            clickhouse=database,
            kafka=KafkaSettings(),
            query=QuerySettings(max_execution_time=0, max_rows_to_read=0),
            limits=LimitSettings(store_url=None),
            tokens=tokens,
            cursor=CursorSettings(key=key),
        )
    )
    token = mint(
        tokens, org_id=scope.org_id, subject=scope.user_id or "erase", now=datetime.now(UTC)
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://api",
            headers={"authorization": f"Bearer {token}"},
            timeout=600,
        ) as client,
    ):
        yield client
