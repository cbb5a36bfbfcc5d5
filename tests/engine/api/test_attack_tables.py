"""Cursors, parameters and forms that mean no good, on the real engine: no row more, and no 500."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.auth.caller import READ, READ_ANY_ORG
from activity_api.openapi.document import document
from activity_api.settings import LimitSettings, TokenSettings
from tests.engine.api.attacks_cursors import ALTERED, OWN, OWN_PATH, REPLAYED, TEXT
from tests.engine.api.attacks_forms import FORMS, LIST
from tests.engine.api.attacks_injection import INJECTED, NAMES
from tests.support.clickhouse import connect, new_database
from tests.support.query import IDS, PLACE, TOKENS, api, bearer, insert, row, settings

NOW = datetime.now(UTC)
CALLERS = {
    "reader": bearer("mine"),
    "reader of theirs": bearer("theirs"),
    "operator": bearer("operator", permissions=(READ, READ_ANY_ORG)),
    "of their workspace": bearer("mine", workspaces=("w",)),
    "another member": bearer("mine", "user-2", permissions=()),
}
GOOD = CALLERS["reader"]["authorization"]
#: path -> its operation, as served.
OPERATIONS: dict[str, dict[str, Any]] = {p: item["get"] for p, item in document()["paths"].items()}


@dataclass
class World:
    client: httpx.AsyncClient
    clickhouse: AsyncClient

    async def get(self, target: str, who: str = "reader") -> httpx.Response:
        return await self.client.get(target, headers=CALLERS[who])

    async def ids(self) -> str:
        """Of all rows, and of all tables: what no request may change."""
        here = "system.tables WHERE database = currentDatabase()"
        rows = await self.clickhouse.query("SELECT id FROM events ORDER BY id")
        tables = await self.clickhouse.query(f"SELECT name FROM {here} ORDER BY name")
        return f"{rows.result_rows}{tables.result_rows}"


@pytest.fixture(scope="module")
async def world(clickhouse_url: str) -> AsyncIterator[World]:
    async with (
        new_database(clickhouse_url) as database,
        await connect(clickhouse_url, database) as clickhouse,
    ):
        for org, count in {"mine": 3, "theirs": 5, "operator": 2}.items():
            await insert(clickhouse, rows(org, count))
        tokens = TokenSettings(key=TOKENS.key, operator_org="operator")
        limits = LimitSettings(requests_per_second=100_000, burst=1_000_000)
        configured = settings(clickhouse_url, database, tokens=tokens, limits=limits)
        async with api(configured) as http:
            world = World(http, clickhouse)
            before = await world.ids()
            yield world
            assert await world.ids() == before, "an attack changed the tables"


def rows(org: str, count: int) -> list[dict[str, Any]]:
    """In the same places of each org, and one row that is in none."""
    marks = {"path": f"/of/{org}", "resource_type": org}
    times = [NOW - timedelta(seconds=n) for n in range(count)]
    return [*(row(org, time, **PLACE, **marks) for time in times), row(org, NOW, **marks)]


def check_answer(answer: httpx.Response, case: str) -> None:
    """What holds for every answer to whatever was asked."""
    assert answer.status_code < 500, f"{case}: {answer.status_code} {answer.text[:300]}"
    assert "x-injected" not in answer.headers, case
    for name, value in answer.headers.raw:
        assert not set(name + value) & set(b"\r\n\0"), f"{case}: {answer.headers}"
    for org in ("theirs", "operator"):
        assert f"/of/{org}" not in answer.text, case
    if answer.content:
        assert answer.headers["content-type"] == "application/json", case
        answer.json()


def total(answer: httpx.Response) -> int:
    body = answer.json()
    return int(body["total"] if "total" in body else body["total_requests"])


def check_cursor_refused(answer: httpx.Response, case: str) -> None:
    check_answer(answer, case)
    assert answer.status_code == 422, f"{case}: {answer.text[:300]}"
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["query", "cursor"], case
    # Bytes that are no text are refused as every parameter's are.
    assert error["type"] in ("cursor_invalid", "string_unicode"), case
    assert "activities" not in answer.text, case


@pytest.fixture(scope="module")
async def cursor(world: World) -> str:
    """A good one: it opens the second page."""
    page = await world.get(OWN)
    found: str = page.json()["next_cursor"]
    assert len(found) == TEXT
    assert total(await world.get(f"{OWN}&cursor={found}")) == 3
    return found


async def test_no_altered_cursor_is_good(world: World, cursor: str) -> None:
    sent = set()
    for name, alter in ALTERED.items():
        other = alter(cursor)
        assert other not in (cursor, cursor.encode()), name
        sent.add(other)
        check_cursor_refused(await world.get(f"{OWN}&cursor={quote(other, safe='')}"), name)
    assert len(sent) > 1_500


@pytest.mark.parametrize("target", REPLAYED)
async def test_no_cursor_is_good_elsewhere(world: World, cursor: str, target: str) -> None:
    who = REPLAYED[target]
    assert (await world.get(target, who)).status_code in (200, 404)
    more = f"{'&' if '?' in target else '?'}cursor={cursor}"
    check_cursor_refused(await world.get(target + more, who), target)


async def test_a_cursor_needs_its_reader(world: World, cursor: str) -> None:
    """The org and the token come first: the answer is as without a cursor."""
    for who, expected in (("reader of theirs", 404), ("another member", 403)):
        answer = await world.get(f"{OWN}&cursor={cursor}", who)
        check_answer(answer, who)
        assert answer.status_code == expected


async def test_the_limit_may_change(world: World, cursor: str) -> None:
    target = f"{OWN_PATH}?action=read&start_time=2020-01-01&limit=200&cursor={cursor}"
    assert len((await world.get(target)).json()["activities"]) == 2


def targets(path: str) -> list[tuple[str, str]]:
    """Every parameter of the endpoint with each value: what it is, and its target."""
    good, found = path.format_map(IDS), []
    for at, parameter in enumerate(OPERATIONS[path]["parameters"]):
        place, name = parameter["in"], parameter["name"]
        if place == "header":
            continue  # attacks_tokens.py, attacks_forms.py
        for n, (what, raw) in enumerate(INJECTED.items()):
            if is_tried(path, n + at):
                ids = path.format_map({**IDS, name: raw})
                target = ids if place == "path" else f"{good}?{name}={raw}"
                found.append((f"{what} for {name}", target))
    return found + [(f"{what} as a name", f"{good}?{raw}=1") for what, raw in NAMES.items()]


def is_tried(path: str, n: int) -> bool:
    """One in sixteen, others at each endpoint; all of them: `make attacks`."""
    mine = (n + list(OPERATIONS).index(path)) % 16 == 0
    return mine or "ACTIVITY_TEST_ALL_ATTACKS" in os.environ


@pytest.mark.parametrize("path", OPERATIONS)
async def test_nothing_injected_shows_a_row(world: World, path: str) -> None:
    assert total(await world.get(path.format_map(IDS))) >= 3
    gate = asyncio.Semaphore(4)

    async def attack(what: str, target: str) -> None:
        async with gate:
            answer = await world.get(target)
        check_answer(answer, f"{path}, {what}")
        if answer.status_code == 200:
            assert total(answer) == 0, f"{path}, {what}: {answer.text[:300]}"
        else:
            assert answer.status_code in (404, 422), f"{path}, {what}: {answer.text[:300]}"

    await asyncio.gather(*(attack(*one) for one in targets(path)))


@pytest.fixture(scope="module")
async def plain(world: World) -> dict[str, Any]:
    """The answer to the plain request."""
    found: dict[str, Any] = (await world.get(LIST)).json()
    assert found["total"] == 4
    return found


@pytest.mark.parametrize("name", FORMS)
async def test_no_odd_form_changes_an_answer(
    world: World, plain: dict[str, Any], name: str
) -> None:
    form = FORMS[name]
    headers = [(b"authorization", GOOD.encode())] * form.signed
    good = GOOD.encode()
    headers += [(key, value.replace(b"Bearer {good}", good)) for key, value in form.headers]
    target = form.target.replace("{good}", GOOD.removeprefix("Bearer "))
    request = world.client.build_request("GET", target, headers=headers, content=form.content)
    request.method = form.method  # httpx would write it in capitals
    answer = await world.client.send(request)
    check_answer(answer, name)
    assert answer.status_code == form.status, f"{answer.status_code} {answer.text[:300]}"
    if form.method == "HEAD":
        assert answer.content == b""
    elif form.status == 200:
        assert answer.json() == plain
        assert not any(key.startswith("access-control-") for key in answer.headers)
    else:
        assert "/of/" not in answer.text
        assert "evil" not in str(answer.headers)
