"""Tables explain themselves: every table and column has a comment, and all words have one home."""

from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.catalog.comments import Column, Commented, read_comments, statements
from activity_deploy.catalog.page import data_page
from activity_schemas import catalog
from activity_schemas.__main__ import json_schema

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


async def test_nothing_lacks_a_comment(clickhouse: AsyncClient, database: str) -> None:
    found = await read_comments(clickhouse, database)
    assert {"events", "dead_letters", "event_gaps", "schema_migrations"} <= found.keys()
    lacking = [
        f"{table}.{column}"
        for table, commented in found.items()
        for column, comment in [
            ("", commented.comment),
            *((one.name, one.comment) for one in commented.columns),
        ]
        if not comment
    ]
    assert lacking == []


async def test_the_comments_are_the_catalogs(clickhouse: AsyncClient, database: str) -> None:
    found = await read_comments(clickhouse, database)
    assert statements(found) == [], "a migration of `python -m activity_deploy.catalog.comments`"
    assert set(catalog.described_tables()) <= found.keys()


async def test_the_events_words_are_the_json_schemas(
    clickhouse: AsyncClient, database: str
) -> None:
    columns = {
        one.name: one.comment
        for one in (await read_comments(clickhouse, database))["events"].columns
    }
    for name, field in json_schema()["properties"].items():
        assert field["description"] == columns[name]
        assert len(field["examples"]) == 1


async def test_one_that_differs_gets_a_statement_that_mends_it(
    clickhouse: AsyncClient, database: str
) -> None:
    await clickhouse.command(
        "ALTER TABLE progress MODIFY COMMENT '', COMMENT COLUMN topic 'it''s \\\\ another'"
    )
    found = await read_comments(clickhouse, database)
    [mend] = statements(found)
    assert mend.splitlines()[0] == "ALTER TABLE progress"
    await clickhouse.command(mend)
    assert statements(await read_comments(clickhouse, database)) == []


def test_a_column_that_nobody_has_described_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"progress\.colour"):
        statements({"progress": Commented("", [Column("colour", "String", "")])})


async def test_the_page_is_what_the_engine_has(unbound: AsyncClient, fresh: str) -> None:
    assert await data_page(unbound, fresh) == PAGE.read_text(encoding="utf-8"), "run `make schemas`"
