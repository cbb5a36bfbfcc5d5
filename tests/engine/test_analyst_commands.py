"""`activity sql` and `activity report` as people type them."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.dlq import run_activity
from tests.support.query import insert, row


@pytest.fixture
async def filled(clickhouse: AsyncClient) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    path = '/a\x1b[31m,"b"\n'
    rows = [row("acme", now - timedelta(days=n), user_id="<b>ann", path=path) for n in range(3)]
    rows += [row("acme", now, status_code=500, action="execute"), row("o'\\x", now)]
    await insert(clickhouse, rows)


async def activity(url: str, database: str, *arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(run_activity, url, database, *arguments)
    return done.returncode, done.stdout, done.stderr


async def test_sql_in_each_format_and_as_one_org(
    filled: None, clickhouse_url: str, database: str, tmp_path: Path
) -> None:
    asked = "SELECT org_id, count() AS n, any(path) AS p FROM activity GROUP BY org_id ORDER BY n"
    file = tmp_path / "answer.parquet"
    pretty, as_csv, as_json, parquet = await asyncio.gather(
        activity(clickhouse_url, database, "sql", f"{asked};"),
        activity(clickhouse_url, database, "sql", asked, "--format", "csv", "--org", "acme"),
        activity(clickhouse_url, database, "sql", asked, "--format", "json", "--org", "o'\\x"),
        activity(
            clickhouse_url, database, "sql", asked, "--format", "parquet", "--output", str(file)
        ),
    )
    assert [pretty[0], as_csv[0], as_json[0], parquet] == [0, 0, 0, (0, "", "")]
    assert "acme" in pretty[1] and "\x1b" not in pretty[1]
    assert list(csv.reader(io.StringIO(as_csv[1], newline=""))) == [
        ["org_id", "n", "p"],
        ["acme", "4", '/a\x1b[31m,"b"\n'],
    ]
    assert [one["org_id"] for one in json.loads(as_json[1])["data"]] == ["o'\\x"]
    assert pyarrow.parquet.read_table(file)["n"].to_pylist() == [1, 4]


async def test_what_is_wrong_is_one_line(clickhouse_url: str, database: str) -> None:
    wrong = {
        "SELECT nope FROM activity": "UNKNOWN_IDENTIFIER",
        "SELEC 1": "Syntax error: failed at position 1 (SELEC): SELEC 1. Maybe you meant: SELECT\n",
        "INSERT INTO events (org_id) VALUES ('x')": "READONLY",
        "DROP TABLE events": "READONLY",
        "SELECT 1 SETTINGS readonly = 0": "READONLY",
        "SELECT 1 SETTINGS additional_table_filters = {}": "READONLY",
        " ; ": "there is no statement",
    }
    answers = await asyncio.gather(
        *(activity(clickhouse_url, database, "sql", one, "--org", "acme") for one in wrong)
    )
    for (status, out, err), words in zip(answers, wrong.values(), strict=True):
        assert (status, out, err.count("\n")) == (1, "", 1), err
        assert err.startswith("activity: ") and words in err


async def test_report(filled: None, clickhouse_url: str, database: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    (status, out, err), nobody = await asyncio.gather(
        activity(clickhouse_url, database, "report", "--org", "acme", "--output", str(page)),
        activity(clickhouse_url, database, "report", "--org", "none", "--output", str(page)),
    )
    assert (status, err) == (0, "")
    assert "4 requests, 1 failed (25.00 %), 1 users" in out
    assert "<b>ann" in out and f"written: {page}" in out
    html = page.read_text()
    assert "&lt;b&gt;ann" in html and "<b>ann" not in html
    assert nobody == (1, "", "activity: no events of 'none' in the last 30 days\n")
