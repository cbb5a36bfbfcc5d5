"""The event's own column: what a page shows of it is what was sent; rows of before stay."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page, rows_by_columns
from activity_api.queries.page_rows import Rows
from activity_consume.batching.rows import Row
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.validation.validate import ValidEvent, validate
from activity_deploy.forget.erase import Eraser
from activity_deploy.migration_files import read
from activity_deploy.migration_run import migrate
from activity_schemas.answers import Activity
from activity_schemas.event import ActivityEvent
from tests.support.any_event import generated
from tests.support.clickhouse import connect
from tests.support.consumer import event as written
from tests.support.consumer import message
from tests.support.forget import AT_ONCE, places, silent
from tests.support.odd_messages import ODD, odd
from tests.support.query import insert, row
from tests.support.records import FAR
from tests.support.records import row as sent

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SOURCE = TopicPartition("events", 3)
COLD = "trace_id, token_id, path, execution_id, metadata"


async def page(clickhouse: AsyncClient, org_id: str) -> list[dict[str, Any]]:
    """As the API does it; rows without an event by a second statement."""
    filter_ = ActivityFilter(org_id=org_id)
    first = first_page(filter_, 100)
    rows = Rows.of_first_page(await clickhouse.raw_query(first.sql, parameters=first.parameters))
    if missing := rows.found.missing:
        more = rows_by_columns(filter_, missing)
        rows.found.fill(await clickhouse.raw_query(more.sql, parameters=more.parameters))
    found: list[dict[str, Any]] = json.loads(rows.to_json(100, b"key", filter_))["activities"]
    return found


def shown(event: ActivityEvent) -> dict[str, Any]:
    """What a page shows of an event."""
    fields = event.model_dump()
    fields["id"] = str(event.id)
    fields["timestamp"] = event.timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {name: fields[name] for name in Activity.model_fields}


async def put(clickhouse: AsyncClient, rows: Sequence[Row]) -> None:
    sink = ClickHouseSink(clickhouse)
    await sink.insert(SOURCE, 0, await sink.now_ms() + 60_000, rows)


async def test_what_a_page_shows_is_what_was_sent(clickhouse: AsyncClient) -> None:
    """Odd ones, any ones, and any ones as other producers write them."""
    values = [value for value in ODD.values() if isinstance(validate(value, FAR), ValidEvent)]
    for event in generated(60):
        fields = json.loads(event.to_json())
        values.append(event.to_json())
        again = fields | {"id": str(uuid4()), "unknown": [{}]}
        again["id"] = again["id"][:14] + "7" + again["id"][15:]
        values.append(json.dumps(dict(reversed(again.items())), indent=1).encode())
    await put(clickhouse, [sent(offset, value) for offset, value in enumerate(values)])
    expected: dict[str, list[dict[str, Any]]] = {}
    for value in values:
        event = ActivityEvent.model_validate_json(value)
        expected.setdefault(event.org_id, []).append(shown(event))
    for org_id, events in expected.items():
        found = await page(clickhouse, org_id)
        by_id = {one["id"]: one for one in events}
        assert len(found) == min(len(events), 101 - 1)
        for one in found:
            assert one == by_id[one["id"]]
            assert list(one) == list(Activity.model_fields)


async def test_an_events_first_fields_are_kept_once(clickhouse: AsyncClient) -> None:
    """Of one that begins as the emitter's do; else it is kept as it came."""
    plain = generated(1)[0].model_copy(update={"org_id": "o"}).to_json()
    other = odd(org_id='"o"')
    await put(clickhouse, [sent(0, plain), sent(1, other)])
    found = await clickhouse.query("SELECT event FROM events ORDER BY _offset")
    assert [one.encode() for (one,) in found.result_rows] == [
        b"{" + plain[plain.index(b'"org_id"') :],
        other,
    ]


