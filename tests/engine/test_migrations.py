"""Migrations on the real engine."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_files import Migration, MigrationError, read, statements
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import connect

ONE = Migration(1, "one", "CREATE TABLE one (a UInt8) ENGINE = Memory; -- ;\n")
TWO = Migration(2, "two", "CREATE TABLE two (a String DEFAULT ';') ENGINE = Memory")


async def recorded(client: AsyncClient, database: str) -> list[str]:
    query = f"SELECT name FROM {database}.schema_migrations FINAL ORDER BY version"
    return [name for (name,) in (await client.query(query)).result_rows]


async def test_each_is_applied_once(unbound: AsyncClient, fresh: str) -> None:
    assert await migrate(unbound, fresh, [ONE]) == ["0001_one"]
    assert await migrate(unbound, fresh, [ONE, TWO]) == ["0002_two"]
    assert await migrate(unbound, fresh, [ONE, TWO]) == []
    assert await recorded(unbound, fresh) == ["one", "two"]


async def test_a_changed_file_is_an_error(unbound: AsyncClient, fresh: str) -> None:
    await migrate(unbound, fresh, [ONE])
    with pytest.raises(MigrationError, match="0001_one was changed after it was applied"):
        await migrate(unbound, fresh, [Migration(1, "one", ONE.sql + " "), TWO])
    assert await recorded(unbound, fresh) == ["one"]


async def test_a_database_of_a_newer_release_is_an_error(unbound: AsyncClient, fresh: str) -> None:
    await migrate(unbound, fresh, [ONE, TWO])
    with pytest.raises(MigrationError, match=r"0002_two.*newer release"):
        await migrate(unbound, fresh, [ONE])


async def test_one_that_fails_is_named_and_tried_again(unbound: AsyncClient, fresh: str) -> None:
    bad = Migration(2, "bad", "CREATE TABLE bad (a Nothing_) ENGINE = Memory")
    with pytest.raises(MigrationError, match="0002_bad: Unknown data type") as caught:
        await migrate(unbound, fresh, [ONE, bad])
    assert "\n" not in str(caught.value)
    assert await recorded(unbound, fresh) == ["one"]
    assert await migrate(unbound, fresh, [ONE, TWO]) == ["0002_two"]


async def test_what_a_cut_off_run_has_made_is_named(unbound: AsyncClient, fresh: str) -> None:
    await migrate(unbound, fresh, [])
    await unbound.command(ONE.sql.rstrip("; -\n"), settings={"database": fresh})
    with pytest.raises(MigrationError, match=r"0001_one: Table .* already exists.* not recorded"):
        await migrate(unbound, fresh, [ONE], patience=0)


async def test_several_at_once_do_no_harm(
    clickhouse_url: str, unbound: AsyncClient, fresh: str
) -> None:
    async def one() -> list[str]:
        other = await connect(clickhouse_url, "default")
        try:
            return await migrate(other, fresh)
        finally:
            await other.close()

    applied = await asyncio.gather(*(one() for _ in range(4)))
    # Two may both have made a table that was missing: IF NOT EXISTS, so it is there once.
    assert {label for labels in applied for label in labels} == {m.label for m in read()}
    assert await recorded(unbound, fresh) == [migration.name for migration in read()]


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["0001_a.sql", "0003_c.sql"], "0003_c: number 0002 should come here"),
        (["0001_a.sql", "0001_b.sql"], "0001_b: number 0002 should come here"),
        (["1_a.sql"], "1_a.sql: a migration is called NNNN_name.sql"),
    ],
)
def test_names_of_files(tmp_path: Path, names: Sequence[str], error: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MigrationError, match=error):
        read(tmp_path)


def test_statements_of_a_file() -> None:
    sql = """-- one; two
    SELECT ';', "a;b", `c;d`, 'it''s; \\'; /* ; */'; /* ; */
    ;; SELECT $x$ ; $x$, 1 - 2 / 3 -- end;
    """
    assert [statement.split("\n")[-1].strip() for statement in statements(sql)] == [
        "SELECT ';', \"a;b\", `c;d`, 'it''s; \\'; /* ; */'",
        "SELECT $x$ ; $x$, 1 - 2 / 3 -- end;",
    ]


async def run(url: str, database: str) -> tuple[int | None, str, str]:
    """`python -m activity_deploy.migrate`: exit status, output, errors."""
    variables = {"ACTIVITY_CLICKHOUSE_URL": url, "ACTIVITY_CLICKHOUSE_DATABASE": database}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "activity_deploy.migrate"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | variables,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_command(clickhouse_url: str, fresh: str) -> None:
    lines = "".join(f"migrate: applied {migration.label}\n" for migration in read())
    assert await run(clickhouse_url, fresh) == (0, lines, "")
    line = f"migrate: database {fresh} is up to date\n"
    assert await run(clickhouse_url, fresh) == (0, line, "")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:1", "migrate: no ClickHouse at 127.0.0.1:1 ("),
        ("clickhouse", "migrate: ACTIVITY_CLICKHOUSE_URL is not http://"),
    ],
)
async def test_the_command_without_a_server(url: str, error: str) -> None:
    status, out, err = await run(url, "activity")
    assert (status, out) == (1, "")
    assert err.startswith(error)
    assert err.count("\n") == 1
