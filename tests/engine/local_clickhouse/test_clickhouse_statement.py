"""How a statement and its data are told apart, without an engine."""

import pytest

from activity_deploy.clickhouse.errors import EngineError, engine_error
from activity_deploy.clickhouse.statement import parse, with_file, with_table

INSERTS = [
    (b"INSERT INTO t (a, b) FORMAT JSONEachRow\n", b'{"a":1}\n{"a":2}\n', b"JSONEachRow"),
    (b"insert into t settings x = 1, y = 'FORMAT' format TSV\r\n", b"1\tFORMAT CSV\n", b"TSV"),
    (b"INSERT INTO t (`FORMAT`, settings) FORMAT Native ", b"\x00\x01\xff;\n", b"Native"),
    (
        b"INSERT INTO t SELECT a FROM input('a UInt8, b Enum(\\'x\\' = 1)') FORMAT CSV\n",
        b"\n1,x\n",
        b"CSV",
    ),
]


@pytest.mark.parametrize(("head", "data", "data_format"), INSERTS)
def test_an_insert_is_the_same_however_its_body_was_cut(
    head: bytes, data: bytes, data_format: bytes
) -> None:
    whole = parse(b"", [head + data])
    assert whole.data_format == data_format
    assert b"".join(whole.data or ()) == data
    body = head + data
    for cut in range(1, len(body)):
        parts = parse(b"", [body[:cut], body[cut:]])
        assert (parts.sql, parts.data_format) == (whole.sql, whole.data_format)
        assert b"".join(parts.data or ()) == data
    apart = parse(head, [data[:3], data[3:]])
    assert (apart.sql, apart.data_format) == (whole.sql, whole.data_format)
    assert b"".join(apart.data or ()) == data


@pytest.mark.parametrize(
    ("head", "sql"),
    [
        (
            INSERTS[0][0],
            b"INSERT INTO t (a, b) FROM INFILE '/f' COMPRESSION 'none'  FORMAT JSONEachRow",
        ),
        (
            INSERTS[1][0],
            b"insert into t  FROM INFILE '/f' COMPRESSION 'none'"
            b" settings x = 1, y = 'FORMAT' FORMAT TSV",
        ),
    ],
)
def test_an_insert_reads_its_data_from_a_file(head: bytes, sql: bytes) -> None:
    assert with_file(parse(head, [b"1"]), "/f") == sql


def test_input_is_a_table_of_its_structure() -> None:
    structure, select = with_table(parse(INSERTS[3][0], [b"1"]), "t_in")
    assert structure == "a UInt8, b Enum('x' = 1)"
    assert select.sql == b"INSERT INTO t SELECT a FROM t_in"


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t VALUES (1, 'FORMAT CSV')",
        b"INSERT INTO t SELECT * FROM s FORMAT Null",
        b"INSERT INTO format.format SELECT 1",
        b"SELECT 1 FORMAT JSONEachRow",
        b"WITH 1 AS x SELECT 'INSERT INTO t FORMAT CSV'",
    ],
)
def test_a_statement_without_data_goes_to_the_engine_as_it_is(sql: bytes) -> None:
    statement = parse(b"", [sql])
    assert statement.data is None
    assert statement.sql.rstrip() == sql


def test_two_statements_are_refused_and_a_quoted_semicolon_is_none() -> None:
    with pytest.raises(EngineError) as caught:
        parse(b"SELECT 1; SELECT 2", [])
    assert (caught.value.code, caught.value.status) == (62, 400)
    assert parse(b"SELECT ';', $a$ ; $a$ -- ;\n;\n", []).verb == b"SELECT"


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (
            "Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format X. (UNKNOWN_FORMAT)"
            " (version 1.2). (UNKNOWN_FORMAT) (version 1.2)",
            "Code: 73. DB::Exception: Unknown format X. (UNKNOWN_FORMAT) (version 9)",
        ),
        (
            "chDB says Code: 27. DB::Exception: Bad (row 2)\n: while reading. (CANNOT_PARSE)",
            "Code: 27. DB::Exception: Bad (row 2)\n: while reading. (CANNOT_PARSE) (version 9)",
        ),
        ("no code", "Code: 1002. DB::Exception: no code. (UNKNOWN_EXCEPTION) (version 9)"),
    ],
)
def test_an_error_is_written_as_a_server_writes_it(raised: str, message: str) -> None:
    assert engine_error(RuntimeError(raised), "9").message == message
