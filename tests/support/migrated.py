"""A database as all migrations make it, and copies of it: to migrate takes a second of CPU, and
each test has a database of its own. That copies are like it: tests/engine/test_schema_drift.py."""

import uuid
from dataclasses import dataclass, field
from typing import Self

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_run import migrate

# What a migration writes beside the tables.
_ROWS = ("schema_migrations", "schema_migration_steps")
_CREATES = (
    "SELECT name, create_table_query FROM system.tables WHERE database = {d:String}"
    " ORDER BY engine = 'View', name"
)
_FILLED = (
    "SELECT table, sum(rows) FROM system.parts WHERE database = {d:String} AND active"
    " GROUP BY table HAVING sum(rows) > 0"
)


@dataclass(frozen=True, slots=True)
class Migrated:
    """`database` stays for the run. `creates`: what makes its tables, each after what it reads.
    `rows`: how many those tables have that have some."""

    database: str
    creates: tuple[str, ...]
    rows: dict[str, int]
    #: Copies that were made clean again, for who comes next.
    spare: list[str] = field(default_factory=list)

    @classmethod
    async def by_all_migrations(cls, client: AsyncClient) -> Self:
        """Migrates a database. Raises ClickHouseError."""
        name = f"migrated_{uuid.uuid4().hex}"
        await migrate(client, name)
        found = await client.query(_CREATES, {"d": name})
        waiting = {str(table): str(create) for table, create in found.result_rows}
        creates: list[str] = []
        while waiting:
            for table, create in list(waiting.items()):
                if not any(
                    f"{name}.{other} " in f"{create} " for other in waiting if other != table
                ):
                    creates.append(waiting.pop(table))
        return cls(name, tuple(creates), await _filled(client, name))

    async def copy(self, client: AsyncClient, name: str) -> None:
        """A new database of this name, without rows but for the migrations'."""
        await client.command(f"CREATE DATABASE {name}")
        for create in self.creates:
            await client.command(create.replace(self.database, name))
        for table in _ROWS:
            await client.command(
                f"INSERT INTO {name}.{table} SELECT * FROM {self.database}.{table}"
            )

    async def lend(self, client: AsyncClient) -> str:
        """The name of a copy that nobody else has."""
        if self.spare:
            return self.spare.pop()
        name = new_name()
        await self.copy(client, name)
        return name

    async def take_back(self, client: AsyncClient, name: str) -> None:
        """For who comes next, or it is dropped."""
        if await self._clean(client, name):
            self.spare.append(name)
        else:
            await client.command(f"DROP DATABASE IF EXISTS {name} SYNC")

    async def _clean(self, client: AsyncClient, name: str) -> bool:
        """Make a copy as it was, for a tenth of what a new one costs. False: it cannot be, for its
        tables are others, or a row of the migrations' has come or gone."""
        found = await client.query(_CREATES, {"d": name})
        if sorted(one.replace(name, self.database) for _, one in found.result_rows) != sorted(
            self.creates
        ):
            return False
        filled = await _filled(client, name)
        if any(filled.pop(table, 0) != self.rows[table] for table in _ROWS):
            return False
        for table in filled:
            await client.command(f"TRUNCATE TABLE {name}.{table} SYNC")
        return True


def new_name() -> str:
    """Of a test's database."""
    return f"test_{uuid.uuid4().hex}"


async def _filled(client: AsyncClient, database: str) -> dict[str, int]:
    """How many rows its tables have, where they have some."""
    found = await client.query(_FILLED, {"d": database})
    return {str(table): int(rows) for table, rows in found.result_rows}
