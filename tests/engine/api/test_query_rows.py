"""What is in a row comes out of the API as it went in, and valid."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_schemas.answers import Activity, ActivityPage
from tests.support.query import api, bearer, insert, insert_messages, row, settings

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
ODD = 'it\'s "odd" \\ \t\n\r / \x1e \x00 é 💥 </script> {x:String} %41 + #?'
FULL: dict[str, Any] = {
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "user_id": ODD,
    "workspace_id": "w",
    "app_id": "a",
    "endpoint_id": "e",
    "principal_type": "user",
    "principal_id": "p",
    "token_id": "t",
    "token_type": "jwt",
    "method": "POST",
    "path": "/v1/" + ODD,
    "resource_type": "app",
    "resource_id": "r",
    "action": "execute",
    "status_code": 503,
    "error_code": "TIMEOUT",
    "duration_ms": 12.345678901234567,
    "execution_id": "x",
    "augmentation_id": "g",
    "stages_completed": 0,
    "total_stages": 65535,
    "token_usage": {"total": 2**53 + 1, ODD: 0},
}
METADATA = (
    '{"text": "a \\u001e b \\"quoted\\" é", "null": null, "dots.in.key": {"a": [1, 2.50, 1e3]},\n'
    ' "big": 123456789012345678901234567890, "path": "\\/x\\/", "twice": 1, "twice": 2}'
)


@pytest.fixture
async def client(clickhouse_url: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The API over this test's database."""
    async with api(settings(clickhouse_url, database)) as client:
        yield client


async def one(client: httpx.AsyncClient, target: str = "activity") -> httpx.Response:
    """A page, checked against the answer's model and its order of fields."""
    response = await client.get(f"/v1/orgs/o/{target}", headers=bearer("o"))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    page = ActivityPage.model_validate_json(response.content, strict=True)
    assert len(page.activities) == 1
    assert list(response.json()) == list(ActivityPage.model_fields)
    assert list(response.json()["activities"][0]) == list(Activity.model_fields)
    return response


@pytest.mark.parametrize("written", [insert, insert_messages])
async def test_everything_filled(
    clickhouse: AsyncClient, client: httpx.AsyncClient, written: Any
) -> None:
    stored = row("o", NOW, **FULL, metadata=METADATA)
    await written(clickhouse, [stored])
    response = await one(client)
    activity = response.json()["activities"][0]
    shown = {name: value for name, value in FULL.items() if name != "endpoint_id"}
    assert {name: activity[name] for name in shown} == shown
    assert (activity["id"], activity["success"]) == (stored["id"], False)
    assert activity["timestamp"] == "2026-03-04T05:06:07.000089Z"
    assert METADATA in response.text, "as it was sent, to the letter"


@pytest.mark.parametrize("written", [insert, insert_messages])
async def test_nothing_filled(
    clickhouse: AsyncClient, client: httpx.AsyncClient, written: Any
) -> None:
    await written(clickhouse, [row("o", NOW)])
    activity = (await one(client)).json()["activities"][0]
    absent = [n for n, field in Activity.model_fields.items() if "None" in str(field.annotation)]
    assert [name for name, value in activity.items() if value is None] == absent
    assert (activity["token_usage"], activity["metadata"]) == ({}, {})
    assert (activity["success"], activity["duration_ms"]) == (True, 1)


async def test_metadata_that_is_no_json_spoils_no_page(
    clickhouse: AsyncClient, client: httpx.AsyncClient
) -> None:
    await insert(clickhouse, [row("o", NOW, metadata="{broken")])
    assert (await one(client)).json()["activities"][0]["metadata"] == {}


async def test_a_number_no_parser_takes_spoils_no_cursor(
    clickhouse: AsyncClient, client: httpx.AsyncClient
) -> None:
    huge = '{"n": ' + "9" * 400 + "}"
    await insert(clickhouse, [row("o", NOW, metadata=huge), row("o", NOW, metadata=huge)])
    response = await client.get("/v1/orgs/o/activity?limit=1", headers=bearer("o"))
    assert response.status_code == 200
    assert '"has_more":true' in response.text


