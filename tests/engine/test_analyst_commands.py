"""`activity sql` and `activity report` as people type them."""

import asyncio
import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.analyst.session import analyst_session
from activity_deploy.errors import UserError
from tests.support.dlq import of_tables, run_activity
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


WRONG = {
    "SELECT nope FROM activity": "UNKNOWN_IDENTIFIER",
    "SELEC 1": "Syntax error: failed at position 1 (SELEC): SELEC 1. Maybe you meant: SELECT",
    "INSERT INTO events (org_id) VALUES ('x')": "READONLY",
    "DROP TABLE events": "READONLY",
    "SELECT 1 SETTINGS readonly = 0": "READONLY",
    "SELECT 1 SETTINGS additional_table_filters = {}": "READONLY",
}


async def test_what_is_wrong_is_one_line(
    clickhouse_url: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in of_tables(clickhouse_url, database).items():
        monkeypatch.setenv(name, value)
    async with analyst_session("acme") as session:
        for sql, words in WRONG.items():
            with pytest.raises(UserError) as raised:
                await session.raw(sql, "CSV")
            assert words in str(raised.value)
            assert "\n" not in str(raised.value)
    status, out, err = await activity(clickhouse_url, database, "sql", " ; ")
    assert (status, out, err) == (1, "", "activity: there is no statement\n")


def prompt(url: str, database: str, typed: bytes) -> subprocess.CompletedProcess[bytes]:
    """`activity sql` on a terminal where somebody types this."""
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    try:
        return subprocess.run(
            [sys.executable, "-m", "activity_deploy.cli", "sql", "--format", "csv"],
            stdin=theirs,
            capture_output=True,
            check=False,
            env=os.environ | of_tables(url, database),
            timeout=300,
        )
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_prompt_goes_on_after_an_error(clickhouse_url: str, database: str) -> None:
    typed = b"SELECT 20 +\n22 AS n;\nSELECT nope;\n\\d progress\n\\q\n"
    done = await asyncio.to_thread(prompt, clickhouse_url, database, typed)
    assert done.returncode == 0
    assert b'"n"\n42\n' in done.stdout
    assert b"complete_through" in done.stdout
    [line] = [one for one in done.stderr.decode().splitlines() if "activity: " in one]
    assert "UNKNOWN_IDENTIFIER" in line


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
