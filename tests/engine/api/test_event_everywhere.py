"""A message that was sent is the same in a list, in the feed and in an export, whatever it looks
like; and the filters that read it find what Python finds."""

import csv
import functools
import io
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pyarrow.parquet
import pytest

from activity_api.auth.caller import EXPORT, READ
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.validation.validate import ValidEvent, validate
from activity_schemas.answers import Activity
from activity_schemas.event import ActivityEvent
from tests.support.any_event import generated
from tests.support.clickhouse import connect, new_database
from tests.support.feed import TOPIC, settle
from tests.support.odd_messages import ODD
from tests.support.query import api, bearer, paginate, settings
from tests.support.records import FAR, row

_ANY = 60


def _written_otherwise(event: ActivityEvent) -> bytes:
    """By another producer: another order, escapes, spaces, a field that nobody knows."""
    fields = json.loads(event.to_json())
    id_ = str(uuid4())
    fields |= {"id": f"{id_[:14]}7{id_[15:]}", "unknown": [{"trace_id": "no"}]}
    return json.dumps(dict(reversed(fields.items())), indent=1).encode()


@functools.cache
def messages() -> list[bytes]:
    odd = [value for value in ODD.values() if isinstance(validate(value, FAR), ValidEvent)]
    events = [one.model_copy(update={"org_id": "o"}) for one in generated(_ANY)]
    return [*odd, *(one.to_json() for one in events), *map(_written_otherwise, events)]


@pytest.fixture(scope="module")
async def client(clickhouse_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        new_database(clickhouse_url) as database,
        await connect(clickhouse_url, database) as clickhouse,
        api(settings(clickhouse_url, database)) as made,
    ):
        sink = ClickHouseSink(clickhouse)
        rows = [row(offset, value) for offset, value in enumerate(messages())]
        await sink.insert(TopicPartition(TOPIC, 0), 0, await sink.now_ms() + 60_000, rows)
        await settle(clickhouse, {0: len(rows)})
        yield made


@pytest.fixture(scope="module")
def events() -> dict[str, list[ActivityEvent]]:
    """What was sent, by org."""
    found = defaultdict(list)
    for value in messages():
        event = ActivityEvent.model_validate_json(value)
        found[event.org_id].append(event)
    return found


async def listed(client: httpx.AsyncClient, org_id: str) -> list[dict[str, Any]]:
    return await paginate(
        client, f"/v1/orgs/{quote(org_id, safe='')}/activity", bearer(org_id), 100
    )


async def fed(client: httpx.AsyncClient, org_id: str) -> list[dict[str, Any]]:
    url = f"/v1/orgs/{quote(org_id, safe='')}/activity/feed"
    answer = await client.get(url, params={"limit": 1000}, headers=bearer(org_id))
    found: list[dict[str, Any]] = answer.json()["activities"]
    return found


async def exported(client: httpx.AsyncClient, org_id: str, **asked: Any) -> bytes:
    url = f"/v1/orgs/{quote(org_id, safe='')}/activity/export"
    who = bearer(org_id, permissions=(READ, EXPORT))
    answer = await client.get(url, params=asked, headers=who)
    assert answer.status_code == 200, answer.text
    return answer.content


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {one["id"]: one for one in rows}
    assert len(found) == len(rows)
    return found


async def test_list_feed_and_export_show_the_same(
    client: httpx.AsyncClient, events: dict[str, list[ActivityEvent]]
) -> None:
    assert len(events["o"]) > 30
    for org_id, sent in events.items():
        shown = by_id(await listed(client, org_id))
        assert shown.keys() == {str(one.id) for one in sent}
        found = by_id(await fed(client, org_id))
        assert found.keys() == shown.keys()
        for id_, one in shown.items():
            assert found[id_] == one
        lines = (await exported(client, org_id)).splitlines()[:-1]
        assert by_id([json.loads(line) for line in lines]) == shown
        assert all([*json.loads(line)] == [*Activity.model_fields] for line in lines)


async def test_the_files_of_columns_have_the_same(client: httpx.AsyncClient) -> None:
    shown = by_id(await listed(client, "o"))
    parquet = io.BytesIO(await exported(client, "o", format="parquet"))
    rows = by_id(pyarrow.parquet.read_table(parquet).to_pylist())
    text = (await exported(client, "o", format="csv")).decode().rsplit("\r\n", 2)[0]
    cells = by_id([*csv.DictReader(io.StringIO(text, newline=""))])
    assert rows.keys() == cells.keys() == shown.keys()
    for id_, one in shown.items():
        for name in ("trace_id", "token_id", "path", "execution_id", "user_id", "action"):
            assert rows[id_][name] == one[name]
            cell = cells[id_][name].replace("\x1e", "")
            # A quote stands in front of what would be a formula.
            assert cell.removeprefix("'") == (one[name] or "").replace("\x1e", "").removeprefix("'")
        for found in (rows, cells):
            assert json.loads(found[id_]["metadata"]) == one["metadata"]


@pytest.mark.parametrize("name", ["trace_id", "execution_id"])
async def test_what_is_only_in_the_event_is_found(
    client: httpx.AsyncClient, events: dict[str, list[ActivityEvent]], name: str
) -> None:
    """By each value that there is, as other JSON writes it, too; and by none of them."""
    given = {getattr(one, name) or "\0" for one in events["o"]}
    values = sorted(value for value in given if "\0" not in value)  # which cannot be asked for
    assert any("\\" in json.dumps(value) for value in values)
    for excluded in ("", "not_"):
        for some in (values[:1], values[-1:], values[:90]):
            lines = (await exported(client, "o", **{f"{excluded}{name}": some})).splitlines()[:-1]
            expected = {
                str(one.id)
                for one in events["o"]
                if ((getattr(one, name) or "") in some) != bool(excluded)
            }
            assert by_id([json.loads(line) for line in lines]).keys() == expected
