"""Applying migrations/NNNN_name.sql in order, each once; and how a database differs from them."""

import asyncio
import time
from collections.abc import Sequence

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.exceptions import DatabaseError

from activity_deploy.cluster import Cluster, RenderError
from activity_deploy.errors import first_line
from activity_deploy.migration_files import Migration, MigrationError, read, statements
from activity_deploy.migration_lock import MigrationLock
from activity_deploy.migration_steps import IS_THERE, Steps
from activity_schemas import tables
from activity_schemas.tables import Tables

# ReplacingMergeTree: two migrations at once may both write the same row.
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version    UInt32,
    name       String,
    checksum   String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY version
"""


async def migrate(
    client: AsyncClient,
    database: str,
    migrations: Sequence[Migration] | None = None,
    patience: float = 5.0,
    cluster: str = "",
) -> list[str]:
    """Create `database` if it is missing and apply what it does not have; the labels applied.

    `cluster`: on all its nodes (activity_deploy/cluster.py); '' is one node.

    `client` may be bound to any database. One process at a time: others wait until it is done or
    dead. ClickHouse has no transactions, so each statement is recorded: a run that was cut off is
    gone on with. `patience`: seconds to wait for a process of an older release, which takes no
    lock. Raises MigrationError, and ClickHouseError where the engine is away.
    """
    wanted = read() if migrations is None else migrations
    nodes = Cluster(cluster, database) if cluster else None
    await client.command(
        nodes.create_database()
        if nodes
        else f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}"
    )
    await _run(client, database, nodes, _TABLE)
    await _check_kind(client, database, nodes)
    applied = await _applied(client, database)
    _check(wanted, applied, database)
    if all(migration.version in applied for migration in wanted):
        return []
    async with MigrationLock(client, database) as lock:
        applied = await _applied(client, database)
        steps = await Steps.of(client, database)
        done = []
        for migration in wanted:
            lock.check()
            if migration.version not in applied and await _apply(
                client, database, migration, steps, patience, nodes=nodes
            ):
                done.append(migration.label)
        return done


async def pending(
    client: AsyncClient, database: str, migrations: Sequence[Migration] | None = None
) -> list[Migration]:
    """What `migrate` would apply; changes nothing. Raises as `migrate` does."""
    wanted = read() if migrations is None else migrations
    there = await client.query(
        "SELECT count() FROM system.tables WHERE database = {d:String} AND name = {t:String}",
        {"d": database, "t": "schema_migrations"},
    )
    applied = await _applied(client, database) if there.result_rows[0][0] else {}
    _check(wanted, applied, database)
    return [migration for migration in wanted if migration.version not in applied]


async def drift(client: AsyncClient, database: str) -> list[str]:
    """How the tables differ from this release's, a line each. Raises ClickHouseError."""
    return tables.drift(await describe(client, database), sees_all=True)


async def describe(client: AsyncClient, database: str) -> Tables:
    """The tables of a database as they are. Raises ClickHouseError."""
    inside = {"database": database}
    rows = (await client.query(tables.DESCRIBE, settings=inside)).result_rows
    version = (await client.query(tables.VERSION, settings=inside)).result_rows[0][0]
    return tables.described(rows, database, version)


async def _apply(
    client: AsyncClient,
    database: str,
    migration: Migration,
    steps: Steps,
    patience: float,
    *,
    nodes: Cluster | None,
) -> bool:
    """False: another process has applied it meanwhile."""
    try:
        for number, statement in enumerate(statements(migration.sql)):
            async with steps.step(migration.version, number, statement) as todo:
                if todo:
                    await _run(client, database, nodes, statement)
    except RenderError as error:
        raise MigrationError(f"{migration.label}: {error}") from error
    except DatabaseError as error:
        text = f"{migration.label}: {first_line(error)}"
        if error.code in IS_THERE:
            if await _by_another(client, database, migration, patience):
                return False
            text += " It is not recorded as applied: drop what a run that was cut off has made"
        raise MigrationError(text) from error
    row = [migration.version, migration.name, migration.checksum]
    columns = ["version", "name", "checksum"]
    await client.insert("schema_migrations", [row], columns, settings={"database": database})
    return True


async def _run(client: AsyncClient, database: str, nodes: Cluster | None, statement: str) -> None:
    for rendered in nodes.render(statement) if nodes else (statement,):
        await client.command(rendered, settings={"database": database})


async def _check_kind(client: AsyncClient, database: str, nodes: Cluster | None) -> None:
    """The setting and the database are both of one node, or both of a cluster."""
    answer = await client.query(
        "SELECT engine FROM system.tables"
        " WHERE database = {database:String} AND name = 'schema_migrations'",
        {"database": database},
    )
    replicated = str(answer.result_rows[0][0]).startswith("Replicated")
    if replicated != (nodes is not None):
        kind = "a cluster; set" if replicated else "one node; unset"
        raise MigrationError(f"database {database} is of {kind} ACTIVITY_CLICKHOUSE_CLUSTER")


async def _applied(client: AsyncClient, database: str) -> dict[int, tuple[str, str]]:
    """What the database has: version -> (name, checksum)."""
    answer = await client.query(
        "SELECT version, any(name), any(checksum) FROM schema_migrations GROUP BY version",
        settings={"database": database},
    )
    return {version: (name, checksum) for version, name, checksum in answer.result_rows}


def _check(wanted: Sequence[Migration], applied: dict[int, tuple[str, str]], database: str) -> None:
    known = {migration.version: migration for migration in wanted}
    for version, (name, checksum) in sorted(applied.items()):
        label = f"{version:04}_{name}"
        migration = known.get(version)
        if migration is None:
            raise MigrationError(
                f"database {database} has {label}, which is not among the {len(wanted)} known here:"
                " it was migrated by a newer release; run that one"
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"{migration.label} was changed after it was applied to database {database};"
                " restore the file and write the change as a new migration"
            )


async def _by_another(
    client: AsyncClient, database: str, migration: Migration, patience: float
) -> bool:
    """Whether another process records the migration within `patience` seconds."""
    deadline = time.monotonic() + patience
    while migration.version not in await _applied(client, database):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True
