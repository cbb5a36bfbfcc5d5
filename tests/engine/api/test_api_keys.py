"""API keys from the command to the answer: on the real engine, through the real API."""

import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.auth.api_key import ApiKey, new_key
from activity_api.settings import ApiKeySettings, Settings
from activity_deploy.keys.repository import KeyRepository
from tests.support.clickhouse import ClickHouseServer
from tests.support.dlq import run_activity
from tests.support.query import api, bearer, insert, row, settings
from tests.support.wait import wait_until

LIST = "/v1/orgs/o/activity"
READ = ("activity:read",)


def header(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def configured(clickhouse_url: str, database: str) -> Settings:
    return settings(clickhouse_url, database, api_keys=ApiKeySettings(cache_s=0.5))


@pytest.fixture
async def client(configured: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with api(configured) as client:
        yield client


@pytest.fixture
def keys(clickhouse: AsyncClient) -> KeyRepository:
    return KeyRepository(clickhouse)


async def test_a_key_is_let_in_as_who_it_is(
    client: httpx.AsyncClient, keys: KeyRepository, clickhouse: AsyncClient
) -> None:
    key, record = await keys.create("o", "reports", READ, ("w",), timedelta(days=1))
    now = datetime.now(UTC)
    mine = row("o", now, workspace_id="w", principal_type="api_key", principal_id=record.id)
    others = row("o", now, workspace_id="w", user_id="u")
    hidden = row("o", now, workspace_id="x", principal_id=record.id)
    await insert(clickhouse, [mine, others, hidden, row("p", now, workspace_id="w")])

    async def ids(path: str) -> set[str]:
        response = await client.get(f"/v1/orgs/o/{path}", headers=header(key))
        assert response.status_code == 200, response.text
        return {it["id"] for it in response.json()["activities"]}

    assert await ids("activity") == {mine["id"], others["id"]}
    assert await ids("me/activity") == {mine["id"]}
    response = await client.get("/v1/orgs/o/workspaces/x/activity", headers=header(key))
    assert response.status_code == 403
    response = await client.get("/v1/orgs/p/activity", headers=header(key))
    assert (response.status_code, response.json()["error"]) == (404, "RESOURCE_NOT_FOUND")
    # A token goes on beside it.
    assert (await client.get(LIST, headers=bearer("o"))).status_code == 200


async def test_what_is_stored_does_not_lead_back(
    keys: KeyRepository, clickhouse: AsyncClient
) -> None:
    key, record = await keys.create("o", "reports", READ, None, None)
    stored = await clickhouse.raw_query("SELECT * FROM api_keys FORMAT JSONEachRow")
    assert record.id.encode() in stored
    assert key.encode() not in stored
    assert key.removeprefix(record.id).encode() not in stored


async def test_those_that_are_refused(client: httpx.AsyncClient, keys: KeyRepository) -> None:
    expired, _ = await keys.create("o", "old", READ, None, timedelta(days=-1))
    powerless, _ = await keys.create("o", "powerless", ("activity:write",), None, None)
    good, record = await keys.create("o", "good", READ, None, None)
    twin = next(it for it in iter(new_key, "") if it != good)
    forged = record.id + twin.removeprefix(ApiKey.parse(twin).id)[:-6]
    for key, status, reason in (
        (expired, 401, "has expired"),
        (powerless, 403, ""),
        (twin, 401, "is not known"),
        (forged + "000000", 401, "mistyped"),
        (good[:-1] + ("0" if good[-1] != "0" else "1"), 401, "mistyped"),
        (good.swapcase(), 401, ""),
    ):
        response = await client.get(LIST, headers=header(key))
        assert response.status_code == status, (key, response.text)
        challenge = response.headers.get("www-authenticate", "")
        assert reason in challenge
        assert key not in challenge
    assert (await client.get(LIST, headers=header(good))).status_code == 200


async def test_a_revoked_key_is_out_in_its_time(
    client: httpx.AsyncClient, keys: KeyRepository
) -> None:
    key, record = await keys.create("o", "leaked", READ, None, None)
    assert (await client.get(LIST, headers=header(key))).status_code == 200
    await keys.revoke(record.id)

    async def is_out() -> bool:
        return (await client.get(LIST, headers=header(key))).status_code == 401

    await wait_until(is_out, timeout=20, what="the key is refused")
    assert (await keys.revoke(record.id)).revoked_at is not None
    assert await is_out()


async def test_the_last_use_is_written_behind_the_request(
    client: httpx.AsyncClient, keys: KeyRepository
) -> None:
    key, record = await keys.create("o", "reports", READ, None, None)
    [before] = await keys.records("o")
    assert before.used_at is None
    started = datetime.now(UTC) - timedelta(seconds=1)
    assert (await client.get(LIST, headers=header(key))).status_code == 200

    async def used() -> datetime | None:
        [after] = await keys.records("o")
        assert after.id == record.id
        return after.used_at

    assert started < await wait_until(used, timeout=20, what="the use is written")


async def test_without_the_table_it_is_a_503(clickhouse_url: str) -> None:
    """An engine that is not migrated, and one that is away: nobody knows, so nobody says 401."""
    for url in (clickhouse_url, "http://127.0.0.1:9"):
        async with api(settings(url, "default")) as client:
            response = await client.get(LIST, headers=header(new_key()))
        assert response.status_code == 503, response.text
        assert response.headers["retry-after"] == "1"


async def test_a_key_goes_on_while_the_engine_is_away(tmp_path: Path) -> None:
    """Its own answers are 503, but the key is known: me, foreign orgs and permissions are told."""
    engine = ClickHouseServer(tmp_path / "data")
    await engine.start()
    try:
        command("migrate", url=engine.url, database="activity")
        key = command("keys", "create", "--org", "o", "--name", "n", url=engine.url).stdout.strip()
        async with api(settings(engine.url)) as client:
            assert (await client.get(LIST, headers=header(key))).status_code == 200
            await engine.kill()
            response = await client.get("/v1/orgs/p/activity", headers=header(key))
            assert response.status_code == 404
            response = await client.get("/v1/orgs/p/activity", headers=header(new_key()))
            assert response.status_code == 503
    finally:
        await engine.kill()


def command(
    *arguments: str, url: str, database: str = "activity"
) -> subprocess.CompletedProcess[str]:
    """`activity ...` as a person runs it."""
    return run_activity(url, database, *arguments)


async def test_the_command(
    client: httpx.AsyncClient, clickhouse_url: str, database: str, keys: KeyRepository
) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command("keys", *arguments, url=clickhouse_url, database=database)

    assert "no API keys" in run("list").stdout
    made = run(
        *("create", "--org", "o", "--name", "night jobs", "--days", "30"),
        *("--workspace", "w1", "--workspace", "w2"),
    )
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key not in made.stderr
    [record] = await keys.records()
    assert record.id == ApiKey.parse(key).id
    assert record.workspaces == ("w1", "w2")
    assert record.permissions == READ
    assert record.expires_at == record.created_at + timedelta(days=30)
    path = "/v1/orgs/o/workspaces/w1/activity/summary"
    assert (await client.get(path, headers=header(key))).status_code == 404, "let in: never seen"

    listed = run("list", "--org", "o").stdout
    for text in (record.id, "night jobs", "w1 w2", "activity:read", "active"):
        assert text in listed
    assert key not in listed
    assert record.digest not in listed
    assert "no API keys" in run("list", "--org", "p").stdout

    assert "60 seconds" in run("revoke", record.id).stdout
    assert "was revoked before" in run("revoke", record.id).stdout
    assert "revoked" in run("list").stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("revoke", "ak_nobody"), "there is no API key 'ak_nobody'"),
        (("revoke", ""), "there is no API key ''"),
        (("create", "--org", "", "--name", "n"), "--org: "),
        (("create", "--org", "o" * 300, "--name", "n"), "--org: "),
        (("create", "--org", "o", "--name", "a\nb"), "--name: "),
        (("create", "--org", "o", "--name", "n", "--workspace", ""), "--workspace: "),
        (("create", "--org", "o", "--name", "n", "--permission", ""), "--permission: "),
    ],
)
async def test_what_is_wrong_is_one_line(
    clickhouse_url: str, database: str, arguments: tuple[str, ...], text: str
) -> None:
    result = command("keys", *arguments, url=clickhouse_url, database=database)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("activity: ")
    assert text in line


async def test_an_engine_away_is_one_line() -> None:
    result = command("keys", "list", url="http://user:secret@127.0.0.1:9")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("activity: ClickHouse at 127.0.0.1:9: ")
    assert "secret" not in line
