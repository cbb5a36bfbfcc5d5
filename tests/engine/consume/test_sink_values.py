"""What validate() accepts the engine takes, and gives back as the event's model has read it."""

import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.batching.rows import Row
from activity_consume.errors import InsertError, InsertFailure
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.validation.validate import ValidEvent, validate
from activity_schemas.event import ActivityEvent
from tests.support.any_event import generated
from tests.support.odd_messages import ODD
from tests.support.records import FAR, Message, refused_row, row

SOURCE = TopicPartition("events", 3)


async def test_odd_messages(clickhouse: AsyncClient) -> None:
    accepted = [row(offset, value) for offset, value in enumerate(ODD.values()) if _accepted(value)]
    await _come_back(clickhouse, accepted)


async def test_any_events(clickhouse: AsyncClient) -> None:
    events = generated(120)
    await _come_back(
        clickhouse, [row(offset, event.to_json()) for offset, event in enumerate(events)]
    )


async def test_any_events_without_their_canonical_form(clickhouse: AsyncClient) -> None:
    """Spaces, escapes, unknown fields, names in another order: other producers' JSON."""
    rows = []
    for offset, event in enumerate(generated(120)):
        fields = json.loads(event.to_json()) | {"unknown": [{}]}
        turned = dict(reversed(fields.items()))
        rows.append(row(offset, json.dumps(turned, indent=1).encode()))
    await _come_back(clickhouse, rows)


async def test_what_the_engine_refuses(clickhouse: AsyncClient) -> None:
    """The batch is refused as a whole, and as data: so the culprit is looked for."""
    sink = ClickHouseSink(clickhouse)
    with pytest.raises(InsertError) as refused:
        rows = [row(1), refused_row(2), row(3)]
        await sink.insert(SOURCE, 1, await sink.now_ms() + 60_000, rows)
    assert refused.value.failure is InsertFailure.REJECTED
    assert await sink.existing_offsets(SOURCE, 0) == set()


def _accepted(value: bytes) -> bool:
    return isinstance(validate(value, FAR), ValidEvent)


async def _come_back(clickhouse: AsyncClient, rows: list[Row]) -> None:
    sink = ClickHouseSink(clickhouse)
    await sink.insert(SOURCE, 0, await sink.now_ms() + 60_000, rows)
    columns = ", ".join((*ActivityEvent.model_fields, "success", "tokens", "_offset"))
    result = await clickhouse.query(
        f"SELECT {columns} FROM events ORDER BY _offset", query_tz="UTC", tz_mode="aware"
    )
    found = list(result.named_results())
    assert [one["_offset"] for one in found] == [one.offset for one in rows]
    for one, stored in zip(rows, found, strict=True):
        _same(one, stored)


def _same(message: Message | Any, stored: dict[str, Any]) -> None:
    assert message.value is not None
    event = ActivityEvent.model_validate_json(message.value)
    expected = event.model_dump()
    assert isinstance(expected, dict)
    # As it was sent, byte for byte: in the message it stands behind its name.
    metadata = stored.pop("metadata")
    assert json.loads(metadata) == expected.pop("metadata")
    assert metadata == "{}" or metadata.encode() in message.value
    assert stored.pop("timestamp").astimezone(UTC) == expected.pop("timestamp")
    assert stored.pop("tokens") == _tokens(event.token_usage.items())
    for name, value in expected.items():
        absent = None if name.endswith(("stages", "stages_completed")) else ""
        assert stored[name] == (absent if value is None else value), name


def _tokens(usage: Iterable[tuple[str, int]]) -> int:
    counts = dict(usage)
    return counts.get("total", sum(counts.values()))
