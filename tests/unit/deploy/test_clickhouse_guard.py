"""What is refused by its text, where the kernel does not see to files, and where it does."""

import pytest

from activity_deploy.clickhouse import guard
from activity_deploy.clickhouse.errors import EngineError
from activity_deploy.clickhouse.statement import parse

ALWAYS = [
    b"SYSTEM SHUTDOWN",
    b"-- x\n(system reload config",
    b"SELECT 1 INTO OUTFILE 'x'",
    b"select 1 into/**/outfile $$x$$",
    b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
    b"ATTACH TABLE t FROM 'x' (a Int8) ENGINE = MergeTree ORDER BY a",
]
WITHOUT_THE_KERNEL = [
    b"SELECT file('x')",
    b"SELECT `file`('x')",
    b"SELECT \"file\"('x')",
    b"SELECT arrayMap(file, ['x'])",
    b"SELECT * APPLY file FROM t",
    b"SELECT * FROM format(JSONEachRow, 'a String DEFAULT file(\\'x\\')', '{}')",
    b"SELECT * FROM format(JSONEachRow, 'a String DEFAULT f\\x69le(1)', '{}')",
]
NEVER = [
    b"SELECT 'INTO OUTFILE' AS a",
    b"SELECT infile, outfile, attach FROM t",
    b"SELECT e.file FROM t AS e",
    b"SELECT * FROM system.tables",
    b"ALTER TABLE t ATTACH PARTITION 'x' FROM u",
    b"SELECT path FROM t WHERE path = '/file/x'",
]


def is_refused(sql: bytes, *, files_are_confined: bool) -> bool:
    try:
        guard.check(parse(sql, ()), files_are_confined=files_are_confined)
    except EngineError as error:
        assert error.code == 497
        return True
    return False


@pytest.mark.parametrize("sql", ALWAYS)
def test_always(sql: bytes) -> None:
    assert is_refused(sql, files_are_confined=True)
    assert is_refused(sql, files_are_confined=False)


@pytest.mark.parametrize("sql", WITHOUT_THE_KERNEL)
def test_where_the_kernel_does_not_see_to_it(sql: bytes) -> None:
    assert is_refused(sql, files_are_confined=False)
    assert not is_refused(sql, files_are_confined=True)


@pytest.mark.parametrize("sql", NEVER)
def test_never(sql: bytes) -> None:
    assert not is_refused(sql, files_are_confined=False)
