"""The feed in tests: partitions that are written as the consumer writes them, and readers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.record import TopicPartition
from activity_consume.sink.settled_offsets import SettledOffsets
from tests.support.query import Row, bearer, insert, row

TOPIC = "activity.events.v1"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def at(org_id: str, partition: int, offset: int, **fields: Any) -> Row:
    """A row at a place; `path` tells which one it is."""
    place = {"_topic": TOPIC, "_partition": partition, "_offset": offset}
    timestamp = fields.pop("at", NOW)
    return row(org_id, timestamp, **{**place, "path": f"/{partition}/{offset}", **fields})


async def settle(clickhouse: AsyncClient, offsets: Mapping[int, int], topic: str = TOPIC) -> None:
    """All below these offsets of the topic's partitions is in the table."""
    places = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    await SettledOffsets(clickhouse).tell(places)


async def write(clickhouse: AsyncClient, *rows: Row) -> None:
    """Rows that are settled at once."""
    await insert(clickhouse, rows)
    ends: dict[str, dict[int, int]] = {}
    for one in rows:
        of = ends.setdefault(one["_topic"], {})
        of[one["_partition"]] = max(of.get(one["_partition"], 0), one["_offset"] + 1)
    for topic, offsets in ends.items():
        await settle(clickhouse, offsets, topic)


async def page(client: httpx.AsyncClient, org_id: str = "o", **parameters: Any) -> dict[str, Any]:
    """One page of the feed."""
    url = f"/v1/orgs/{org_id}/activity/feed"
    response = await client.get(url, params=parameters, headers=bearer(org_id))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def pages(
    client: httpx.AsyncClient, org_id: str = "o", **parameters: Any
) -> tuple[list[str], str]:
    """The paths of all events after a place, and the last cursor."""
    paths: list[str] = []
    while True:
        found = await page(client, org_id, **parameters)
        paths += [one["path"] for one in found["activities"]]
        parameters["after"] = found["next_cursor"]
        if not found["has_more"]:
            return paths, found["next_cursor"]
