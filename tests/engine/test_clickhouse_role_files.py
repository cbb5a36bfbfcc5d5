"""ClickHouse's roles as files: each statement parses, and names what is there; each table that the
code names is granted to the role that runs it."""

import ast
import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.clickhouse_roles import ROLES, analyst_statements, role_statements

ROOT = Path(__file__).parents[2]
DATABASE = "activity"


async def test_every_statement_is_one_and_names_what_is_there(clickhouse: AsyncClient) -> None:
    database = str(await clickhouse.command("SELECT currentDatabase()"))
    tables = {
        str(name)
        for (name,) in (
            await clickhouse.query(
                "SELECT name FROM system.tables WHERE database = currentDatabase()"
            )
        ).result_rows
    } | {"schema_migrations_lock"}  # which comes and goes
    for statement in (
        *(one for role in ROLES for one in role_statements(role, database)),
        *analyst_statements("it's `odd` \\ {database} {org}", database),
    ):
        parsed = await clickhouse.query(
            "SELECT formatQuerySingleLine({s:String})", parameters={"s": statement}
        )
        for table in re.findall(rf"ON `?{database}`?\.(\w+)", str(parsed.result_rows[0][0])):
            assert table in tables


_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|TABLE)\s+(\w+)")


@pytest.mark.parametrize(
    ("role", "sources"),
    [
        ("ingest", ["ingest/activity_consume"]),
        ("api", ["query_api/activity_api"]),
        ("operator", ["deploy/activity_deploy/keys", "deploy/activity_deploy/dlq"]),
    ],
)
async def test_a_new_table_in_the_code_needs_a_grant(
    role: str, sources: list[str], clickhouse: AsyncClient
) -> None:
    found = await clickhouse.query(
        "SELECT name, engine = 'View' FROM system.tables WHERE database = currentDatabase()"
    )
    tables = {str(name) for name, _ in found.result_rows}
    # Nobody inserts into a view; `activity` and `sessions` are words, too.
    views = {str(name) for name, is_view in found.result_rows if is_view}
    granted = set(re.findall(r"`activity`\.(\w+)", "\n".join(role_statements(role, DATABASE))))
    texts = [
        node.value
        for source in sources
        for path in (ROOT / source).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    # In a statement, or as the table of an insert.
    used = {name for text in texts for name in _NAMED.findall(text)}
    used |= set(texts) - views
    assert used & tables <= granted
    assert used & tables
