"""Where a statement's answer is sent, found in its text."""

import pytest

from activity_deploy.clickhouse.output_clause import into_file, output
from activity_deploy.clickhouse.statement import parse


@pytest.mark.parametrize(
    ("sql", "before", "name"),
    [
        (b"SELECT 1", b"SELECT 1", ""),
        (b"SELECT 1 ; ", b"SELECT 1", ""),
        (b"SELECT 1 FORMAT JSON", b"SELECT 1 ", "JSON"),
        (b"SELECT 1 format JSON;\n", b"SELECT 1 ", "JSON"),
        (b"SELECT 1 FORMAT JSON -- as I like it", b"SELECT 1 ", "JSON"),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1", b"SELECT 1 ", "JSON"),
        (b"SELECT 1 SETTINGS max_threads = 1", b"SELECT 1 SETTINGS max_threads = 1", ""),
        (b"SELECT 1 SETTINGS a = 1 FORMAT JSON", b"SELECT 1 SETTINGS a = 1 ", "JSON"),
        (b"SELECT 1 -- FORMAT JSON", b"SELECT 1", ""),
        (b"SELECT 1 /* FORMAT JSON */ ;", b"SELECT 1", ""),
        (b"SELECT format('{}', 1) AS x", b"SELECT format('{}', 1) AS x", ""),
        (b"SELECT t.format FROM t", b"SELECT t.format FROM t", ""),
        (b"SELECT ' FORMAT JSON' || '--'", b"SELECT ' FORMAT JSON' || '--'", ""),
        (b"SELECT 1 FROM (SELECT format FROM t)", b"SELECT 1 FROM (SELECT format FROM t)", ""),
    ],
)
def test_the_clause_stands_before_the_format(sql: bytes, before: bytes, name: str) -> None:
    assert (sql[: output(sql)[0]], output(sql)[1]) == (before, name)
    changed = into_file(sql, "/a'b")
    assert changed.startswith(before + b"\nINTO OUTFILE '/a\\'b' APPEND")
    assert changed.endswith(sql[len(before) :])


@pytest.mark.parametrize(
    ("sql", "selecting"),
    [
        (b"SELECT 1", True),
        (b"(SELECT 1) UNION ALL (SELECT 2)", True),
        (b"WITH 1 AS a SELECT a", True),
        (b"FROM t SELECT a", True),
        (b"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", False),
        (b"SELECT 1 INTO OUTFILE '/tmp/x'", False),
        (b"SHOW TABLES", False),
        (b"EXPLAIN SELECT 1", False),
        (b"VALUES (1)", False),
    ],
)
def test_only_a_select_has_such_a_clause(sql: bytes, selecting: bool) -> None:
    assert parse(sql, ()).selecting is selecting
