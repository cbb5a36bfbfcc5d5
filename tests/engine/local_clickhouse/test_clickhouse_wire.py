"""The HTTP protocol itself, byte for byte where clickhouse_connect does not show it."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import lz4.frame
import pytest
import zstandard
from clickhouse_connect.driver.asyncclient import AsyncClient

QUERY = "SELECT number FROM numbers(5000)"
ROWS = "".join(f"{n}\n" for n in range(5000)).encode()


@pytest.fixture
async def http(clickhouse_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Without httpx's own decompression: a body is as it came."""
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=clickhouse_url, limits=limits, timeout=30) as client:
        del client.headers["accept-encoding"]
        yield client


async def test_ping(http: httpx.AsyncClient) -> None:
    assert (await http.get("/ping")).text == "Ok.\n"
    assert (await http.get("/")).text == "Ok.\n"
    assert (await http.get("/nowhere")).status_code == 404


async def test_a_query_in_the_parameter_the_body_or_both(http: httpx.AsyncClient) -> None:
    assert (await http.get("/", params={"query": "SELECT 1"})).text == "1\n"
    assert (await http.post("/", content="SELECT 1")).text == "1\n"
    assert (await http.post("/", params={"query": "SELECT 1"}, content=" + 1")).text == "2\n"
    form = {"query": (None, "SELECT {x:UInt8} + 1"), "param_x": (None, "6")}
    assert (await http.post("/", files=form)).text == "7\n"


async def test_headers_of_an_answer(http: httpx.AsyncClient) -> None:
    parameters = {"query_id": "my-id", "default_format": "JSONEachRow"}
    answer = await http.post("/", params=parameters, content="SELECT 1 AS x FROM numbers(3)")
    assert answer.headers["x-clickhouse-query-id"] == "my-id"
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert json.loads(answer.headers["x-clickhouse-summary"])["result_rows"] == "3"


async def test_headers_of_an_error(http: httpx.AsyncClient) -> None:
    answer = await http.post("/", content="SELECT * FROM nowhere")
    assert answer.status_code == 404
    assert answer.headers["x-clickhouse-exception-code"] == "60"
    assert answer.text.startswith("Code: 60. DB::Exception: ")
    assert answer.text.count("\n") == 1


async def test_get_changes_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.get("/", params={"query": "CREATE DATABASE by_get"})
    assert answer.headers["x-clickhouse-exception-code"] == "164"


@pytest.mark.parametrize(
    ("encoding", "unpack"),
    [
        ("lz4", lz4.frame.decompress),
        ("zstd", lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body)),
        ("gzip", gzip.decompress),
        ("deflate", zlib.decompress),
    ],
)
async def test_an_answer_is_compressed_where_it_was_asked_for(
    http: httpx.AsyncClient, encoding: str, unpack: Callable[[bytes], bytes]
) -> None:
    parameters = {"enable_http_compression": "1"}
    headers = {"accept-encoding": encoding}
    request = http.build_request("POST", "/", params=parameters, headers=headers, content=QUERY)
    answer = await http.send(request, stream=True)
    packed = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == encoding
    assert len(packed) < len(ROWS)
    assert unpack(packed) == ROWS
    plain = await http.post("/", headers=headers, content=QUERY)
    assert "content-encoding" not in plain.headers
    assert plain.content == ROWS


@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        *(("lz4", b"no lz4", "271"), ("zstd", b"no", "271"), ("gzip", b"no", "271")),
        *(("br", b"no", "271"), ("xz", b"no", "271"), ("compress", b"", "89")),
    ],
)
async def test_a_body_that_is_not_compressed_as_it_says(
    http: httpx.AsyncClient, encoding: str, body: bytes, code: str
) -> None:
    answer = await http.post("/", headers={"content-encoding": encoding}, content=body)
    assert answer.headers["x-clickhouse-exception-code"] == code


async def test_a_session_keeps_its_state_and_others_do_not_see_it(http: httpx.AsyncClient) -> None:
    async def run(sql: str, **parameters: str) -> str:
        return (await http.post("/", params=parameters, content=sql)).text

    await run("CREATE TEMPORARY TABLE mine (a UInt8) ENGINE = Memory", session_id="one")
    await run("INSERT INTO mine VALUES (1)", session_id="one")
    await run("SET max_result_rows = 55", session_id="one")
    both = "SELECT getSetting('max_result_rows'), (SELECT sum(a) FROM mine)"
    assert await run(both, session_id="one") == "55\t1\n"
    # A request's own settings are gone after it, the session's stay.
    assert await run(both, session_id="one", max_result_rows="66") == "66\t1\n"
    assert await run(both, session_id="one", database="system") == "55\t1\n"
    assert (
        await run("SELECT currentDatabase(), " + both[7:], session_id="one") == "default\t55\t1\n"
    )
    assert "Code: 60" in await run(both, session_id="two")
    assert "Code: 60" in await run(both)
    assert "Code: 372" in await run("SELECT 1", session_id="three", session_check="1")


async def test_an_external_table(http: httpx.AsyncClient) -> None:
    parameters = {"query": "SELECT sum(a) FROM given", "given_structure": "a UInt64"}
    files = {"given": ("given", b"1\n2\n3\n")}
    assert (await http.post("/", params=parameters, files=files)).text == "6\n"
    assert "Code: 60" in (await http.post("/", content=parameters["query"])).text


async def test_two_statements_are_refused(http: httpx.AsyncClient) -> None:
    assert "Code: 62" in (await http.post("/", content="SELECT 1; SELECT 2")).text
    assert (await http.post("/", content="SELECT ';' -- ;\n;")).text == ";\n"


async def test_a_request_that_is_cut_off_runs_nothing(
    clickhouse_url: str, clickhouse: AsyncClient, database: str
) -> None:
    await clickhouse.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    address = httpx.URL(clickhouse_url)
    head = (
        f"POST /?database={database} HTTP/1.1\r\nHost: {address.netloc.decode()}\r\n"
        f"X-ClickHouse-Key: {address.password}\r\nContent-Length: 1000\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(head.encode() + b"INSERT INTO t FORMAT TSV\n1\n2\n")
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert (await clickhouse.query("SELECT count() FROM t")).result_rows == [(0,)]
