"""ClickHouse's comments on tables and columns: what they are, and what they should be.

`python -m activity_deploy.catalog.comments` prints the statements that a new migration needs.
"""

import asyncio
from dataclasses import dataclass, field

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.catalog.engine import empty_engine
from activity_deploy.migration_run import migrate
from activity_schemas import catalog

_COMMENTS = """\
SELECT table, '' AS column, '' AS type, comment, 0 AS position
FROM (SELECT name AS table, comment FROM system.tables WHERE database = {d:String})
UNION ALL
SELECT table, name, concat(type, if(default_kind = '', '', concat(' ', default_kind))), comment,
    position
FROM system.columns WHERE database = {d:String}
ORDER BY table, position"""


@dataclass(slots=True)
class Column:
    """As the engine has it. `type`: with DEFAULT, MATERIALIZED where it is."""

    name: str
    type: str
    comment: str


@dataclass(slots=True)
class Commented:
    """A table or view as the engine has it, its columns in their order."""

    comment: str = ""
    columns: list[Column] = field(default_factory=list)


async def read_comments(client: AsyncClient, database: str) -> dict[str, Commented]:
    """All tables of a database. Raises ClickHouseError."""
    tables: dict[str, Commented] = {}
    for table, column, type_, comment, _ in (
        await client.query(_COMMENTS, {"d": database})
    ).result_rows:
        commented = tables.setdefault(table, Commented())
        if column:
            commented.columns.append(Column(column, type_, comment))
        else:
            commented.comment = comment
    return tables


def statements(found: dict[str, Commented]) -> list[str]:
    """One ALTER for each table whose comments are not those of the catalog: on a cluster each makes
    the Distributed table anew. Raises KeyError for a column that nobody has described."""
    made = []
    for table in catalog.described_tables():
        if table not in found:
            continue
        changes = []
        if found[table].comment != (text := catalog.of_table(table)):
            changes.append(f"MODIFY COMMENT {_quoted(text)}")
        for column in found[table].columns:
            if column.comment != (text := catalog.of_column(table, column.name).text):
                changes.append(f"COMMENT COLUMN IF EXISTS {column.name} {_quoted(text)}")
        if changes:
            made.append(f"ALTER TABLE {table}\n" + ",\n".join(changes))
    return made


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


async def _print() -> None:
    async with empty_engine() as client:
        await migrate(client, "activity")
        for statement in statements(await read_comments(client, "activity")):
            print(f"{statement};")


if __name__ == "__main__":
    asyncio.run(_print())
