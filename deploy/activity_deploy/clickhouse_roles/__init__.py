"""ClickHouse's roles as SQL files: who may do what. `activity migrate --roles` applies them."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.binding import quote_identifier

from activity_consume.settings import ClickHouseSettings
from activity_deploy.clients import clickhouse
from activity_deploy.migration_files import statements

DIRECTORY = Path(__file__).parent
#: Each a file of that name, and a role `activity_...`.
ROLES = ("ingest", "api", "operator", "migrate", "analyst", "platform_analyst")


def role_statements(name: str, database: str) -> Iterator[str]:
    """The statements of a role's file, for a database."""
    yield from _filled(name, {"database": quote_identifier(database)})


def analyst_statements(org_id: str, database: str) -> Iterator[str]:
    """Those of the role `activity_analyst_ORG`, which sees that org alone."""
    literal = "'" + org_id.replace("\\", "\\\\").replace("'", "\\'") + "'"
    values = {
        "database": quote_identifier(database),
        "analysts_of_org": quote_identifier(f"activity_analyst_{org_id}"),
        "org": literal,
    }
    yield from _filled("analyst_org", values)


async def apply(client: AsyncClient, database: str, orgs: Sequence[str] = ()) -> list[str]:
    """Make the roles, as often as you like; their names. `orgs`: whose analysts get one.

    What a role has beyond its file stays. Raises ClickHouseError: the user may not make roles, or
    the engine has none (chDB).
    """
    for name in ROLES:
        for statement in role_statements(name, database):
            await client.command(statement)
    for org_id in orgs:
        for statement in analyst_statements(org_id, database):
            await client.command(statement)
    return [f"activity_{name}" for name in ROLES] + [f"activity_analyst_{org}" for org in orgs]


def make(orgs: Sequence[str]) -> None:
    """Apply them where the settings say, a line for each. Raises UserError."""

    async def run() -> None:
        async with clickhouse() as client:
            for role in await apply(client, ClickHouseSettings().database, orgs):
                print(f"migrate: role {role}")

    asyncio.run(run())


def _filled(name: str, values: dict[str, str]) -> Iterator[str]:
    text = (DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
    for statement in statements(text):
        # In one pass: what an org's name holds is not filled in once more.
        yield re.sub(r"\{(\w+)\}", lambda found: values[found[1]], statement)
