"""Nobody sees another org: every endpoint × every credential, over orgs that hold the same ids.

The endpoints are read from the application: a new one without a case fails.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.auth.caller import READ, READ_ANY_ORG
from activity_api.auth.tokens import mint
from activity_api.endpoints.routes import router
from activity_api.settings import LimitSettings, TokenSettings
from activity_deploy.keys.repository import KeyRepository
from tests.support.clickhouse import connect, new_database
from tests.support.query import PLACE, TOKENS, api, bearer, insert, row, settings

PATHS = [route.path for route in router.routes]  # type: ignore[attr-defined]
NOW = datetime.now(UTC)
#: org -> events; each org has the same users, workspaces, apps, ... under the same names.
COUNTS = {"mine": 3, "theirs": 5, "operator": 2}
#: What stands for each parameter of a path. A new parameter has no value here, and fails.
VALUES = {**PLACE, "action": "read"}
BOTH = (READ, READ_ANY_ORG)


@dataclass(frozen=True)
class Who:
    """A credential. `sees`: of which orgs; `only`: beginnings of the paths it may read there."""

    headers: dict[str, str]
    sees: tuple[str, ...] = ()
    only: tuple[str, ...] = ("/",)
    denied: int = 404


def expired() -> dict[str, str]:
    past = NOW - timedelta(days=2)
    token = mint(TOKENS, org_id="mine", subject="user-1", now=past)
    return {"authorization": f"Bearer {token}"}


SELF = ("/me/", "/users/{user_id}/")
CREDENTIALS = {
    "a reader": Who(bearer("mine"), ("mine",)),
    "a reader of the other org": Who(bearer("theirs"), ("theirs",)),
    "a service": Who(bearer("mine", "svc", principal_type="service"), ("mine",)),
    "of their workspace": Who(bearer("mine", workspaces=("w",)), ("mine",)),
    "of another workspace": Who(bearer("mine", workspaces=("x",)), (), denied=403),
    "of no workspace": Who(bearer("mine", workspaces=()), (), denied=403),
    "a reader of himself": Who(bearer("mine", permissions=()), ("mine",), SELF),
    "another member without rights": Who(bearer("mine", "user-2", permissions=()), (), denied=403),
    "an operator": Who(bearer("operator", permissions=BOTH), tuple(COUNTS)),
    "an operator without the right": Who(bearer("operator"), ("operator",)),
    "one who only says so": Who(bearer("mine", permissions=BOTH), ("mine",)),
    "an operator of a workspace": Who(
        bearer("operator", permissions=BOTH, workspaces=("w",)), ("operator",)
    ),
    "expired": Who(expired(), (), denied=401),
    "nobody": Who({}, (), denied=401),
    "nonsense": Who({"authorization": "Bearer x.y.z"}, (), denied=401),
    "an API key": Who({"authorization": "key: mine"}, ("mine",)),
    "an API key of the other org": Who({"authorization": "key: theirs"}, ("theirs",)),
    "an API key without rights": Who({"authorization": "key: none"}, (), denied=403),
}


@dataclass
class World:
    client: httpx.AsyncClient
    keys: dict[str, str]

    async def get(self, who: Who, target: str) -> httpx.Response:
        headers = dict(who.headers)
        if headers.get("authorization", "").startswith("key: "):
            headers["authorization"] = f"Bearer {self.keys[headers['authorization'][5:]]}"
        return await self.client.get(target, headers=headers)


@pytest.fixture(scope="module")
async def world(clickhouse_url: str) -> AsyncIterator[World]:
    async with new_database(clickhouse_url) as database:
        async with await connect(clickhouse_url, database) as clickhouse:
            keys = await fill(clickhouse)
        tokens = TokenSettings(key=TOKENS.key, operator_org="operator")
        limits = LimitSettings(requests_per_second=10_000, burst=100_000)
        configured = settings(clickhouse_url, database, tokens=tokens, limits=limits)
        async with api(configured) as http:
            yield World(http, keys)


async def fill(clickhouse: AsyncClient) -> dict[str, str]:
    """The API keys, by their names in CREDENTIALS."""
    for org, count in COUNTS.items():
        rows = [
            row(org, NOW - timedelta(seconds=n), **PLACE, path=f"/of/{org}", resource_type=org)
            for n in range(count)
        ]
        await insert(clickhouse, rows)
    repository, keys = KeyRepository(clickhouse), {}
    for name, org, permissions in (
        ("mine", "mine", (READ,)),
        ("theirs", "theirs", (READ,)),
        ("none", "mine", ()),
    ):
        keys[name], _ = await repository.create(org, name, permissions, None, None)
    return keys


def target(path: str, org: str) -> str:
    """Raises KeyError for a parameter that has no value here."""
    return path.format_map({**VALUES, "org_id": org})


def total(answer: httpx.Response) -> int:
    body = answer.json()
    return int(body["total"] if "total" in body else body["total_requests"])


def own(path: str, who: Who) -> bool:
    return any(part in path for part in who.only)


def without_time(answer: httpx.Response, org: str) -> str:
    body: dict[str, Any] = answer.json()
    body.pop("timestamp", None)
    return str(body).replace(org, "?")


def test_every_endpoint_has_its_case() -> None:
    assert len(PATHS) == len(set(PATHS)) == 15
    for path in PATHS:
        assert target(path, "mine").count("{") == 0


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_nobody_sees_another_org(world: World, name: str) -> None:
    who = CREDENTIALS[name]
    for path in PATHS:
        for org, count in COUNTS.items():
            answer = await world.get(who, target(path, org))
            case = f"{path} of {org}: {answer.status_code} {answer.text}"
            for other in COUNTS.keys() - {org}:
                assert f"/of/{other}" not in answer.text, case
            if org in who.sees and own(path, who):
                assert answer.status_code == 200, case
                # `me` of who is not user-1 has done nothing.
                assert total(answer) == count or ("/me/" in path and not total(answer)), case
                check_rows(answer, org)
            elif answer.status_code == 200:
                # Only of its own org, where it may ask and has nothing to see.
                assert org == "mine", case
                assert total(answer) == 0, case
            else:
                assert answer.status_code in (who.denied, 403, 404), case
                assert f"/of/{org}" not in answer.text, case


def check_rows(answer: httpx.Response, org: str) -> None:
    body = answer.json()
    if "activities" in body:
        assert {one["path"] for one in body["activities"]} <= {f"/of/{org}"}
    else:
        assert body["by_resource"].keys() <= {org}
        assert body["successful_requests"] == body["total_requests"]


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_a_foreign_org_is_like_an_absent_one(world: World, name: str) -> None:
    who = CREDENTIALS[name]
    for path in PATHS:
        for org in COUNTS.keys() - {*who.sees, "mine"}:
            foreign = await world.get(who, target(path, org))
            absent = await world.get(who, target(path, "absent"))
            assert foreign.status_code == absent.status_code in (401, 404), path
            assert without_time(foreign, org) == without_time(absent, "absent"), path
            assert foreign.headers.keys() == absent.headers.keys(), path


async def test_no_cursor_opens_another_org(world: World) -> None:
    """Of one org to the reader of the other, and to an operator, who may see both."""
    reader, theirs, operator = (
        CREDENTIALS[name] for name in ("a reader", "a reader of the other org", "an operator")
    )
    lists = [path for path in PATHS if not path.endswith("/summary")]
    assert len(lists) == 10
    for path in lists:
        page = await world.get(reader, target(path, "mine") + "?limit=1")
        cursor = page.json()["next_cursor"]
        assert cursor, path
        for who in (theirs, operator):
            answer = await world.get(who, f"{target(path, 'theirs')}?limit=1&cursor={cursor}")
            assert answer.status_code == 422, answer.text
            assert "/of/" not in answer.text
        for other in lists:
            if other != path:
                answer = await world.get(reader, f"{target(other, 'mine')}?limit=1&cursor={cursor}")
                # The same filter under two names is the same list.
                assert answer.status_code in (200, 422), answer.text
                if answer.status_code == 200:
                    check_rows(answer, "mine")