@pytest.mark.parametrize("message", ["", "no JSON", "{}", '{"id":5}', odd(id='"x"').decode()])
async def test_what_is_no_event_is_no_empty_row(clickhouse: AsyncClient, message: str) -> None:
    if not message:  # as a row without an event
        message = " "
    with pytest.raises(DatabaseError, match="UUID"):
        await clickhouse.command(
            "INSERT INTO events (message, _lease) SELECT {m:String}, now64(3) + 60",
            parameters={"m": message},
        )


@pytest.fixture
async def old(clickhouse_url: str) -> AsyncIterator[AsyncClient]:
    """A client of a database as the release before had it."""
    name = f"test_{uuid4().hex}"
    async with await connect(clickhouse_url, "default") as client:
        await migrate(client, name, [one for one in read() if one.version < 17])
        async with await connect(clickhouse_url, name) as bound:
            yield bound
        await client.command(f"DROP DATABASE {name} SYNC")


async def test_rows_of_before_stay_as_they_were(old: AsyncClient) -> None:
    fields = {
        **{"user_id": "u", "trace_id": "t", "token_id": "k", "path": "/p", "execution_id": "x"},
        **{"metadata": '{"a": 1.50,"model":"m"}', "token_usage": {"total": 3}, "status_code": 404},
    }
    before = [row("o", NOW, **fields), row("o", NOW)]
    await insert(old, before, renamed=False)
    was = await old.query(f"SELECT {COLD} FROM events ORDER BY id")
    database = str(await old.command("SELECT currentDatabase()"))
    await migrate(old, database)
    assert (await old.query(f"SELECT {COLD} FROM events ORDER BY id")).result_rows == (
        was.result_rows
    )
    new = {"org_id": "o", "timestamp": NOW, "metadata": {"model": "n"}}
    event = generated(1)[0].model_copy(update=new)
    await put(old, [sent(0, event.to_json())])
    for _ in range(2):
        found = {one["id"]: one for one in await page(old, "o")}
        assert len(found) == 3
        assert found[str(event.id)] == shown(event)
        full, empty = (found[one["id"]] for one in before)
        assert {name: full[name] for name in fields if name != "metadata"} == {
            name: value for name, value in fields.items() if name != "metadata"
        }
        assert full["metadata"] == {"a": 1.5, "model": "m"}
        assert (empty["path"], empty["trace_id"], empty["metadata"]) == ("/", None, {})
        models = await old.query("SELECT model FROM events ORDER BY model")
        assert models.result_rows == [("",), ("m",), ("n",)]
        # And once more when old and new rows are in one part.
        await old.command("OPTIMIZE TABLE events FINAL")


async def test_rows_column_by_column_are_rows(clickhouse: AsyncClient) -> None:
    """A backfill of somebody's own; what has no column of its own any more has one with a `_`."""
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, _trace_id, status_code, _lease)"
        " SELECT generateUUIDv7(), now64(6), 'o', 't', 204, now64(3) + 60"
    )
    [found] = await page(clickhouse, "o")
    assert (found["trace_id"], found["status_code"], found["success"]) == ("t", 204, True)
    result = await clickhouse.query("SELECT trace_id, metadata, event FROM events")
    assert result.result_rows == [("t", "{}", "")]


async def test_a_user_is_gone_from_what_was_sent_too(
    clickhouse: AsyncClient, clickhouse_url: str, database: str, tmp_path: Path
) -> None:
    """The column `event` holds the message as it came, fields that no column has among them."""
    rows = [
        sent(n, message(written(user_id=user, path=f"/{user}", unknown=user)))
        for n, user in enumerate(("adele", "bob", "adele"))
    ]
    await put(clickhouse, rows)
    told = "SELECT countIf(position(event, 'adele') > 0) FROM events"
    assert int(str(await clickhouse.command(told))) == 2
    eraser = Eraser(places(clickhouse, clickhouse_url, database, tmp_path), AT_ONCE, silent)
    await eraser.erase(await eraser.plan("acme", "adele", None), "", "me")
    assert int(str(await clickhouse.command(told))) == 0
    left = await clickhouse.query("SELECT user_id, path, event LIKE '%\"bob\"%' FROM events")
    assert left.result_rows == [("bob", "/bob", 1)]
