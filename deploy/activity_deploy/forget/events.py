"""The rows of the table `events` that are to be forgotten, and their numbers."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.erasure.rules import time_of
from activity_consume.erasure.scope import Scope, as_text
from activity_consume.settings import ConsumerSettings
from activity_deploy.forget.mutations import delete, finished

_POLL_SECONDS = 0.1
# An insert's `log_comment`, see ClickHouseSink.
_INSERTING = (
    "SELECT count() FROM system.processes WHERE startsWith(Settings['log_comment'], 'activity ')"
    " AND query_kind = 'Insert'"
)


class Events:
    """Everything raises ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def bound(self, org_id: str, user_id: str) -> datetime:
        """Now, by the engine's clock; later if rows of these have times ahead of it."""
        where, values = Scope(org_id, user_id, _EVER).where()
        result = await self._client.query(
            "SELECT toUnixTimestamp64Micro(greatest(now64(6),"  # noqa: S608
            f" max(timestamp) + INTERVAL 1 MICROSECOND)) FROM events WHERE {where}",
            values,
        )
        return time_of(int(result.result_rows[0][0]))

    async def count(self, where: str, parameters: Mapping[str, Any]) -> int:
        result = await self._client.query(
            f"SELECT count() FROM events WHERE {where}",  # noqa: S608 - placeholders
            dict(parameters),
        )
        return int(result.result_rows[0][0])

    async def mentions(self, scope: Scope) -> int:
        """Rows of others that have the user's id somewhere in path or metadata."""
        result = await self._client.query(
            "SELECT count() FROM events WHERE org_id = {org:String}"
            " AND timestamp < {before:DateTime64(6, 'UTC')}"
            " AND (position(path, {user:String}) > 0 OR position(metadata, {user:String}) > 0)",
            {"org": scope.org_id, "user": scope.user_id, "before": as_text(scope.before)},
        )
        return int(result.result_rows[0][0])

    async def wait_until_known(self, settings: ConsumerSettings) -> None:
        """Until nothing that is on the list now can arrive any more: each consumer's list is
        younger (delivery/erasure_gate.py), and what was on its way has ended."""
        await asyncio.sleep(settings.erasures_refresh_s + settings.session_timeout_s)
        while (await self._client.query(_INSERTING)).result_rows[0][0]:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    async def mark(self, where: str, parameters: Mapping[str, Any], *, expired: bool) -> None:
        """Before they are deleted: their numbers, and what they prove of the partitions they came
        from. May be said again."""
        values = dict(parameters)
        await self._client.command(
            "INSERT INTO erased_sequences (producer_id, seq, expired, at)"  # noqa: S608
            f" SELECT producer_id, seq, {expired}, toDateTime(timestamp)"
            f" FROM events WHERE {where}",
            parameters=values,
            settings={"async_insert": 0},
        )
        await self._client.command(
            "INSERT INTO erased_progress (topic, partition, base_offset, last_offset)"  # noqa: S608
            " SELECT _topic, _partition, max(_base_offset), max(_offset)"
            f" FROM events WHERE {where} GROUP BY _topic, _partition",
            parameters=values,
            settings={"async_insert": 0},
        )

    async def delete(self, where: str, parameters: Mapping[str, Any]) -> None:
        """Returns when they are gone. Raises UserError where the engine cannot do it."""
        await delete(self._client, "events", where, parameters)
        await finished(self._client, "events")


_EVER = datetime(2299, 1, 1, tzinfo=UTC)
