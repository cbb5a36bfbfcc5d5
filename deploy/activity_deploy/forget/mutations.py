"""Deleting for good: a mutation writes the parts anew, with their projections, without the rows.

A plain DELETE is refused where there are projections (code 344), and would only hide the rows.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.errors import UserError

_POLL_SECONDS = 0.1
# The engine tries again by itself; so long it may.
_PATIENCE_SECONDS = 60.0
_RUNNING = (
    "SELECT count(), sum(parts_to_do), anyLastIf(latest_fail_reason, latest_fail_reason != '')"
    " FROM system.mutations"
    " WHERE database = currentDatabase() AND table = {t:String} AND NOT is_done"
)


async def delete(
    client: AsyncClient, table: str, where: str, parameters: Mapping[str, Any], within: str = ""
) -> None:
    """Asks for it; `finished` waits. `within`: `IN PARTITION ...`."""
    await client.command(
        f"ALTER TABLE {table} DELETE {within} WHERE {where}",
        parameters=dict(parameters),
        settings={"mutations_sync": 0},
    )


async def finished(client: AsyncClient, table: str) -> None:
    """Until no mutation of the table runs: the rows are gone from all active parts, and from all
    replicas. Raises UserError where the engine cannot do it."""
    failing_since: float | None = None
    while True:
        [[running, parts, failure]] = (await client.query(_RUNNING, {"t": table})).result_rows
        if not running:
            return
        now = time.monotonic()
        failing_since = (failing_since or now) if failure else None
        if failing_since is not None and now - failing_since > _PATIENCE_SECONDS:
            raise UserError(
                f"ClickHouse cannot erase rows of {table} ({parts} parts to do):"
                f" {' '.join(failure.split())[:300]}; it goes on trying: run the command again"
            )
        await asyncio.sleep(_POLL_SECONDS)
