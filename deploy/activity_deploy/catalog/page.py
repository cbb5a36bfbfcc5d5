"""`python -m activity_deploy.catalog.page` prints docs/data.md: every table and column, its type,
meaning and example, and the migration that it came with. A test compares."""

import asyncio
from collections.abc import Iterator

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.catalog.comments import Commented, read_comments
from activity_deploy.catalog.engine import empty_engine
from activity_deploy.migration_files import read
from activity_deploy.migration_run import migrate
from activity_schemas import catalog

_HEAD = """\
# Data

Every table, view and column of a fresh database. The same words are ClickHouse's comments:
`SELECT name, type, comment FROM system.columns WHERE table = 'events'`. "Since" is a migration
(`SELECT max(version) FROM schema_migrations`). This page is made by `make schemas` of
[columns.toml](../schemas/activity_schemas/columns.toml), the event's own descriptions
([event.py](../schemas/activity_schemas/event.py)) and the engine.
"""

#: (table, column) -> the migration after which it was there; column '' for the table.
Since = dict[tuple[str, str], int]


async def data_page(client: AsyncClient, database: str) -> str:
    """docs/data.md. `database` is not there yet: it is migrated step by step. Raises
    ClickHouseError."""
    since: Since = {}
    found: dict[str, Commented] = {}
    migrations = read()
    for number, migration in enumerate(migrations, start=1):
        await migrate(client, database, migrations[:number])
        found = await read_comments(client, database)
        for table, commented in found.items():
            for column in ("", *(one.name for one in commented.columns)):
                since.setdefault((table, column), migration.version)
    return to_markdown(found, since)


def to_markdown(found: dict[str, Commented], since: Since) -> str:
    """Of what an engine has: in the catalog's order, then what is not in there."""
    names = [one for one in catalog.described_tables() if one in found]
    names += sorted(found.keys() - set(names))
    lines = [_HEAD]
    for table in names:
        lines += [f"## {table}", "", f"{_cell(found[table].comment)} Since {since[table, '']}.", ""]
        lines += ["| column | type | meaning | example | since |", "|---|---|---|---|---|"]
        lines += [*_rows(table, found[table], since), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _rows(table: str, found: Commented, since: Since) -> Iterator[str]:
    for column in found.columns:
        try:
            example = catalog.of_column(table, column.name).example
        except KeyError:
            example = ""
        cells = (
            f"`{column.name}`",
            f"`{column.type}`",
            _cell(column.comment),
            f"`{_cell(example)}`" if example else "",
            str(since[table, column.name]),
        )
        yield "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


async def _print() -> None:
    async with empty_engine() as client:
        print(await data_page(client, "activity"), end="")


if __name__ == "__main__":
    asyncio.run(_print())
