"""`python -m activity_deploy.migrate`: apply migrations/NNNN_name.sql in order, each once."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from pydantic import ValidationError

from activity_consume.settings import ClickHouseSettings
from activity_deploy.errors import first_line
from activity_deploy.migration_files import MigrationError, read, statements
from activity_deploy.migration_run import drift, migrate, pending


@asynccontextmanager
async def _connected(settings: ClickHouseSettings) -> AsyncIterator[AsyncClient]:
    url = urlsplit(settings.url)
    try:
        place = f"{url.hostname}:{url.port}" if url.port else url.hostname
    except ValueError:
        place = None
    if url.scheme not in ("http", "https") or place is None:
        # clickhouse_connect would take such a text for localhost.
        raise MigrationError("ACTIVITY_CLICKHOUSE_URL is not http://host:port or https://...")
    try:
        client = await clickhouse_connect.get_async_client(
            dsn=settings.url,
            interface=url.scheme,
            autogenerate_session_id=False,
            **settings.login(),
        )
    except OperationalError as error:
        raise MigrationError(
            f"no ClickHouse at {place} ({first_line(error)});"
            " start it or set ACTIVITY_CLICKHOUSE_URL"
        ) from error
    try:
        yield client
    finally:
        await client.close()


async def _migrate(settings: ClickHouseSettings) -> int:
    async with _connected(settings) as client:
        applied = await migrate(client, settings.database, cluster=settings.cluster or "")
        different = await drift(client, settings.database)
    for label in applied:
        print(f"migrate: applied {label}")
    if not applied and not different:
        print(f"migrate: database {settings.database} is up to date")
    return _say_drift(settings.database, different)


async def _look(settings: ClickHouseSettings, *, plan: bool) -> int:
    async with _connected(settings) as client:
        waiting = await pending(client, settings.database)
        known = len(read())
        different = await drift(client, settings.database) if len(waiting) < known else []
    for migration in waiting:
        print(f"migrate: {'would apply' if plan else 'not applied:'} {migration.label}")
        for statement in statements(migration.sql) if plan else ():
            print(f"{statement};\n")
    if waiting and different:
        different = []  # of what is not applied nothing else can be said
    status = _say_drift(settings.database, different)
    if not waiting and not different:
        print(f"migrate: database {settings.database} is up to date")
    return 0 if plan else max(status, int(bool(waiting)))


def _say_drift(database: str, different: list[str]) -> int:
    for line in different:
        print(f"migrate: drift in database {database}: {line}", file=sys.stderr)
    if different:
        print(
            "migrate: the tables are not as this release's migrations make them; see"
            " docs/runbook.md, ActivitySchemaDrift",
            file=sys.stderr,
        )
    return int(bool(different))


def migrate_database(*, plan: bool = False, check: bool = False) -> int:
    """Migrate the database of the settings, one line for each migration; the exit status: 0, or 1
    for an error or a drift. `plan`: show what would be done, and do nothing. `check`: 0 only where
    there is nothing to be done, and nothing has drifted."""
    try:
        settings = ClickHouseSettings()
        work = _look(settings, plan=plan) if plan or check else _migrate(settings)
        return asyncio.run(work)
    except (MigrationError, ClickHouseError) as error:
        print(f"migrate: {first_line(error)}", file=sys.stderr)
        return 1


def main() -> int:
    """`python -m activity_deploy.migrate`; the exit status. `--help` migrates nothing."""
    parser = argparse.ArgumentParser(prog="python -m activity_deploy.migrate", description=__doc__)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--plan", action="store_true", help="show what would be done; do nothing")
    ways.add_argument("--check", action="store_true", help="1 where something is to be done")
    asked = parser.parse_args()
    try:
        return migrate_database(plan=asked.plan, check=asked.check)
    except ValidationError as error:
        words = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
        print(f"migrate: {words}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
