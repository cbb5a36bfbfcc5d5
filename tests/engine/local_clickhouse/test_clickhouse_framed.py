"""`compress=1`, `decompress=1` and `client_protocol_version`, as clients ask for them."""

import gzip
import struct
from collections.abc import AsyncIterator

import httpx
import pytest

from activity_deploy.clickhouse import framing

TYPES = """
    number AS a, toString(number) AS b, toLowCardinality(toString(number % 3)) AS c,
    if(number % 2, NULL, number) AS d, range(number % 4) AS e,
    [[toString(number)], []] AS f, map('k', number, 'l', 1) AS g,
    (number, 'x', [toLowCardinality('y')])::Tuple(n UInt8, `a b` String,
        z Array(LowCardinality(String))) AS h,
    toDecimal128(number, 5) AS i, toDateTime64(number, 6, 'UTC') AS j, toFixedString('abc', 5) AS k,
    generateUUIDv4() AS l, NULL AS m, [] AS n, tuple() AS o, toIPv6('::1') AS p, toInt256(1) AS q,
    toLowCardinality(if(number % 2, NULL, 'x')) AS r, INTERVAL 1 DAY AS s, (1., 2.)::Point AS t,
    CAST('a', 'Enum8(\\'a\\' = 1, \\'b(,\\' = 2)') AS u, number::Variant(String, UInt64) AS v,
    if(number % 2, number::Dynamic, 'x'::Dynamic) AS w,
    '{"a": 1, "b": {"c": ["x"]}}'::JSON(a UInt8) AS x, repeat('long', 50) AS y, now() AS z
"""


@pytest.fixture
async def http(clickhouse_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=clickhouse_url, timeout=60) as client:
        del client.headers["accept-encoding"]
        yield client


@pytest.mark.parametrize(("name", "method"), [("", 0x82), ("ZSTD", 0x90), ("NONE", 0x02)])
async def test_an_answer_is_framed(http: httpx.AsyncClient, name: str, method: int) -> None:
    parameters = {"compress": "1"} | ({"network_compression_method": name} if name else {})
    answer = await http.post("/", params=parameters, content="SELECT 1")
    assert answer.content[16] == method
    assert b"".join(framing.decode([answer.content])) == b"1\n"
    assert "content-encoding" not in answer.headers


async def test_so_is_an_error(http: httpx.AsyncClient) -> None:
    answer = await http.post("/", params={"compress": "1"}, content="SELECT * FROM nowhere")
    assert answer.status_code == 404
    assert answer.headers["x-clickhouse-exception-code"] == "60"
    assert b"".join(framing.decode([answer.content])).startswith(b"Code: 60. ")


async def test_an_answer_without_rows_is_empty(http: httpx.AsyncClient) -> None:
    for sql in ("SELECT 1 WHERE 0", "CREATE TABLE IF NOT EXISTS nothing (a UInt8) ENGINE = Memory"):
        answer = await http.post("/", params={"compress": "1"}, content=sql)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("method", [framing.LZ4, framing.ZSTD, framing.NONE])
@pytest.mark.parametrize("is_in_body", [True, False])
async def test_a_body_is_unframed(
    http: httpx.AsyncClient, database: str, method: int, is_in_body: bool
) -> None:
    parameters = {"database": database}
    await http.post(
        "/", params=parameters, content="CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a"
    )
    insert = b"INSERT INTO t FORMAT TSV\n"
    rows = b"".join(b"%d\n" % number for number in range(100_000))
    pieces = [insert, rows] if is_in_body else [rows[:7], rows[7:]]
    body = b"".join(framing.encode(pieces, method))
    asked = parameters | {"decompress": "1"} | ({} if is_in_body else {"query": insert.decode()})
    answer = await http.post(
        "/", params=asked, headers={"content-encoding": "gzip"}, content=gzip.compress(body)
    )
    assert answer.status_code == 200, answer.text
    total = await http.post("/", params=parameters, content="SELECT count(), sum(a) FROM t")
    assert total.text == "100000\t4999950000\n"


