"""An export as Parquet: a file with its footer, of bounded rows."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pyarrow.parquet
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.auth.caller import EXPORT, READ
from activity_api.settings import ExportSettings
from tests.support.feed import NOW, at
from tests.support.query import api, bearer, insert, paginate, settings

URL = "/v1/orgs/o/activity/export"


@pytest.fixture
async def client(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> AsyncIterator[httpx.AsyncClient]:
    async with api(settings(clickhouse_url, database)) as made:
        yield made


def who() -> dict[str, str]:
    return bearer("o", permissions=(READ, EXPORT))


async def test_parquet(client: httpx.AsyncClient, clickhouse: AsyncClient) -> None:
    await insert(clickhouse, [at("o", 0, n, user_id="u" if n % 2 else "") for n in range(40)])
    response = await client.get(URL, params={"format": "parquet"}, headers=who())
    assert response.status_code == 200, response.text
    table = pyarrow.parquet.read_table(io.BytesIO(response.content))
    listed = await paginate(client, "/v1/orgs/o/activity", who(), 200)
    assert table.column_names == list(listed[0])
    assert table["id"].to_pylist() == [one["id"] for one in listed[::-1]]
    assert table["user_id"].to_pylist() == [one["user_id"] for one in listed[::-1]]
    with pytest.raises(pyarrow.ArrowInvalid):  # a cut one has no footer
        pyarrow.parquet.read_table(io.BytesIO(response.content[:-1]))
    for parameters in ({"limit": 5}, {"cursor": "x"}):
        query: dict[str, Any] = {"format": "parquet", **parameters}
        refused = await client.get(URL, params=query, headers=who())
        assert refused.status_code == 400


async def test_more_than_a_parquet_file_may_have(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """The answer says so before anything is sent, and what to do; the parts it names are given."""
    await insert(clickhouse, [at("o", 0, n, at=NOW + timedelta(hours=n)) for n in range(6)])
    few = settings(clickhouse_url, database, export=ExportSettings(parquet_rows=4))
    async with api(few) as client:
        response = await client.get(URL, params={"format": "parquet"}, headers=who())
        assert response.status_code == 422
        [detail] = response.json()["detail"]
        assert detail["type"] == "query_too_large"
        assert "at most 4 rows and this would have 6" in detail["msg"]
        found = []
        for start, end in (("2026-03-04", "2026-03-04T08:00:00Z"), ("2026-03-04T08:00:00Z", None)):
            query = {"format": "parquet", "start_time": start} | ({"end_time": end} if end else {})
            response = await client.get(URL, params=query, headers=who())
            found += pyarrow.parquet.read_table(io.BytesIO(response.content))["path"].to_pylist()
        assert found == [f"/0/{n}" for n in range(6)]
