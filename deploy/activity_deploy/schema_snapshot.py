"""`python -m activity_deploy.schema_snapshot` prints schemas/activity_schemas/tables.json: the
tables of a fresh database on the local engine."""

import asyncio

from activity_deploy.catalog.engine import empty_engine
from activity_deploy.migration_run import describe, migrate
from activity_schemas.tables import to_json


async def snapshot() -> str:
    """Starts an engine, and stops it."""
    async with empty_engine() as client:
        await migrate(client, "activity")
        return to_json(await describe(client, "activity"))


if __name__ == "__main__":
    print(asyncio.run(snapshot()), end="")