async def test_rows_with_an_event_and_without_one(
    clickhouse: AsyncClient, client: httpx.AsyncClient
) -> None:
    """One page, one order; also of one id at one time, which may be there both ways."""
    rows = [row("o", NOW, **FULL, metadata=f'{{"n": {n}.0}}') for n in range(6)]
    rows.append(rows[0] | {"metadata": '{"n": 6.0}'})
    await insert_messages(clickhouse, rows[::2])
    await insert(clickhouse, rows[1::2])
    response = await client.get("/v1/orgs/o/activity", headers=bearer("o"))
    found = response.json()["activities"]
    assert response.json()["total"] == len(found) == 7
    assert sorted(one["metadata"]["n"] for one in found) == list(range(7))
    # An id's order is that of its second half.
    assert [one["id"] for one in found] == sorted(
        (one["id"] for one in rows), key=lambda id_: UUID(id_).int & (1 << 64) - 1, reverse=True
    )
    assert {tuple(one) for one in found} == {tuple(Activity.model_fields)}
    alike = [{**one, "id": "", "metadata": {}} for one in found]
    assert all(one == alike[0] for one in alike)


async def test_an_event_that_cannot_be_read_is_shown_by_its_columns(
    clickhouse: AsyncClient, client: httpx.AsyncClient
) -> None:
    """Nobody writes one; a mutation of an operator's might."""
    for event in ("{", "5", '{"status_code":"x"}', '{"status_code":200,"metadata":{"a":NaN}}'):
        await insert(clickhouse, [row("o", NOW, user_id="u", event=event)])
    response = await client.get("/v1/orgs/o/activity", headers=bearer("o"))
    assert [one["user_id"] for one in response.json()["activities"]] == ["u"] * 4


async def test_odd_values_are_values(clickhouse: AsyncClient, client: httpx.AsyncClient) -> None:
    """Nothing of what a caller sends is read as SQL, as a pattern, or cut short."""
    await insert(clickhouse, [row("o", NOW, **FULL), row("o", NOW, user_id=ODD + "x")])
    odd = str(httpx.QueryParams({"user_id": ODD}))
    await one(client, f"workspaces/w/activity/search?{odd}")
    for value in ("' OR 1=1 --", "%", "\\", "\\'", "{org_id:String}", "\x00", "NULL", "\\N"):
        asked = str(httpx.QueryParams({"user_id": value}))
        target = f"/v1/orgs/o/workspaces/w/activity/search?{asked}"
        response = await client.get(target, headers=bearer("o"))
        assert (response.status_code, response.json()["total"]) == (200, 0), value


async def test_bounds_in_all_their_forms(
    clickhouse: AsyncClient, client: httpx.AsyncClient
) -> None:
    await insert(clickhouse, [row("o", NOW)])
    for bounds in (
        "start_time=2026-03-04T05:06:07.000089Z",
        "start_time=2026-03-04T05:06:07.000089",  # naive: UTC
        "start_time=2026-03-04T07:06:07.000089%2B02:00",
        "start_time=2026-03-04T07:06:07.000089+02:00",  # a `+` that was not escaped
        "start_time=2026-03-04",
        "start_time=20260304T050607Z",
        "end_time=2026-03-04T05:06:07.000090Z",
        "end_time=2026-03-04T00:06:07.000090-05:00",
        "start_time=2026-W10-3%2005:06:07.000089z",
        "end_time=20260304T070607,0000891 02",  # finer than an event's: rounded up
        "start_time=&end_time=&cursor=",
    ):
        await one(client, f"activity?{bounds}")
    for bounds in (
        "end_time=2026-03-04T05:06:07.000089Z",
        "start_time=2026-03-04T05:06:07.000090Z",
        "end_time=2026-03-04T05:06:07Z",
        "start_time=2026-03-04T05:06:07.0000891Z",
        "start_time=2026-03-04T05:06:07.000089Z&end_time=2026-03-04T05:06:07.000089",
        "start_time=1950-01-01&end_time=1960-01-01T24:00",  # before all that can be
    ):
        response = await client.get(f"/v1/orgs/o/activity?{bounds}", headers=bearer("o"))
        assert response.json()["total"] == 0
