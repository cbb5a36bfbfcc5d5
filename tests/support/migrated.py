"""A database as all migrations make it, and copies of it: to migrate takes a second of CPU, and
each test has a database of its own. That copies are like it: tests/engine/test_schema_drift.py."""

import uuid
from dataclasses import dataclass
from typing import Self

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_run import migrate

# What a migration writes beside the tables.
_ROWS = ("schema_migrations", "schema_migration_steps")


@dataclass(frozen=True, slots=True)
class Migrated:
    """`database` stays for the run. `creates`: what makes its tables, each after what it reads."""

    database: str
    creates: tuple[str, ...]

    @classmethod
    async def by_all_migrations(cls, client: AsyncClient) -> Self:
        """Migrates a database. Raises ClickHouseError."""
        name = f"migrated_{uuid.uuid4().hex}"
        await migrate(client, name)
        found = await client.query(
            "SELECT name, create_table_query FROM system.tables WHERE database = {d:String}"
            " ORDER BY engine = 'View', name",
            {"d": name},
        )
        waiting = {str(table): str(create) for table, create in found.result_rows}
        creates: list[str] = []
        while waiting:
            for table, create in list(waiting.items()):
                if not any(
                    f"{name}.{other} " in f"{create} " for other in waiting if other != table
                ):
                    creates.append(waiting.pop(table))
        return cls(name, tuple(creates))

    async def copy(self, client: AsyncClient, name: str) -> None:
        """A new database of this name, without rows but for the migrations'."""
        await client.command(f"CREATE DATABASE {name}")
        for create in self.creates:
            await client.command(create.replace(self.database, name))
        for table in _ROWS:
            await client.command(
                f"INSERT INTO {name}.{table} SELECT * FROM {self.database}.{table}"
            )