async def test_a_body_that_is_cut_or_changed_inserts_nothing(
    http: httpx.AsyncClient, database: str
) -> None:
    parameters = {"database": database, "query": "INSERT INTO t FORMAT TSV"}
    await http.post(
        "/", params={"database": database}, content="CREATE TABLE t (a UInt32) ENGINE = Memory"
    )
    blocks = list(framing.encode([b"1\n2\n", b"3\n"], framing.LZ4))
    whole = b"".join(blocks)
    flipped = bytearray(whole)
    flipped[len(blocks[0])] ^= 1
    huge = blocks[0] + whole[:16] + struct.pack("<BII", 0x82, 100, 1 << 31)
    for body, code in ((whole[:-1], "33"), (bytes(flipped), "40"), (huge, "131"), (b"x", "33")):
        answer = await http.post("/", params=parameters | {"decompress": "1"}, content=body)
        assert answer.headers["x-clickhouse-exception-code"] == code
        assert answer.text.count("\n") == 1
    unchecked = {"http_native_compression_disable_checksumming_on_decompress": "1"}
    asked = parameters | {"decompress": "1"} | unchecked
    assert (await http.post("/", params=asked, content=bytes(flipped))).status_code == 200
    total = await http.post("/", params={"database": database}, content="SELECT count() FROM t")
    assert total.text == "3\n"


@pytest.mark.parametrize(
    ("revision", "info", "marks"),
    [(54405, 8, 0), (54453, 8, 0), (54454, 8, 1), (54460, 8, 1), (54480, 10, 1)],
)
async def test_native_blocks_have_the_head_of_the_clients_version(
    http: httpx.AsyncClient, revision: int, info: int, marks: int
) -> None:
    settings = {"default_format": "Native", "max_block_size": "100", "max_threads": "1"}
    sql = f"SELECT {TYPES} FROM numbers(1000) SETTINGS enable_json_type = 1"
    sql = sql.replace("generateUUIDv4()", "toUUID('00000000-0000-0000-0000-000000000007')")
    sql = sql.replace("now()", "toDateTime(7)")
    plain = (await http.post("/", params=settings, content=sql)).content
    versioned = settings | {"client_protocol_version": str(revision)}
    answer = await http.post("/", params=versioned, content=sql)
    assert answer.status_code == 200, answer.text
    head = answer.content[:info]
    assert head == b"\x01\x00\x02\xff\xff\xff\xff" + b"\x03\x00" * (info == 10) + b"\x00"
    blocks, columns = 10, plain[0]
    assert columns == 26
    assert len(answer.content) - len(plain) == blocks * (info + columns * marks)
    assert answer.content.count(head) == blocks


async def test_a_date_has_its_zone_for_those_who_know_zones(http: httpx.AsyncClient) -> None:
    sql = "SELECT toDateTime({at:UInt32}, 'Asia/Tokyo') AS `a b`, toDateTime(7) AS b -- FORMAT TSV"
    settings = {"default_format": "Native", "param_at": "7"}
    for revision, name in (("0", "DateTime"), ("54460", "DateTime('Asia/Tokyo')")):
        parameters = settings | {"client_protocol_version": revision}
        answer = await http.post("/", params=parameters, content=sql)
        assert answer.status_code == 200, answer.text
        marks = b"\0" if revision != "0" else b""
        head = bytes((len(name),)) + name.encode() + marks + struct.pack("<I", 7)
        assert b"\x03a b" + head in answer.content


async def test_a_type_whose_end_nobody_knows_is_refused(http: httpx.AsyncClient) -> None:
    parameters = {"default_format": "Native", "client_protocol_version": "54460"}
    answer = await http.post("/", params=parameters, content="SELECT uniqState(1)")
    assert answer.headers["x-clickhouse-exception-code"] == "48"
    assert answer.text.count("\n") == 1
    answer = await http.post("/", params=parameters, content="SELECT uniqState(1) FORMAT TSV")
    assert answer.status_code == 200


async def test_a_small_answer_is_compressed_where_it_was_asked_for(http: httpx.AsyncClient) -> None:
    headers = {"accept-encoding": "gzip"}
    parameters = {"enable_http_compression": "1"}
    for sql, body in (("SELECT 1", b"1\n"), ("SELECT 1 WHERE 0", b"")):
        request = http.build_request("POST", "/", params=parameters, headers=headers, content=sql)
        answer = await http.send(request, stream=True)
        packed = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed) == body
